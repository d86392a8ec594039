"""ONNX Runtime: an exported model, which needs neither torch nor transformers."""

import json
import logging
import os
import sys
from collections.abc import Callable
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from ..base_settings import ServiceSettings
from ..errors import ModelUnavailableError
from ..inference.model_files import MANIFEST, identify
from .base import ModelFiles
from .export_source import source_change
from .session_pool import SessionPool

logger = logging.getLogger(__name__)

GRAPHS = {"fp32": "model.onnx", "int8": "model_int8.onnx"}
"""File of each precision."""

FORMAT = 2
"""Number of the format of an export, which rises when older ones cannot be served."""

FACTS = "facts.json"
"""Values from the model's configuration that the task needs, such as its labels."""


def load_exported(
    settings: ServiceSettings, open_preprocessor: Callable[[Path, dict[str, Any]], Any]
) -> tuple[ModelFiles, SessionPool]:
    """Return the exported model of the settings and the backend that runs it.

    Args:
        settings: Name the model, the folder of the export and the precision.
        open_preprocessor: Returns tokenizer or image processor from the export's folder and facts.

    Raises:
        ModelUnavailableError: The export is missing, broken or of another model.
    """
    folder = settings.exported.expanduser()
    if not (folder / MANIFEST).is_file():
        raise ModelUnavailableError(f"{folder} holds no exported model: run the command export")
    graph = folder / GRAPHS[settings.precision]
    if not graph.is_file():
        missing = f"{folder} has no {settings.precision}: it did not agree with torch, or was deleted"
        raise ModelUnavailableError(f"{missing}; set the precision to fp32, or run the command export --force")
    manifest, facts = _read_json(folder / MANIFEST), _read_json(folder / FACTS)
    name, revision = str(manifest.get("model")), manifest.get("commit")
    if settings.model and not _is_of(manifest, settings):
        found, wanted = f"{name} at {revision}", f"{settings.model} at {settings.revision}"
        raise ModelUnavailableError(f"{folder} holds {found}, not {wanted}: run the command export")
    try:
        files = ModelFiles(name, revision, open_preprocessor(folder, facts), facts)
    except Exception as error:  # a file is missing or was changed
        reason = f"{folder} is incomplete ({type(error).__name__}: {error})".splitlines()[0]
        raise ModelUnavailableError(f"{reason}: run the command export --force") from error
    return files, SessionPool(graph, settings.device, settings.parallel_batches)


def is_exported(settings: ServiceSettings) -> bool:
    """Return whether the export of the settings' model and revision is there, complete and up to date."""
    return export_reason(settings) == ""


def export_reason(settings: ServiceSettings) -> str:
    """Return why the settings' model has to be exported; empty if its export is there, complete and up to date."""
    folder = settings.exported.expanduser()
    if not (folder / MANIFEST).is_file():
        return f"{folder} holds no export"
    try:
        manifest = _read_json(folder / MANIFEST)
    except ModelUnavailableError:
        return f"{folder / MANIFEST} cannot be read"
    for name, each in manifest.get("files", {}).items():
        if not (folder / name).is_file() or (folder / name).stat().st_size != each["size"]:
            return f"{folder / name} is missing or incomplete"
    if not _is_of(manifest, settings):
        return f"{folder} holds {manifest.get('model')} at {manifest.get('commit')}"
    if manifest.get("format") != FORMAT:
        return "an earlier release exported it"
    before = json.dumps(manifest)
    change = source_change(settings, manifest.get("source"))
    if not change and json.dumps(manifest) != before:
        with suppress(OSError):  # of a folder that is read-only: the next start compares the content again
            temporary = folder.with_name(f".{folder.name}.{os.getpid()}.part")
            temporary.write_text(json.dumps(manifest, indent=2, sort_keys=True) + "\n", "utf-8")
            temporary.replace(folder / MANIFEST)
    return change


def ensure_exported(settings: ServiceSettings, export: Callable[[Callable[[str], None]], object]) -> None:
    """Export the settings' model if its export is missing or out of date and torch is installed; say why.

    Args:
        settings: Name the model.
        export: Exports the model; its argument reports progress.

    Raises:
        ModelUnavailableError: The export failed.
    """
    if settings.model and (reason := export_reason(settings)) and find_spec("torch"):
        _report(f"exporting {settings.model} to ONNX, which can take minutes: {reason}")
        export(_report)


def _is_of(manifest: dict[str, Any], settings: ServiceSettings) -> bool:
    """Return whether a manifest is of the settings' model and, as far as both are known, of their revision."""
    model, commit = identify(settings)
    revisions = (manifest.get("commit"), manifest.get("revision"))
    return manifest.get("model") == model and (commit is None or revisions[0] is None or commit in revisions)


def _report(line: str) -> None:
    logger.info("%s", line)
    if sys.stderr.isatty() and not logger.isEnabledFor(logging.INFO):  # a command, which configures no logging
        print(line, file=sys.stderr)


def _read_json(path: Path) -> dict[str, Any]:
    try:
        return dict(json.loads(path.read_text("utf-8")))
    except (OSError, ValueError, TypeError) as error:
        raise ModelUnavailableError(f"{path} is broken: run the command export --force") from error
