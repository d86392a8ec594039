"""Where the model's files are: a local folder, or the hub's cache filled at the pinned revision."""

import json
import logging
import re
import sys
from contextlib import suppress
from pathlib import Path

from .predictor import ModelUnavailable
from .settings import Settings

# A repository often carries the same weights in several formats; these are all that is loaded.
WANTED = ["*.json", "*.txt", "*.model", "*.jinja", "*.safetensors"]
UNWANTED = ["onnx/*", "openvino/*", "coreml/*", "original/*", "*.onnx"]

MANIFEST = "weights.json"
"""Lists the files of a folder, and says of which model and commit they are."""

SECONDS_TO_ANSWER = 10
"""How long the hub may take to say what it has."""

_PREFIX = Settings.model_config["env_prefix"]


def locate(settings: Settings) -> Path:
    """Folder that holds the model's files, downloaded first if need be.

    HF_TOKEN opens private and gated models, HF_HOME moves the cache, HF_HUB_OFFLINE=1 forbids the network.
    Raises ModelUnavailable.
    """
    if not settings.model:
        raise ModelUnavailable(f"no model: set {_PREFIX}MODEL to a hub id or to a folder")
    folder = Path(settings.model).expanduser()
    if folder.is_dir():
        if not _holds_model(folder):
            raise ModelUnavailable(f"{folder} holds no model: it has no config.json")
        return folder
    if folder.is_absolute() or settings.model.startswith((".", "~")):
        raise ModelUnavailable(f"there is no folder {folder}")
    return _download(settings.model, settings.revision)


def identify(settings: Settings) -> tuple[str, str | None]:
    """Name and revision of the settings' model, as on the hub; of a folder, what its weights.json says, if it has one.

    Images hold such a manifest. Without one the name is the folder's, and the revision None.
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

    logging.getLogger("huggingface_hub").handlers.clear()  # the process decides how it logs
    answers = (RepositoryNotFoundError, RevisionNotFoundError, HFValidationError)
    try:
        if re.fullmatch("[0-9a-f]{40}", revision):  # a commit that is there in full needs no hub
            with suppress(LocalEntryNotFoundError, ModelUnavailable):
                return _snapshot(model, revision, local_files_only=True)
        try:
            # One question first: its answer tells what is wrong, where a download would try again and again.
            commit = HfApi().model_info(model, revision=revision, timeout=SECONDS_TO_ANSWER).sha
        except answers:
            raise
        except Exception:  # no network, none wanted, or a hub in trouble
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
    except ModelUnavailable:
        raise
    except Exception as error:  # a download fails in more ways than its library has names for
        reason = f"could not be downloaded: {(str(error) or type(error).__name__).splitlines()[0]}"
    raise ModelUnavailable(f"{model} {reason}")


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
        raise ModelUnavailable(f"{model} has no config.json: it is not a transformers model")
    if missing := _missing_weights(folder):
        raise ModelUnavailable(f"{model} lacks {missing}: run the command download with a network")
    return folder


def _missing_weights(folder: Path) -> str:
    """Name of a file of weights that should be in the folder and is not; empty if all are there."""
    for index in folder.glob("*.safetensors.index.json"):
        for shard in sorted(set(json.loads(index.read_text("utf-8"))["weight_map"].values())):
            if not (folder / shard).is_file():
                return str(shard)
    found = any(folder.rglob("*.safetensors")) or any(folder.rglob("*.bin"))
    return "" if found else "its weights"


def _holds_model(folder: Path) -> bool:
    return (folder / "config.json").is_file() or (folder / "modules.json").is_file()
