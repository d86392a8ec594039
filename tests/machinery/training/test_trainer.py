"""Checkpoints of transformers' Trainer."""

from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from my_project.training.trainer import last_checkpoint


def test_an_incomplete_checkpoint_is_ignored(tmp_path: Path) -> None:
    assert last_checkpoint(tmp_path, print) is None
    for step, state in ((9, "{}"), (10, "{}"), (11, "{"), (12, None)):
        (tmp_path / f"checkpoint-{step}").mkdir()
        if state:
            (tmp_path / f"checkpoint-{step}/trainer_state.json").write_text(state)
    lines: list[str] = []
    assert last_checkpoint(tmp_path, lines.append) == tmp_path / "checkpoint-10"
    assert lines == ["skipping checkpoint-12: it is incomplete", "skipping checkpoint-11: it is incomplete"]


@pytest.mark.parametrize("name", ["model.safetensors", "optimizer.pt", "rng_state_1.pth", "trainer_state.json"])
def test_a_checkpoint_that_lost_the_end_of_a_file_is_ignored(tmp_path: Path, name: str) -> None:
    for step in (10, 20):
        folder = tmp_path / f"checkpoint-{step}"
        folder.mkdir()
        save_file({"weight": torch.zeros(1000)}, folder / "model.safetensors")
        torch.save({"state": torch.zeros(1000)}, folder / "optimizer.pt")
        torch.save({"cpu": torch.get_rng_state()}, folder / "rng_state_1.pth")
        (folder / "trainer_state.json").write_text('{"global_step": 1}')
    assert last_checkpoint(tmp_path, print) == tmp_path / "checkpoint-20"
    content = (folder / name).read_bytes()
    (folder / name).write_bytes(content[:-10])
    lines: list[str] = []
    assert last_checkpoint(tmp_path, lines.append) == tmp_path / "checkpoint-10"
    assert lines == ["skipping checkpoint-20: it is incomplete"]
