"""The weights that a model was exported from: whether a folder of them has changed since."""

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ..base_settings import ServiceSettings
from ..inference.model_files import MANIFEST, folder_selection

Source = dict[str, dict[str, Any]]
"""For each file that is loaded: size in bytes, time of the last change in nanoseconds, and SHA-256."""


def read_source(settings: ServiceSettings) -> Source | None:
    """Return the state of the settings' folder of weights, as far as its files are loaded.

    None for a model of the hub and for a folder with a manifest, which the manifest identifies.
    """
    if (folder := _own_folder(settings)) is None:
        return None
    return {name: {**_state(folder / name), "sha256": _sha256(folder / name)} for name in _names(folder)}


def source_change(settings: ServiceSettings, recorded: Any) -> str:
    """Return how the settings' folder of weights differs from a recorded state; empty if its content is the same.

    A file is only read if its time differs. Then the new time is put into `recorded`.
    """
    folder = _own_folder(settings)
    if folder is None:
        return "" if recorded is None else "it was exported from another folder"
    if not isinstance(recorded, dict):
        return "an earlier release exported it"
    names = _names(folder)
    if changed := sorted(set(names) ^ set(recorded)):
        return f"{changed[0]} was {'added to' if changed[0] in names else 'deleted from'} {folder}"
    for name in names:
        state, known = _state(folder / name), recorded[name]
        if state["size"] != known["size"]:
            return f"{folder / name} has changed"
        if state["mtime_ns"] != known["mtime_ns"]:
            if _sha256(folder / name) != known["sha256"]:
                return f"{folder / name} has changed"
            known |= state
    return ""


def _own_folder(settings: ServiceSettings) -> Path | None:
    folder = Path(settings.model).expanduser()
    return folder if settings.model and folder.is_dir() and not (folder / MANIFEST).is_file() else None


def _names(folder: Path) -> list[str]:
    return sorted(folder_selection(folder).files)


def _state(path: Path) -> Mapping[str, int]:
    found = path.stat()
    return {"size": found.st_size, "mtime_ns": found.st_mtime_ns}


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
