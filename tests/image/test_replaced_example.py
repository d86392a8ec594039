"""The image of a project whose owner replaced the example by a model of their own."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from tests import replacement
from tests.program import run
from tests.releases import commit

pytestmark = pytest.mark.image


def test_the_image_trains_and_serves_the_model_of_the_owner(project: Callable[[str], Path], tags: list[str]) -> None:
    folder = project("replaced")
    replacement.replace_example(folder, "custom")
    commit(folder, "My own model")
    tags.append("slipway-test-replaced")
    done = run(["docker/smoke.sh"], cwd=folder, timeout=600)
    assert done.returncode == 0, done.stdout + done.stderr
    [answer] = [json.loads(line) for line in done.stdout.splitlines() if line.startswith('{"species"')]
    assert answer["species"] == "setosa"
