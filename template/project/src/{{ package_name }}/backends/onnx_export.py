"""Export a model to ONNX, compare it with torch, and keep it only if they agree."""

import hashlib
import json
import logging
import math
import shutil
import tempfile
import warnings
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from filelock import FileLock
from onnxruntime.quantization import QuantType, quantize_dynamic
from onnxscript import opset18

from ..base_settings import ServiceSettings
from ..errors import ModelUnavailableError
from ..inference.batching import Item
from ..inference.model_files import MANIFEST, identify, locate
from .base import BackendModel
from .export_source import Source, read_source
from .onnx import FACTS, FORMAT, GRAPHS, is_exported, load_exported
from .session_pool import SessionPool
from .torch import TaskGraph, load_torch

TOLERANCE = 1e-3
"""Maximum difference of a number in the 32-bit graph's predictions from torch's."""

MIN_AGREEMENT = 0.98
"""Minimum mean agreement of the 8-bit graph with torch; the task defines the measure."""

NOISY_LOGGERS = ("torch", "torch.onnx", "onnxscript", "onnx_ir")

OPSETS = (23, 22)
"""ONNX operator sets, best first. 23 has attention as one operator, which is a sixth faster, and rotary positions as
another one, which ONNX Runtime refuses for some networks."""

TRACED_ATTENTION = (None, "eager")
"""How transformers computes attention while the graph is traced, best first: as it does anyway, or in single products,
which every exporter knows."""

TRACED_EXPERTS = "batched_mm"
"""How it computes a mixture of experts: its own default has no operator of ONNX."""

QUANTISED = ["MatMul", "Gather"]
"""Operators whose weights become 8-bit integers, for each channel; activations are quantised as they come."""

Report = Callable[[str], None]


@dataclass(frozen=True)
class ExportSpec:
    """Properties of a task that the export needs."""

    graph: type[TaskGraph]
    model: type[BackendModel[Any, Any, Any]]
    parameters: Any
    """Parameters of the predictions that are compared."""
    samples: Callable[[TaskGraph], Sequence[Any]]
    """Return inputs of many sizes, to compare the predictions of."""
    save_preprocessor: Callable[[TaskGraph, Path], None]
    open_preprocessor: Callable[[Path, dict[str, Any]], Any]
    difference: Callable[[Any, Any], float]
    """Return the largest difference between the numbers of two predictions."""
    agreement: Callable[[Any, Any], float]
    """Return how far two predictions agree, from 0 to 1."""


def export(settings: ServiceSettings, spec: ExportSpec, report: Report, force: bool = True) -> Path:
    """Export the settings' model in 32 and 8 bits, replace an earlier export, and return the folder.

    The folder appears complete or not at all. One process exports at a time; the others wait, and find the export
    done unless `force` is set.

    Args:
        settings: Name the model and the folder.
        spec: The task.
        report: Called with each step and its outcome.
        force: Export even if the export is there.

    Raises:
        ModelUnavailableError: The 32-bit predictions differ from torch's, or the settings ask for 8 bits and these do
            not agree; otherwise the 8-bit graph is left out.
    """
    target = settings.exported.expanduser()
    if target.exists() and not (target / MANIFEST).is_file() and (target.is_file() or any(target.iterdir())):
        raise ModelUnavailableError(f"{target} holds other files, which an export would replace: name another folder")
    if target.is_mount():
        raise ModelUnavailableError(f"{target} is a mount point, which an export cannot replace: name a folder in it")
    weights = locate(settings)
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(target.parent / f".{target.name}.lock"):
            if force or not is_exported(settings):
                _replace(target, weights, settings, spec, report)
    except OSError as error:
        raise ModelUnavailableError(f"{target} cannot be written: {error.strerror or error}") from error
    return target


