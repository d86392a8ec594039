"""Images of projects that use ONNX Runtime."""

import json
import operator
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.engine import outcome
from tests.hub import Hub
from tests.image.conftest import Image
from tests.image.test_compose import compose_of

pytestmark = pytest.mark.image

LOCKED_DOWN = ("--user=12345:0", "--read-only", "--tmpfs=/tmp:size=64m", "--cap-drop=ALL", "--network=none")


def test_it_holds_neither_torch_nor_transformers(sample: Image) -> None:
    names = ("torch", "transformers", "onnx", "onnxscript", "safetensors")
    code = f"from importlib.util import find_spec; print([name for name in {names} if find_spec(name)])"
    assert outcome(sample.name, "python", "-c", code).stdout.strip() == "[]"
    assert outcome(sample.name, "sh", "-c", "ls /opt").stdout.split() == ["exported", "venv"]


def test_8_bits_predict_nearly_the_same(sample: Image) -> None:
    expected = json.loads(outcome(sample.name, "predict", "A cat.").stdout)
    done = outcome(sample.name, "predict", "A cat.", options=(*LOCKED_DOWN, "--env=MY_PROJECT_PRECISION=int8"))
    cosine = sum(map(operator.mul, expected, json.loads(done.stdout)))
    assert 0.95 < cosine < 0.9999


def test_its_doctor_finds_nothing(sample: Image) -> None:
    done = outcome(sample.name, "doctor", "--json", "--thorough", options=LOCKED_DOWN)
    assert done.returncode == 0, done.stdout
    assert {each["check"] for each in json.loads(done.stdout)} >= {"ONNX Runtime", "exported model", "weights"}


@pytest.mark.exhaustive
def test_a_volume_is_filled_by_the_export_once(project: Callable[[str], Path], hub: Hub, tags: list[str]) -> None:
    folder = project("onnx, volume")
    compose = compose_of(folder, "compose.yaml")
    tags.extend(["slipway-test-onnx-volume", "slipway-test-onnx-volume-export"])
    (folder / ".env").write_text(f"HF_ENDPOINT={hub.endpoint}\n")
    try:
        done = compose("run", "--build", "--rm", "-T", "cli", "predict", "A cat.")
        assert done.returncode == 0, done.stdout + done.stderr
        assert len(json.loads(done.stdout)) == 384
        hub.requests.clear()
        again = compose("run", "--rm", "-T", "cli", "predict", "A cat.")
        assert again.stdout == done.stdout
        assert hub.requests == [], "what is exported is not fetched again"
    finally:
        compose("down", "--volumes", "--remove-orphans", "--timeout=1")
