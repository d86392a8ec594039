"""The weights, and what it takes to download them. Asks nothing of the network, and shows no token."""

import hashlib
import json
import os
import re
from pathlib import Path

from huggingface_hub import constants, try_to_load_from_cache
from huggingface_hub.errors import HFValidationError

from ..settings import get_settings
from . import Finding

MANIFEST = "weights.json"
"""Says of each file of a folder how large it is and what its SHA-256 is."""


def cache_folder(thorough: bool) -> Finding:
    """Whether the hub's cache can be written, if it has to be."""
    cache = Path(constants.HF_HUB_CACHE)
    folder = next(each for each in (cache.absolute(), *cache.absolute().parents) if each.exists())
    if folder.is_dir() and os.access(folder, os.W_OK | os.X_OK):
        return Finding("cache folder", "ok", f"{cache} can be written")
    if not _to_download():
        return Finding("cache folder", "ok", f"{cache} cannot be written, and need not be")
    return Finding("cache folder", "fail", f"{cache} cannot be written", "set HF_HOME to a folder that can be")


def token(thorough: bool) -> Finding:
    """Whether there is a token, if one may be needed."""
    if any(os.environ.get(name) for name in ("HF_TOKEN", "HUGGING_FACE_HUB_TOKEN")):
        return Finding("token", "ok", "in the environment")
    stored = Path(constants.HF_TOKEN_PATH)
    if stored.is_file() and os.access(stored, os.R_OK) and stored.read_text().strip():
        return Finding("token", "ok", f"in {stored}")
    if not _to_download():
        return Finding("token", "ok", "none, and none is needed: nothing has to be downloaded")
    mend = "set HF_TOKEN for a gated or private one"
    return Finding("token", "warn", "none: only public models can be downloaded", mend)


def weights(thorough: bool) -> Finding:
    """Whether the model's files are here, and whole."""
    settings = get_settings()
    setting = f"{settings.model_config.get('env_prefix', '')}MODEL"
    if not settings.model:
        return Finding("weights", "fail", "no model is named", f"set {setting} to a hub id or to a folder")
    if _names_folder(settings.model):
        folder = Path(settings.model).expanduser()
        if wrong := problem(folder, thorough):
            mend = f"put the files there, or set {setting} to another folder or a hub id"
            return Finding("weights", "fail", f"{folder}: {wrong}", mend)
        return Finding("weights", "ok", _found(folder, thorough))
    try:
        cached = _cached(settings.model, settings.revision)
    except HFValidationError:
        mend = f"set {setting} to name or org/name"
        return Finding("weights", "fail", f"{settings.model} is neither a folder nor a model id", mend)
    wrong = problem(cached, thorough) if cached else "not downloaded"
    if cached and not wrong:
        return Finding("weights", "ok", _found(cached, thorough))
    found = f"{settings.model} at {settings.revision}: {wrong}"
    if constants.HF_HUB_OFFLINE:
        return Finding("weights", "fail", found, "run the command download with a network, without HF_HUB_OFFLINE")
    mend = f"delete {cached} and run the command download" if cached else "run the command download"
    return Finding("weights", "warn", found, mend)


def problem(folder: Path, thorough: bool) -> str:
    """What is wrong with a folder of weights; empty if nothing is."""
    if not folder.is_dir():
        return "there is no such folder"
    if not any((folder / name).is_file() for name in ("config.json", "modules.json")):
        return "it has no config.json"
    kind = "safetensors" if any(folder.rglob("*.safetensors")) or any(folder.glob("*.safetensors.*")) else "bin"
    for index in folder.glob(f"*.{kind}.index.json"):
        for shard in sorted(set(json.loads(index.read_text("utf-8"))["weight_map"].values())):
            if not (folder / shard).is_file():
                return f"{shard} is missing"
    files = sorted(folder.rglob(f"*.{kind}"))
    if not files:
        return "it holds no weights"
    for path in files:
        if kind == "safetensors" and not _is_whole(path):
            return f"{path.relative_to(folder)} is not whole"
        if thorough and re.fullmatch("[0-9a-f]{64}", path.resolve().name) and _sha256(path) != path.resolve().name:
            return f"{path.relative_to(folder)} has another checksum than on the hub"  # the cache names files by it
    return _against_manifest(folder, thorough)


def _against_manifest(folder: Path, thorough: bool) -> str:
    if not (folder / MANIFEST).is_file():
        return ""
    for name, expected in json.loads((folder / MANIFEST).read_text("utf-8"))["files"].items():
        path = folder / name
        if not path.is_file():
            return f"{name} is missing"
        if path.stat().st_size != expected["size"]:
            return f"{name} has {path.stat().st_size:,} bytes, not {expected['size']:,}"
        if thorough and _sha256(path) != expected["sha256"]:
            return f"{name} has another checksum than in {MANIFEST}"
    return ""


def _is_whole(path: Path) -> bool:
    """Whether a safetensors file is as long as its header says: half a download is not, nor a Git LFS pointer."""
    with path.open("rb") as file:
        length = int.from_bytes(file.read(8), "little")
        size = path.stat().st_size
        if length > size:
            return False
        header = json.loads(file.read(length))
    ends = [tensor["data_offsets"][1] for name, tensor in header.items() if name != "__metadata__"]
    return size == 8 + length + max(ends, default=0)


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _found(folder: Path, thorough: bool) -> str:
    manifest = folder / MANIFEST
    commit = f", commit {json.loads(manifest.read_text('utf-8'))['commit']}" if manifest.is_file() else ""
    return f"{folder}{commit}: {'checksums agree' if thorough else 'complete'}"


def _names_folder(model: str) -> bool:
    return Path(model).is_absolute() or model.startswith((".", "~")) or Path(model).is_dir()


def _cached(model: str, revision: str) -> Path | None:
    """The model's folder in the hub's cache; None if it is not there. Raises HFValidationError."""
    for name in ("config.json", "modules.json"):
        found = try_to_load_from_cache(model, name, revision=revision)
        if isinstance(found, str):
            return Path(found).parent
    return None


def _to_download() -> bool:
    """Whether files have to come from the hub."""
    settings = get_settings()
    if not settings.model or _names_folder(settings.model):
        return False
    cached = _cached(settings.model, settings.revision)
    return cached is None or problem(cached, False) != ""


CHECKS = [cache_folder, token, weights]
