"""Find the files of the model: a local folder, or the hub's cache at the pinned revision."""

import glob
import json
import logging
import re
import sys
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import Any

from ..base_settings import ServiceSettings
from ..errors import ModelUnavailableError
from .file_selection import Selection, select_files

MANIFEST = "weights.json"
"""File that lists the files of a folder and names their model and commit."""

HUB_TIMEOUT_SECONDS = 10
"""Maximum time for the hub to answer a question about a model."""

MAX_DEPTH = 3
"""Levels of folders in which files of a model are looked for."""

LFS_POINTER = b"version https://git-lfs"
"""Beginning of a file that Git LFS has not fetched."""

_PREFIX = ServiceSettings.model_config["env_prefix"]


def locate(settings: ServiceSettings, ask_hub: bool = False) -> Path:
    """Return the folder of the model's files; download them if they are missing.

    HF_TOKEN opens private and gated models, HF_HOME moves the cache, HF_HUB_OFFLINE=1 forbids the network.

    Args:
        settings: Name the model and its revision.
        ask_hub: Ask the hub for its list of files even if the cache seems to have them all.

    Raises:
        ModelUnavailableError: The files are missing and cannot be downloaded.
    """
    if not settings.model:
        raise ModelUnavailableError(f"no model: set {_PREFIX}MODEL to a hub id or to a folder")
    folder = Path(settings.model).expanduser()
    if folder.is_dir():
        if problem := folder_selection(folder).problem:
            raise ModelUnavailableError(f"{folder} {problem}")
        return folder
    if folder.is_absolute() or settings.model.startswith((".", "~")):
        raise ModelUnavailableError(f"there is no folder {folder}")
    return _download(settings.model, settings.revision, ask_hub)


def identify(settings: ServiceSettings) -> tuple[str, str | None]:
    """Return name and revision of the settings' model.

    For a folder they come from its manifest, which images have; without one, the name is the folder's and the revision
    None.
    """
    folder = Path(settings.model).expanduser()
    if not folder.is_dir():
        return settings.model, settings.revision
    manifest = folder / MANIFEST
    known = json.loads(manifest.read_text("utf-8")) if manifest.is_file() else {}
    return known.get("model", settings.model), known.get("commit")


def folder_selection(folder: Path, held: Iterable[str] | None = None) -> Selection:
    """Return the files of a folder that the loader reads. One that Git LFS has not fetched is a problem.

    Args:
        folder: The folder.
        held: Paths of the files to choose from, relative to the folder; by default of all.
    """

    def read(name: str) -> Any:
        return json.loads((folder / name).read_text("utf-8"))

    if held is None:
        found = (path for depth in range(1, MAX_DEPTH + 1) for path in folder.glob("/".join("*" * depth)))
        held = (path.relative_to(folder).as_posix() for path in found if path.is_file())
    selection = select_files(held, read)
    for name in selection.files:
        with (folder / name).open("rb") as file:
            if file.read(len(LFS_POINTER)) == LFS_POINTER:
                return selection._replace(problem=f"lacks the content of {name}: run git lfs pull in it")
    return selection


def read_json(path: Path, default: Any) -> Any:
    """Return the content of a JSON file, or the default if there is none.

    Raises:
        ModelUnavailableError: The file is not JSON.
    """
    try:
        return json.loads(path.read_text("utf-8")) if path.is_file() else default
    except ValueError as error:
        raise ModelUnavailableError(f"{path} is not JSON: {error}") from None


def _download(model: str, revision: str, ask_hub: bool) -> Path:
    from huggingface_hub import HfApi
    from huggingface_hub.errors import (
        GatedRepoError,
        HFValidationError,
        LocalEntryNotFoundError,
        RepositoryNotFoundError,
        RevisionNotFoundError,
    )

    logging.getLogger("huggingface_hub").handlers.clear()  # the process configures logging
    answers = (RepositoryNotFoundError, RevisionNotFoundError, HFValidationError)
    try:
        if re.fullmatch("[0-9a-f]{40}", revision) and not ask_hub:  # what is complete in the cache needs no hub
            with suppress(LocalEntryNotFoundError, ModelUnavailableError):
                return _cached(model, revision)
        try:
            # Ask first: the answer says what is wrong, where a download would retry again and again.
            info = HfApi().model_info(model, revision=revision, timeout=HUB_TIMEOUT_SECONDS)
        except answers:
            raise
        except Exception:  # no network, offline mode, or a hub that is down
            return _cached(model, revision)
        return _fetch(model, info.sha or revision, [each.rfilename for each in info.siblings or []])
    except GatedRepoError:
        reason = "is gated: accept its terms on the hub, then set HF_TOKEN to a token that may read it"
    except RevisionNotFoundError:
        reason = f"has no revision {revision}: set {_PREFIX}REVISION to a commit, tag or branch of it"
    except RepositoryNotFoundError:
        reason = "is not on the hub, or is private: check the name, and set HF_TOKEN if it needs one"
    except HFValidationError:
        reason = "is neither a folder nor a model id: write name or org/name"
    except LocalEntryNotFoundError:
        reason = "is not in the cache and the hub cannot be reached: run the command download with a network"
    except ModelUnavailableError:
        raise
    except Exception as error:  # downloads raise many kinds of exceptions
        reason = f"could not be downloaded: {(str(error) or type(error).__name__).splitlines()[0]}"
    raise ModelUnavailableError(f"{model} {reason}")


def _cached(model: str, revision: str) -> Path:
    from huggingface_hub import snapshot_download

    # No pattern: which files are enough, only the selection knows.
    folder = Path(snapshot_download(model, revision=revision, allow_patterns=[], local_files_only=True))
    if problem := folder_selection(folder).problem:
        raise ModelUnavailableError(f"{model} {problem}; the cache may lack it: run the command download")
    return folder


def _fetch(model: str, commit: str, held: list[str]) -> Path:
    from huggingface_hub import hf_hub_download, snapshot_download
    from huggingface_hub.utils import disable_progress_bars

    if not sys.stderr.isatty():
        disable_progress_bars()

    def read(name: str) -> Any:
        return json.loads(Path(hf_hub_download(model, name, revision=commit)).read_text("utf-8"))

    selection = select_files(held, read)
    if selection.problem:
        raise ModelUnavailableError(f"{model} {selection.problem}")
    folder = ""
    for names in (selection.texts, selection.weights):  # the weights last: a cache that has them has the others, too
        patterns = [glob.escape(name) for name in names]
        folder = snapshot_download(model, revision=commit, allow_patterns=patterns)
    return Path(folder)
