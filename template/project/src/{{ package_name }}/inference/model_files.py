"""Find the files of the model: a local folder, or the hub's cache at the pinned revision."""

import json
import logging
import re
import sys
from contextlib import suppress
from pathlib import Path

from ..base_settings import ServiceSettings
from ..errors import ModelUnavailableError

# Repositories often hold the same weights in several formats; only these are loaded.
WANTED = ["*.json", "*.txt", "*.model", "*.jinja", "*.safetensors"]
UNWANTED = ["onnx/*", "openvino/*", "coreml/*", "original/*", "*.onnx"]

MANIFEST = "weights.json"
"""File that lists the files of a folder and names their model and commit."""

HUB_TIMEOUT_SECONDS = 10
"""Maximum time for the hub to answer a question about a model."""

_PREFIX = ServiceSettings.model_config["env_prefix"]


def locate(settings: ServiceSettings) -> Path:
    """Return the folder of the model's files; download them if they are missing.

    HF_TOKEN opens private and gated models, HF_HOME moves the cache, HF_HUB_OFFLINE=1 forbids the network.

    Raises:
        ModelUnavailableError: The files are missing and cannot be downloaded.
    """
    if not settings.model:
        raise ModelUnavailableError(f"no model: set {_PREFIX}MODEL to a hub id or to a folder")
    folder = Path(settings.model).expanduser()
    if folder.is_dir():
        if not _holds_model(folder):
            raise ModelUnavailableError(f"{folder} holds no model: it has no config.json")
        return folder
    if folder.is_absolute() or settings.model.startswith((".", "~")):
        raise ModelUnavailableError(f"there is no folder {folder}")
    return _download(settings.model, settings.revision)


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


def _download(model: str, revision: str) -> Path:
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
        if re.fullmatch("[0-9a-f]{40}", revision):  # a commit that is complete in the cache needs no hub
            with suppress(LocalEntryNotFoundError, ModelUnavailableError):
                return _snapshot(model, revision, local_files_only=True)
        try:
            # Ask first: the answer says what is wrong, where a download would retry again and again.
            commit = HfApi().model_info(model, revision=revision, timeout=HUB_TIMEOUT_SECONDS).sha
        except answers:
            raise
        except Exception:  # no network, offline mode, or a hub that is down
            return _snapshot(model, revision, local_files_only=True)
        return _snapshot(model, commit or revision, local_files_only=False)
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


def _snapshot(model: str, revision: str, local_files_only: bool) -> Path:
    from huggingface_hub import snapshot_download
    from huggingface_hub.utils import disable_progress_bars

    if not sys.stderr.isatty():
        disable_progress_bars()

    def fetch(wanted: list[str]) -> Path:
        return Path(
            snapshot_download(
                model,
                revision=revision,
                allow_patterns=wanted,
                ignore_patterns=UNWANTED,
                local_files_only=local_files_only,
            )
        )

    folder = fetch(WANTED)
    if not any(folder.rglob("*.safetensors")):
        folder = fetch([*WANTED, "*.bin"])
    if not _holds_model(folder):
        raise ModelUnavailableError(f"{model} has no config.json: it is not a transformers model")
    if missing := _missing_weights(folder):
        raise ModelUnavailableError(f"{model} lacks {missing}: run the command download with a network")
    return folder


def _missing_weights(folder: Path) -> str:
    """Return the name of a missing file of weights; empty if none is missing."""
    for index in folder.glob("*.safetensors.index.json"):
        for shard in sorted(set(json.loads(index.read_text("utf-8"))["weight_map"].values())):
            if not (folder / shard).is_file():
                return str(shard)
    found = any(folder.rglob("*.safetensors")) or any(folder.rglob("*.bin"))
    return "" if found else "its weights"


def _holds_model(folder: Path) -> bool:
    return (folder / "config.json").is_file() or (folder / "modules.json").is_file()
