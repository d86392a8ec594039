"""Checkpoints of transformers' Trainer."""

from pathlib import Path

from my_project.training.trainer import last_checkpoint


def test_an_incomplete_checkpoint_is_ignored(tmp_path: Path) -> None:
    assert last_checkpoint(tmp_path) is None
    for step, state in ((9, "{}"), (10, "{}"), (11, "{"), (12, None)):
        (tmp_path / f"checkpoint-{step}").mkdir()
        if state:
            (tmp_path / f"checkpoint-{step}/trainer_state.json").write_text(state)
    assert last_checkpoint(tmp_path) == tmp_path / "checkpoint-10"
