"""Tiny models, loaded as the server of a project loads them."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import transformers

transformers.logging.disable_progress_bar()

Load = Callable[..., Any]
"""Returns the model in a folder, once it has predicted the examples of the schema."""


@pytest.fixture(params=["torch", "onnx"])
def load(request: pytest.FixtureRequest, tmp_path: Path) -> Load:
    """Return a function that loads a model with torch, and with ONNX Runtime where the project has it."""
    from my_project.components import load_tried_model
    from my_project.settings import Settings

    if request.param == "onnx" and "runtime" not in Settings.model_fields:
        pytest.skip("this task runs on torch alone")
    chosen = {"runtime": request.param, "exported": tmp_path / "exported"} if request.param == "onnx" else {}
    if "runtime" in Settings.model_fields:
        chosen["runtime"] = request.param
    return lambda folder: load_tried_model(Settings(model=str(folder), device="cpu", **chosen))
