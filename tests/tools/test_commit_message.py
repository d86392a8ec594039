"""The hook for commit messages accepts `type(scope): imperative` in 72 characters, and nothing else."""

from pathlib import Path

import pytest
import yaml

from tests.program import run
from tests.reference import ROOT


def accepted(message: str, folder: Path) -> bool:
    file = folder / "message"
    file.write_text(message)
    [hooks] = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text())["repos"]
    [entry] = [hook["entry"] for hook in hooks["hooks"] if hook.get("stages") == ["commit-msg"]]
    return run([*entry.split(), file], cwd=ROOT).returncode == 0


@pytest.mark.parametrize(
    "message",
    [
        "fix(compose): check bucket reads in the health check",
        "docs: describe the image contract\n\nThe body may be longer than a subject: " + "word " * 40,
        "feat(api)!: " + "a" * 60,
    ],
)
def test_accepts(message: str, tmp_path: Path) -> None:
    assert accepted(message, tmp_path)


@pytest.mark.parametrize(
    "message",
    ["Say that a bucket is well when it can give what it holds", "fix compose", "fixes: it", "fix(api): " + "a" * 63],
)
def test_refuses(message: str, tmp_path: Path) -> None:
    assert not accepted(message, tmp_path)
