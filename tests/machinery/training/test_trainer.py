"""Checkpoints of transformers' Trainer."""

from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from my_project.training.trainer import last_checkpoint


def test_an_incomplete_checkpoint_is_ignored(tmp_path: Path) -> None:
    assert last_checkpoint(tmp_path) is None
    for step, state in ((9, "{}"), (10, "{}"), (11, "{"), (12, None)):
        (tmp_path / f"checkpoint-{step}").mkdir()
        if state:
            (tmp_path / f"checkpoint-{step}/trainer_state.json").write_text(state)
    assert last_checkpoint(tmp_path) == tmp_path / "checkpoint-10"


@pytest.mark.parametrize("name", ["model.safetensors", "optimizer.pt", "trainer_state.json"])
def test_a_checkpoint_that_lost_the_end_of_a_file_is_ignored(tmp_path: Path, name: str) -> None:
    for step in (10, 20):
        folder = tmp_path / f"checkpoint-{step}"
        folder.mkdir()
        save_file({"weight": torch.zeros(1000)}, folder / "model.safetensors")
        torch.save({"state": torch.zeros(1000)}, folder / "optimizer.pt")
        (folder / "trainer_state.json").write_text('{"global_step": 1}')
    assert last_checkpoint(tmp_path) == tmp_path / "checkpoint-20"
    content = (folder / name).read_bytes()
    (folder / name).write_bytes(content[:-10])
    assert last_checkpoint(tmp_path) == tmp_path / "checkpoint-10"
