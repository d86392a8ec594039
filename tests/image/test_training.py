"""One image trains a version and another serves it."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.engine import build, outcome
from tests.hub import Hub
from tests.image.conftest import Image

pytestmark = pytest.mark.image

LOCKED_DOWN = ("--user=12345:0", "--read-only", "--tmpfs=/tmp:size=256m", "--cap-drop=ALL", "--network=none")


def test_what_one_image_trains_another_serves_that_holds_nothing_to_train_with(
    project: Callable[[str], Path], image: Callable[[str], Image], hub: Hub, tags: list[str], tmp_path: Path
) -> None:
    tags.append("slipway-test-pip-train")
    options = (f"--build-arg=HF_ENDPOINT={hub.endpoint}", "--target=train", f"--tag={tags[-1]}")
    done = build(project("pip"), *options)
    assert done.returncode == 0, done.output
    for name in ("examples", "models"):
        (tmp_path / name).mkdir()
    (tmp_path / "models").chmod(0o777)
    rows = [{"anchor": f"{word} {number}", "positive": f"{number} {word}s"} for word in "ab" for number in range(30)]
    (tmp_path / "examples/pairs.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (tmp_path / "examples/training.yaml").write_text("data: examples/pairs.jsonl\nepochs: 1\nmargin: 1\n")
    volumes = (f"--volume={tmp_path}/models:/models", f"--volume={tmp_path}/examples:/app/examples:ro")
    command = ("train", "--config=examples/training.yaml")
    trained = outcome(tags[-1], *command, options=(*LOCKED_DOWN, *volumes))
    assert trained.returncode == 0, trained.stderr

    served = image("pip").name
    code = "from importlib.util import find_spec as find; print([find(name) for name in ('accelerate', 'datasets')])"
    assert outcome(served, "python", "-c", code).stdout.strip() == "[None, None]"
    refused = outcome(served, "train")
    assert refused.returncode == 1
    assert "target `train`" in refused.stderr
    assert trained.stdout.strip() in outcome(served, "models", "--json", options=volumes[:1]).stdout
    answers = [outcome(served, "predict", "A cat.", options=(*LOCKED_DOWN, *chosen)) for chosen in ((), volumes[:1])]
    assert [len(json.loads(each.stdout)) for each in answers] == [384, 384]
    assert answers[0].stdout != answers[1].stdout
