"""The exported model: a folder of graphs and facts, which needs neither torch nor transformers."""

import hashlib
import json
import logging
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from .onnx_sessions import Sessions
from .predictor import ModelUnavailable, Predictor
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
        self.sessions = Sessions(graph, settings.device, settings.streams)


class ExportedPredictor(Predictor):
    """Predicts with what `export` made. Raises ModelUnavailable."""

    def __init__(self, settings: Settings) -> None:
        self._exported = Exported(settings)
        self.model, self.revision = self._exported.model, self._exported.revision
        self._run, self.streams = self._exported.sessions.run, self._exported.sessions.streams
        self.lingers = self.streams == 1  # beside another stream, small batches are as good as large ones


def _json(path: Path) -> dict[str, Any]:
    try:
        return dict(json.loads(path.read_text("utf-8")))
    except (OSError, ValueError, TypeError) as error:
        raise ModelUnavailable(f"{path} is not whole: run the command export --force") from error
