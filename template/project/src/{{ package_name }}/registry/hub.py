"""Push a version of the model to the Hugging Face Hub: one commit, and a tag with the name of the version.

Beside the files of the version, a repository holds a model card and LISTING, the SHA-256 of each file in the format of
sha256sum. The next push replaces or deletes what is listed there, and nothing else: of the card only its own part.
"""

import hashlib
import os
import re
import sys
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

from huggingface_hub import (
    CommitOperationAdd,
    CommitOperationDelete,
    HfApi,
    ModelCard,
    ModelCardData,
    RepoFile,
    get_token,
)
from huggingface_hub.errors import HfHubHTTPError, HFValidationError
from huggingface_hub.utils import disable_progress_bars
from yaml import YAMLError

from .. import DISTRIBUTION
from ..errors import InvalidInputError, ModelUnavailableError
from ..inference.file_selection import WEIGHTS
from ..inference.model_files import folder_selection
from ..secret_files import read_secret
from .store import Version

CARD = "README.md"

BEGIN, END = f"<!-- {DISTRIBUTION} writes this part, from here -->", "<!-- to here; pushes keep all other lines -->"
"""Lines of the card around the part that each push replaces."""

DERIVED = ("base_model", "datasets", "library_name", "model-index", "pipeline_tag")
"""Metadata of the card that belongs to the version; the next push drops what it does not have."""

LISTING = f"{DISTRIBUTION}.sha256"

SAFE = (".safetensors", ".safetensors.index.json")
"""Ends of the names of weights that run no code when they are loaded."""

MAX_READ_BYTES = 1_000_000
"""Maximum size of a file that is read from the hub: the card and the listing."""

REPOSITORY = re.compile(r"[\w-][\w.-]*/[\w-][\w.-]*", re.ASCII)

LISTED = re.compile(r"([0-9a-f]{64})  (\S.*)")


class PushError(OSError):
    """The hub cannot be reached or refuses, or its repository holds what a push must not replace."""


class Upload(NamedTuple):
    """A version as the hub is to hold it."""

    version: Version
    files: Mapping[str, Path]
    """Path in the version and in the repository -> the file."""
    card: ModelCard


def model_files(folder: Path, version: Version) -> dict[str, Path]:
    """Return the files of a version that its loader reads, by their paths in a repository.

    Raises:
        ModelUnavailableError: The version lacks files of a model of transformers, or its weights are not safetensors.
    """
    selection = folder_selection(folder, version.files)
    if selection.problem:
        raise ModelUnavailableError(f"{version.name} {selection.problem}")
    for name in selection.weights:
        if not name.endswith(SAFE):
            raise ModelUnavailableError(f"{version.name} has its weights in {name}, a pickle: save them as safetensors")
    return {name: folder / name for name in selection.files}


def check_name(repository: str) -> None:
    """Raise InvalidInputError for what cannot be the name of a repository."""
    if not REPOSITORY.fullmatch(repository):
        raise InvalidInputError(f"{repository!r} is not the name of a repository: write OWNER/NAME")


def connect() -> HfApi:
    """Return a client of the hub with the token in the file HF_TOKEN_FILE, in HF_TOKEN, or of `hf auth login`.

    Raises:
        PushError: There is no token.
    """
    if not sys.stderr.isatty():
        disable_progress_bars()
    path = os.environ.get("HF_TOKEN_FILE")
    try:
        token = read_secret(Path(path)) if path else get_token()
    except ValueError as error:
        raise PushError(f"HF_TOKEN_FILE: {error}") from error
    if not token:
        raise PushError("there is no token that may write to the hub: set HF_TOKEN, or run `hf auth login`")
    return HfApi(token=token)


def push(api: HfApi, repository: str, upload: Upload, public: bool = False) -> str:
    """Push a version, unless the repository has a tag of its name, and return the address of the tag.

    A push that is interrupted changes no file of the repository; the next one goes on.

    Args:
        api: Client with a token that may write.
        repository: OWNER/NAME; created if it does not exist.
        upload: The files.
        public: Whether everybody may read a repository that is created.

    Raises:
        PushError: The hub cannot be reached or refuses, or the repository holds files that this project did not push.
    """
    tag = upload.version.name
    with _explained(repository):
        api.create_repo(repository, private=not public, exist_ok=True)
        if all(each.name != tag for each in api.list_repo_refs(repository).tags):
            api.create_tag(repository, tag=tag, revision=_commit(api, repository, upload), exist_ok=True)
    return f"{api.endpoint}/{repository}/tree/{tag}"


