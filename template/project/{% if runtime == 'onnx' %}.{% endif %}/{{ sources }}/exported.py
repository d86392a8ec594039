"""The exported model: a folder of graphs and facts, which needs neither torch nor transformers."""

import hashlib
import json
import logging
import os
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime

from .predictor import ModelUnavailable
from .settings import Settings
from .weights import MANIFEST, identify

logger = logging.getLogger(__name__)

GRAPHS = {"fp32": "model.onnx", "int8": "model_int8.onnx"}
"""File of each precision."""

FACTS = "facts.json"
"""What a predictor has to know of the model beside its graph, such as its labels."""


def is_exported(settings: Settings) -> bool:
    """Whether the settings' model is there already and whole, of the settings' revision, and as its folder is now."""
    folder = settings.exported.expanduser()
    try:
        known = _json(folder / MANIFEST)
    except ModelUnavailable:
        return False
    sizes = {name: each["size"] for name, each in known.get("files", {}).items()}
    is_whole = all(folder.joinpath(name).is_file() and (folder / name).stat().st_size == sizes[name] for name in sizes)
    return is_whole and _is_of(known, settings) and known.get("source") == source(settings)


def source(settings: Settings) -> str | None:
    """What changes when a folder of weights does; None for a model of the hub, and for a folder with a manifest."""
    folder = Path(settings.model).expanduser()
    if not folder.is_dir() or (folder / MANIFEST).is_file():
        return None
    files = [path for path in sorted(folder.rglob("*")) if path.is_file()]
    states = [(str(path.relative_to(folder)), path.stat().st_size, path.stat().st_mtime_ns) for path in files]
    return hashlib.sha256(json.dumps(states).encode()).hexdigest()


def _is_of(known: dict[str, Any], settings: Settings) -> bool:
    """Whether a manifest is of the settings' model and, as far as both are known, of their revision."""
    model, commit = identify(settings)
    revisions = (known.get("commit"), known.get("revision"))
    return known.get("model") == model and (commit is None or revisions[0] is None or commit in revisions)


def ensure_exported(settings: Settings) -> None:
    """Exports the settings' model where it is not there, and the tools to do so are. Raises ModelUnavailable."""
    if settings.model and not is_exported(settings) and find_spec("torch"):
        from .onnx_export import export

        export(settings, _say, anew=False)


def _say(line: str) -> None:
    logger.info("%s", line)
    if sys.stderr.isatty() and not logger.isEnabledFor(logging.INFO):  # a command, which logs nothing
        print(line, file=sys.stderr)


class Exported:
    """An exported model, open to be run. Raises ModelUnavailable."""

    def __init__(self, settings: Settings) -> None:
        folder = settings.exported.expanduser()
        if not (folder / MANIFEST).is_file():
            raise ModelUnavailable(f"{folder} holds no exported model: run the command export")
        graph = folder / GRAPHS[settings.precision]
        if not graph.is_file():
            lacks = f"{folder} has no {settings.precision}: it did not agree with torch, or is gone"
            raise ModelUnavailable(f"{lacks}; set the precision to fp32, or run the command export --force")
        self.folder = folder
        self.facts: dict[str, Any] = _json(folder / FACTS)
        """What `onnx_graph.facts` wrote down."""
        manifest = _json(folder / MANIFEST)
        self.model = str(manifest.get("model"))
        self.revision: str | None = manifest.get("commit")
        if settings.model and not _is_of(manifest, settings):
            there, asked = f"{self.model} at {self.revision}", f"{settings.model} at {settings.revision}"
            raise ModelUnavailable(f"{folder} holds {there}, not {asked}: run the command export")
        self._session = _open(graph, settings.device)

    def run(self, **inputs: np.ndarray) -> np.ndarray:
        """The graph's output, a row for each of the inputs' rows."""
        [output] = self._session.run(None, inputs)
        return np.asarray(output)


def _json(path: Path) -> dict[str, Any]:
    try:
        return dict(json.loads(path.read_text("utf-8")))
    except (OSError, ValueError, TypeError) as error:
        raise ModelUnavailable(f"{path} is not whole: run the command export --force") from error


def _open(graph: Path, device: str) -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    threads = os.environ.get("OMP_NUM_THREADS", "").partition(",")[0]
    options.intra_op_num_threads = int(threads) if threads.isdigit() else 0  # 0 takes every core
    options.log_severity_level = 4  # what goes wrong here is said below
    providers = _providers(device)
    try:
        session = onnxruntime.InferenceSession(graph, options, providers=providers)
    except Exception as error:  # the runtime's own kinds, which share no other base
        reason = str(error).strip().splitlines()[0]
        raise ModelUnavailable(f"{graph} cannot be loaded: {reason}; run the command export --force") from None
    if device.startswith("cuda") and "CUDAExecutionProvider" not in session.get_providers():
        raise ModelUnavailable(f"device {device} cannot be used: set the device to auto or cpu")
    return session


def _providers(device: str) -> list[Any]:
    """What computes, best first; what cannot be used is passed over."""
    kind, _, number = device.partition(":")
    if kind not in ("auto", "cpu", "cuda") or not (number or "0").isdigit():
        raise ModelUnavailable(f"device {device} cannot be used: choose auto, cpu or cuda")
    if kind == "cpu" or "CUDAExecutionProvider" not in onnxruntime.get_available_providers():
        return ["CPUExecutionProvider"]
    onnxruntime.preload_dlls()  # of the CUDA that Python packages carry
    return [("CUDAExecutionProvider", {"device_id": int(number or 0)}), "CPUExecutionProvider"]
