"""Exports the model to ONNX, compares it with torch, and keeps it only if they agree."""

import hashlib
import json
import logging
import math
import shutil
import tempfile
import warnings
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from filelock import FileLock
from onnxruntime.quantization import QuantType, quantize_dynamic

from . import onnx_graph
from .exported import FACTS, GRAPHS, is_exported, source
from .onnx_predictor import OnnxPredictor
from .predictor import ModelUnavailable
from .settings import Settings
from .torch_predictor import TorchPredictor
from .weights import MANIFEST, identify, locate

TOLERANCE = 1e-3
"""What a number of the 32-bit graph's predictions may differ by from torch's."""

AGREEMENT = 0.98
"""What the 8-bit graph has to reach on average: `onnx_graph.agreement` says of what."""

TALKATIVE = ("torch", "torch.onnx", "onnxscript", "onnx_ir")
"""Loggers of the exporter."""

OPSET = 23
"""Of the operators that a graph may have; this one knows attention as a whole, which computes a sixth faster."""

QUANTISED = ["MatMul", "Gather"]
"""Where weights become integers of 8 bits, for each channel; activations do when they come (dynamic quantisation)."""


def export(settings: Settings, say: Callable[[str], None], anew: bool = True) -> Path:
    """Folder with the settings' model, in 32 and in 8 bits. Whole or not at all; one of before is replaced.

    `say` is told what comes next and how it went. One process at a time exports; who had to wait for another may find
    all done, unless it is to be made `anew`. Raises ModelUnavailable: also where 32 bits do not agree with torch, or 8
    bits do not and the settings ask for them. Otherwise these are left out.
    """
    target = settings.exported.expanduser()
    if target.exists() and not (target / MANIFEST).is_file() and (target.is_file() or any(target.iterdir())):
        raise ModelUnavailable(f"{target} holds something else, which an export would replace: name another folder")
    if target.is_mount():
        raise ModelUnavailable(f"{target} is a mount, which an export cannot replace: name a folder in it")
    weights = locate(settings)
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(target.parent / f".{target.name}.lock"):
            if anew or not is_exported(settings):
                _replace(target, weights, settings, say)
    except OSError as error:
        raise ModelUnavailable(f"{target} cannot be written: {error.strerror or error}") from error
    return target


def _replace(target: Path, weights: Path, settings: Settings, say: Callable[[str], None]) -> None:
    for broken_off in target.parent.glob(f".{target.name}-*"):
        shutil.rmtree(broken_off)
    with tempfile.TemporaryDirectory(prefix=f".{target.name}-", dir=target.parent) as temporary:
        made, before = Path(temporary) / target.name, Path(temporary) / "before"
        made.mkdir()
        with _quiet():
            _make(weights, made, settings, say)
        _list_files(made, settings)
        if target.exists():
            target.rename(before)
        try:
            made.rename(target)
        except OSError:
            if before.exists():
                before.rename(target)
            raise


def _make(weights: Path, folder: Path, settings: Settings, say: Callable[[str], None]) -> None:
    predictor = TorchPredictor(weights, settings.model_copy(update={"device": "cpu"}))
    inputs = onnx_graph.samples(predictor)
    (folder / FACTS).write_text(json.dumps(onnx_graph.facts(predictor), indent=2, sort_keys=True) + "\n", "utf-8")
    onnx_graph.save_preparation(predictor, folder)
    _list_files(folder, settings)

    say("exporting")
    graph = onnx_graph.Graph(predictor).eval()
    example = onnx_graph.features(predictor, predictor.prepare(inputs[:3], onnx_graph.PARAMETERS))
    how: dict[str, Any] = {"dynamo": True, "opset_version": OPSET, "verbose": False}
    try:
        program: Any = torch.onnx.export(graph, (), kwargs=example, dynamic_shapes=onnx_graph.DYNAMIC, **how)
    except Exception as error:  # an exporter meets every line of a model, and fails in as many ways
        reason = str(error).strip().splitlines() or [type(error).__name__]
        raise ModelUnavailable(f"{predictor.model} cannot be exported: {reason[0]}; keep runtime torch") from error
    _forget_shapes(program.model.graph)
    # Weights in a file beside the graph are mapped, not read: what is looked up in them needs no memory, and is shared.
    program.save(folder / GRAPHS["fp32"], external_data=True)

    say("quantising")
    options: dict[str, Any] = {"per_channel": True, "weight_type": QuantType.QInt8, "op_types_to_quantize": QUANTISED}
    quantize_dynamic(folder / GRAPHS["fp32"], folder / GRAPHS["int8"], use_external_data_format=True, **options)

    say("comparing with torch")
    expected = predictor.predict(inputs, onnx_graph.PARAMETERS)

    def compare(precision: str, how: Callable[[Any, Any], float]) -> list[float]:
        changed = {"exported": folder, "precision": precision, "device": "cpu"}
        try:
            found = OnnxPredictor(settings.model_copy(update=changed)).predict(inputs, onnx_graph.PARAMETERS)
        except Exception as error:  # the runtime's own kinds share no other base
            reason = str(error).strip().splitlines()[0]
            raise ModelUnavailable(f"{predictor.model} cannot be computed when exported: {reason}") from error
        return [how(*pair) for pair in zip(found, expected, strict=True)]

    difference = max(compare("fp32", onnx_graph.difference), key=lambda each: (math.isnan(each), each))
    if not difference <= TOLERANCE:
        raise ModelUnavailable(
            f"{predictor.model} differs from torch by {difference:.2g} when exported: keep runtime torch"
        )
    say(f"fp32: differs from torch by {difference:.1g} at most")
    each = compare("int8", onnx_graph.agreement)
    agreement = sum(each) / len(each)
    if not agreement >= AGREEMENT:
        refused = f"int8: agrees with torch by {agreement:.3f} only, less than {AGREEMENT}: left out"
        if settings.precision == "int8":
            raise ModelUnavailable(refused)
        for path in folder.glob(f"{GRAPHS['int8']}*"):
            path.unlink()
        say(refused)
    else:
        say(f"int8: agrees with torch by {agreement:.3f}")


def _forget_shapes(graph: Any) -> None:
    """Leaves those of inputs and outputs: the quantiser turns matrices around, and stumbles over their old shapes."""
    between = [value for node in graph for value in node.outputs if value not in graph.outputs]
    for value in [*between, *graph.initializers.values()]:
        value.shape = None


@contextmanager
def _quiet() -> Generator[None]:
    """Keeps the remarks of exporter and quantiser on their own work from the log; a server goes on to write its own."""
    loggers = {logger: logger.level for logger in map(logging.getLogger, TALKATIVE)}
    for logger in loggers:
        logger.setLevel(logging.ERROR)
    logging.root.addFilter(_nothing)  # what is logged without a name, as by the quantiser
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.root.removeFilter(_nothing)
        for logger, level in loggers.items():
            logger.setLevel(level)


def _nothing(record: logging.LogRecord) -> bool:
    return False


def _list_files(folder: Path, settings: Settings) -> None:
    """Writes the manifest, in the form of that of weights."""
    model, commit = identify(settings)
    paths = sorted(path for path in folder.iterdir() if path.name != MANIFEST)
    for path in paths:
        path.chmod(0o644)  # those of weights are their owner's alone at first
    files = {path.name: {"size": path.stat().st_size, "sha256": _sha256(path)} for path in paths}
    content = {
        "model": model,
        "revision": settings.revision,
        "commit": commit,
        "source": source(settings),
        "files": files,
    }
    (folder / MANIFEST).write_text(json.dumps(content, indent=2, sort_keys=True) + "\n", "utf-8")


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
