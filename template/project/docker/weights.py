"""Download a model from the Hugging Face Hub into a folder and verify every file: `weights.py MODEL REVISION FOLDER`.

Writes a manifest, weights.json: model, requested revision, commit, and the size in bytes and SHA-256 of each file.
The folder appears complete or not at all. HF_TOKEN_PATH is the path of a token file; HF_ENDPOINT selects another hub.
"""

import glob
import hashlib
import json
import shutil
import sys
from pathlib import Path
from typing import Any

from file_selection import select_files  # of the project's package, as the Dockerfile mounts it
from huggingface_hub import HfApi, RepoFile, hf_hub_download, snapshot_download
from huggingface_hub.errors import GatedRepoError, RepositoryNotFoundError, RevisionNotFoundError


def download(model: str, revision: str, folder: Path) -> int:
    """Download a model into a folder and return its size in bytes.

    Raises:
        OSError: A file could not be written, or differs from the one on the hub.
        HfHubHTTPError: The hub refused a request.
        ValueError: The repository lacks what the loader reads.
    """
    hub = HfApi()
    commit = hub.model_info(model, revision=revision).sha or revision
    entries = hub.list_repo_tree(model, revision=commit, recursive=True)
    listed = {each.path: each for each in entries if isinstance(each, RepoFile)}

    def read(name: str) -> Any:
        return json.loads(Path(hf_hub_download(model, name, revision=commit)).read_text("utf-8"))

    selection = select_files(listed, read)
    if selection.problem:
        raise ValueError(selection.problem)
    files = [listed[name] for name in selection.files]
    patterns = [glob.escape(name) for name in selection.files]
    cached = Path(snapshot_download(model, revision=commit, allow_patterns=patterns))
    partial = folder.with_name(f"{folder.name}.part")
    shutil.rmtree(partial, ignore_errors=True)
    manifest = {each.path: copy(cached / each.path, partial / each.path, each) for each in files}
    content = {"model": model, "revision": revision, "commit": commit, "files": manifest}
    (partial / "weights.json").write_text(json.dumps(content, indent=2, sort_keys=True) + "\n", "utf-8")
    partial.rename(folder)
    return sum(each.size for each in files)


def copy(source: Path, target: Path, listed: RepoFile) -> dict[str, str | int]:
    """Copy a file and return its manifest entry.

    Raises:
        OSError: The hash differs from the one that the hub lists.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    sha256 = hashlib.sha256()
    blob = hashlib.sha1(b"blob %d\0" % listed.size, usedforsecurity=False)  # Git's blob hash
    with source.open("rb") as reader, target.open("xb") as writer:
        while chunk := reader.read(2**20):
            sha256.update(chunk)
            blob.update(chunk)
            writer.write(chunk)
    expected, found = (listed.lfs.sha256, sha256) if listed.lfs else (listed.blob_id, blob)
    if found.hexdigest() != expected:
        raise OSError(f"{listed.path} is corrupt: its hash is {found.hexdigest()}, the hub lists {expected}")
    return {"size": target.stat().st_size, "sha256": sha256.hexdigest()}


def main() -> None:
    """Download the model; on failure, exit with a one-line error."""
    model, revision, folder = sys.argv[1:]
    try:
        size = download(model, revision, Path(folder))
    except GatedRepoError:
        sys.exit(f"weights: {model} is gated: accept its terms on the hub, and build with --secret id=HF_TOKEN")
    except RevisionNotFoundError:
        sys.exit(f"weights: {model} has no revision {revision}: use a commit, tag or branch of the model")
    except RepositoryNotFoundError:
        reason = "is not on the hub, or is private: check the name, or build with --secret id=HF_TOKEN"
        sys.exit(f"weights: {model} {reason}")
    except ValueError as error:
        sys.exit(f"weights: {model} {error}")
    except Exception as error:  # downloads fail with many kinds of errors, not all of the library's own
        sys.exit(f"weights: {model} could not be downloaded: {(str(error) or type(error).__name__).splitlines()[0]}")
    print(f"weights: downloaded and verified {model} at {revision}, {size:,} bytes")


if __name__ == "__main__":
    main()