def _replace(target: Path, weights: Path, settings: ServiceSettings, spec: ExportSpec, report: Report) -> None:
    for interrupted in target.parent.glob(f".{target.name}-*"):
        shutil.rmtree(interrupted)
    with tempfile.TemporaryDirectory(prefix=f".{target.name}-", dir=target.parent) as temporary:
        made, before = Path(temporary) / target.name, Path(temporary) / "before"
        made.mkdir()
        source = read_source(settings)  # before the weights are read, which may change meanwhile
        with _quiet():
            _make(weights, made, settings, spec, report)
        _write_manifest(made, settings, source)
        if target.exists():
            target.rename(before)
        try:
            made.rename(target)
        except OSError:
            if before.exists():
                before.rename(target)
            raise


def _make(weights: Path, folder: Path, settings: ServiceSettings, spec: ExportSpec, report: Report) -> None:
    name, revision = identify(settings)
    files, backend = load_torch(spec.graph, weights, name, revision, "cpu")
    model = spec.model.load(files, backend, settings)
    inputs = spec.samples(backend.graph)
    (folder / FACTS).write_text(json.dumps(files.facts, indent=2, sort_keys=True) + "\n", "utf-8")
    spec.save_preprocessor(backend.graph, folder)
    _write_manifest(folder, settings, None)

    report("exporting")
    example = model.collate(_one_batch(model.preprocess(inputs, spec.parameters)))
    _export_graph(backend.graph, example, folder / GRAPHS["fp32"], name)

    report("quantising")
    quantisation: dict[str, Any] = {"per_channel": True, "weight_type": QuantType.QInt8}
    quantisation |= {"op_types_to_quantize": QUANTISED, "use_external_data_format": True}
    quantize_dynamic(folder / GRAPHS["fp32"], folder / GRAPHS["int8"], **quantisation)

    report("comparing with torch")
    expected = model.predict(inputs, spec.parameters)

    def compare(precision: str, measure: Callable[[Any, Any], float]) -> list[float]:
        changed = settings.model_copy(update={"exported": folder, "precision": precision, "device": "cpu"})
        try:
            found = spec.model.load(*load_exported(changed, spec.open_preprocessor), changed)
            predictions = found.predict(inputs, spec.parameters)
            [alone] = found.predict(inputs[:1], spec.parameters)
        except Exception as error:  # the runtime's exceptions share no other base
            reason = f"{_reason(error)}; keep runtime torch"
            raise ModelUnavailableError(f"{name} cannot be computed when exported: {reason}") from error
        return [measure(*pair) for pair in zip([alone, *predictions], [expected[0], *expected], strict=True)]

    difference = max(compare("fp32", spec.difference), key=lambda each: (math.isnan(each), each))
    if not difference <= TOLERANCE:
        raise ModelUnavailableError(f"{name} differs from torch by {difference:.2g} when exported: keep runtime torch")
    report(f"fp32: differs from torch by {difference:.1g} at most")
    agreements = compare("int8", spec.agreement)
    agreement = sum(agreements) / len(agreements)
    if agreement >= MIN_AGREEMENT:
        report(f"int8: agrees with torch by {agreement:.3f}")
        return
    refusal = f"int8: agrees with torch by {agreement:.3f}, less than {MIN_AGREEMENT}: left out"
    if settings.precision == "int8":
        raise ModelUnavailableError(refusal)
    for path in folder.glob(f"{GRAPHS['int8']}*"):
        path.unlink()
    report(refusal)


def _one_batch(items: Sequence[Item]) -> list[Item]:
    """Return the items that may share a batch with the first one, three at most; two of the first if there is no other.

    The exporter takes a size of 1 for one that never changes.
    """
    together = [item for item in items if item.group == items[0].group][:3]
    return together if len(together) > 1 else together * 2


def _reason(error: Exception) -> str:
    """Return why an exporter or a runtime failed, in one line: exporters wrap what happened in advice."""
    cause = error
    while cause.__cause__ is not None and isinstance(cause.__cause__, Exception):
        cause = cause.__cause__
    lines = [line for line in str(cause).strip().splitlines() if line.strip()] or ["no reason given"]
    return f"{type(cause).__name__}: {lines[0]}"[:300]


