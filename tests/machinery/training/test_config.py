"""The configuration of a training, read from YAML."""

from pathlib import Path
from typing import Literal

import pytest

from my_project import components
from my_project.cli.train import DEFAULT_CONFIG
from my_project.errors import InvalidInputError
from my_project.training.config import TrainingConfig


class Config(TrainingConfig):
    """A configuration with fields of several types."""

    epochs: float = 3
    report_to: tuple[Literal["mlflow", "tensorboard"], ...] = ()


def test_the_default_configuration_states_every_default() -> None:
    task = components.training_task()
    assert task.Config.read(DEFAULT_CONFIG) == task.Config()


def test_an_empty_file_is_the_default(tmp_path: Path) -> None:
    (tmp_path / "config.yaml").write_text("# nothing\n")
    assert Config.read(tmp_path / "config.yaml") == Config()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("seed: 1\nepochs: many\n", ":2: epochs: "),
        ("seed: 1\n\n# more\ncomponents: 3\n", ":4: components: Extra inputs"),
        ("report_to:\n- mlflow\n- paper\n", ":3: report_to.1: "),
        ("seed: [1\n", ":2: "),
        ("- seed\n", ":1: "),
        ("holdout: 1.5", ":1: holdout: "),
        ("a: &a [*a]", ":1: "),
        ("seed: \x00", ": "),
    ],
)
def test_an_invalid_configuration_is_refused_with_its_line(tmp_path: Path, content: str, message: str) -> None:
    (tmp_path / "config.yaml").write_text(content)
    with pytest.raises(InvalidInputError, match=f"config.yaml{message}") as refusal:
        Config.read(tmp_path / "config.yaml")
    assert "\n" not in str(refusal.value)


def test_a_huge_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "config.yaml").write_text("#" * 1_000_001)
    with pytest.raises(InvalidInputError, match="larger than 1,000,000 bytes"):
        Config.read(tmp_path / "config.yaml")