def _commit(api: HfApi, repository: str, upload: Upload) -> str:
    """Commit what differs and return the id of the commit: that of the newest one if nothing does."""
    head = api.model_info(repository).sha or "main"
    entries = api.list_repo_tree(repository, recursive=True, revision=head)
    held = {each.path: each.size for each in entries if isinstance(each, RepoFile)}
    texts = _read(api, repository, head, held)
    listed = _parse(texts.get(LISTING, ""))
    pushed = {*listed, LISTING} if listed else set()
    wanted = {*upload.files, CARD, LISTING}
    foreign = [path for path in held if path not in pushed and (path in wanted or PurePosixPath(path).name in WEIGHTS)]
    if foreign:
        raise PushError(
            f"{repository} holds files that {DISTRIBUTION} did not push: {', '.join(sorted(foreign)[:5])}; "
            "delete them there, or push to another repository"
        )
    card = _merge(repository, texts.get(CARD), upload.card)
    listing = _listing(upload, card)
    if (texts.get(LISTING), texts.get(CARD)) == (listing, card):
        return head
    additions = {**upload.files, CARD: card.encode(), LISTING: listing.encode()}
    stale = sorted((pushed & held.keys()) - wanted)
    changes = [
        *(CommitOperationAdd(path, content) for path, content in additions.items()),
        *(CommitOperationDelete(path, is_folder=False) for path in stale),
    ]
    message = f"Publish version {upload.version.name}"
    return api.create_commit(repository, changes, commit_message=message, parent_commit=head).oid


def _read(api: HfApi, repository: str, revision: str, held: Mapping[str, int]) -> dict[str, str]:
    """Return the card and the listing of a repository, as far as it has them."""
    found = {}
    with TemporaryDirectory() as folder:
        for name in (CARD, LISTING):
            if held.get(name, MAX_READ_BYTES) < MAX_READ_BYTES:
                path = api.hf_hub_download(repository, name, revision=revision, local_dir=folder)
                found[name] = Path(path).read_bytes().decode("utf-8", "replace")
    return found


def _parse(listing: str) -> dict[str, str]:
    """Return the SHA-256 of each file in a listing; nothing if it is none."""
    matches = [LISTED.fullmatch(line) for line in listing.splitlines()]
    return {match[2]: match[1] for match in matches if match} if all(matches) else {}


def _listing(upload: Upload, card: str) -> str:
    hashes = {name: upload.version.files[name].sha256 for name in upload.files}
    hashes[CARD] = hashlib.sha256(card.encode()).hexdigest()
    return "".join(f"{sha256}  {name}\n" for name, sha256 in sorted(hashes.items()))


def _merge(repository: str, existing: str | None, card: ModelCard) -> str:
    """Return the card to push: a new one, or the existing one with its part replaced."""
    part = f"{BEGIN}\n{card.text.strip()}\n{END}"
    metadata = card.data.to_dict()
    if existing is None:
        return _card(metadata, f"\n{part}\n")
    try:
        found = ModelCard(existing)
        kept = {name: value for name, value in found.data.to_dict().items() if name not in DERIVED}
        tags = [*kept.get("tags", []), *metadata.get("tags", [])]
        before, begin, rest = found.text.partition(BEGIN)
        _, end, after = rest.partition(END)
        text = f"{before}{part}{after}" if begin and end else found.text
        return _card({**kept, **metadata, "tags": tags}, text)
    except (ValueError, TypeError, YAMLError) as error:
        raise PushError(f"{CARD} of {repository} has no valid metadata: correct or delete it on the hub") from error


def _card(metadata: Mapping[str, Any], text: str) -> str:
    return f"---\n{ModelCardData(**metadata).to_yaml()}\n---\n{text}"


@contextmanager
def _explained(repository: str) -> Generator[None]:
    """Raise a PushError of one line for what the client raises."""
    try:
        yield
    except PushError:
        raise
    except HFValidationError as error:
        raise PushError(f"{repository!r} is no name of a repository on the hub") from error
    except Exception as error:  # the client, its uploads and its connections raise errors of their own
        cause = error if isinstance(error, HfHubHTTPError) else error.__cause__
        if isinstance(cause, HfHubHTTPError):
            raise PushError(_refusal(cause, repository)) from error
        reason = " ".join(str(error).split())[:300] or type(error).__name__
        raise PushError(f"cannot push to {repository}: {reason}") from error


def _refusal(error: HfHubHTTPError, repository: str) -> str:
    """Return why the hub refused."""
    status = error.response.status_code
    if status == 401:
        return "the hub does not know this token: make one at https://huggingface.co/settings/tokens"
    if status == 403:
        return f"the token may not write to {repository}: give it the right to write, or name another repository"
    if status == 404:
        return f"there is no {repository} on the hub that this token may see"
    if status in (409, 412):
        return f"{repository} was changed by somebody else meanwhile: push again"
    reason = " ".join((error.server_message or error.response.reason_phrase).split())[:300]
    return f"the hub answered {status}: {reason}"