def _export_graph(graph: TaskGraph, example: dict[str, np.ndarray], target: Path, name: str) -> None:
    """Write the graph in 32 bits, in the first way that ONNX Runtime computes the example with.

    Raises:
        ModelUnavailableError: There is none.
    """
    shapes = {each: dict.fromkeys(axes, torch.export.Dim.DYNAMIC) for each, axes in graph.dynamic_axes.items()}
    options: dict[str, Any] = {"dynamo": True, "verbose": False, "dynamic_shapes": {"batch": shapes}}
    options |= {"input_names": list(example), "output_names": list(graph.output_names)}
    options["custom_translation_table"] = {torch.ops.aten.squeeze.default: _squeeze}
    batch = {each: torch.from_numpy(array) for each, array in example.items()}
    graph.network.set_experts_implementation(TRACED_EXPERTS)
    failure = ""
    for attention in TRACED_ATTENTION:
        if attention:
            graph.network.set_attn_implementation(attention)
        for opset in OPSETS:
            try:
                program: Any = torch.onnx.export(graph, (), kwargs={"batch": batch}, opset_version=opset, **options)
            except Exception as error:  # the exporter raises many kinds of exceptions
                failure = failure or f"exported: {_reason(error)}"
                break  # the operator set does not matter
            _forget_shapes(program.model.graph)
            # Weights in a file of their own are mapped into memory, where processes share them.
            program.save(target, external_data=True)
            try:
                session = SessionPool(target, "cpu", 1)
                for rows in (slice(None), slice(1)):
                    session.run({each: array[rows] for each, array in example.items()})
                return
            except Exception as error:  # the runtime's exceptions share no other base
                failure = failure or f"computed when exported: {_reason(error)}"
    raise ModelUnavailableError(f"{name} cannot be {failure}; keep runtime torch")


def _squeeze(tensor: Any) -> Any:
    """Translate a squeeze that names no axes: it means those of size 1 in the trace, not a batch of one input."""
    axes: Any = [axis for axis, size in enumerate(tensor.shape) if size == 1]
    return opset18.Squeeze(tensor, axes) if axes else opset18.Identity(tensor)


def _forget_shapes(graph: Any) -> None:
    """Keep the shapes of inputs and outputs only: the quantiser transposes matrices, and their old shapes are wrong."""
    between = [value for node in graph for value in node.outputs if value not in graph.outputs]
    for value in [*between, *graph.initializers.values()]:
        value.shape = None


@contextmanager
def _quiet() -> Generator[None]:
    """Keep the messages of exporter and quantiser out of the log."""
    loggers = {logger: logger.level for logger in map(logging.getLogger, NOISY_LOGGERS)}
    for logger in loggers:
        logger.setLevel(logging.ERROR)
    logging.root.addFilter(_reject)  # the quantiser logs to the root
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.root.removeFilter(_reject)
        for logger, level in loggers.items():
            logger.setLevel(level)


def _reject(record: logging.LogRecord) -> bool:
    return False


def _write_manifest(folder: Path, settings: ServiceSettings, source: Source | None) -> None:
    """Write the manifest, in the format of that of weights."""
    model, commit = identify(settings)
    paths = sorted(path for path in folder.iterdir() if path.name != MANIFEST)
    for path in paths:
        path.chmod(0o644)  # files of weights are created readable by their owner alone
    content = {
        "format": FORMAT,
        "model": model,
        "revision": settings.revision,
        "commit": commit,
        "source": source,
        "files": {path.name: {"size": path.stat().st_size, "sha256": _sha256(path)} for path in paths},
    }
    (folder / MANIFEST).write_text(json.dumps(content, indent=2, sort_keys=True) + "\n", "utf-8")


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
