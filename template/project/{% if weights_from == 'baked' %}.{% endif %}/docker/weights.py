"""Fetches a model from the Hugging Face Hub into a folder, every file checked: `weights.py MODEL REVISION FOLDER`.

The folder gets a manifest, weights.json: model, revision as asked, commit, and of each file its size in bytes and its
SHA-256. It appears whole or not at all. HF_TOKEN_PATH names the file of a token, HF_ENDPOINT another hub.
"""

import hashlib
import json
import shutil
import sys
from pathlib import Path

from huggingface_hub import HfApi, RepoFile, snapshot_download
from huggingface_hub.errors import GatedRepoError, RepositoryNotFoundError, RevisionNotFoundError
from huggingface_hub.utils import filter_repo_objects

# A repository often carries the same weights in several formats; these are all that is loaded.
WANTED = ["*.json", "*.txt", "*.model", "*.jinja", "*.safetensors"]
UNWANTED = ["onnx/*", "openvino/*", "coreml/*", "original/*", "*.onnx"]


def fetch(model: str, revision: str, folder: Path) -> int:
    """Fills the folder; returns how many bytes. Raises OSError, and what huggingface_hub raises."""
    hub = HfApi()
    commit = hub.model_info(model, revision=revision).sha or revision
    listed = [each for each in hub.list_repo_tree(model, revision=commit, recursive=True) if isinstance(each, RepoFile)]
    wanted = WANTED if any(each.path.endswith(".safetensors") for each in listed) else [*WANTED, "*.bin"]
    patterns = {"allow_patterns": wanted, "ignore_patterns": UNWANTED}
    files = list(filter_repo_objects(listed, key=lambda each: each.path, **patterns))
    cached = Path(snapshot_download(model, revision=commit, allow_patterns=[each.path for each in files]))
    partial = folder.with_name(f"{folder.name}.part")
    shutil.rmtree(partial, ignore_errors=True)
    manifest = {each.path: copy(cached / each.path, partial / each.path, each) for each in files}
    content = {"model": model, "revision": revision, "commit": commit, "files": manifest}
    (partial / "weights.json").write_text(json.dumps(content, indent=2, sort_keys=True) + "\n", "utf-8")
    partial.rename(folder)
    return sum(each.size for each in files)


def copy(source: Path, target: Path, listed: RepoFile) -> dict[str, str | int]:
    """Copies a file and returns its entry in the manifest. Raises OSError if it is not what the hub lists."""
    target.parent.mkdir(parents=True, exist_ok=True)
    sha256 = hashlib.sha256()
    blob = hashlib.sha1(b"blob %d\0" % listed.size, usedforsecurity=False)  # how Git names a file
    with source.open("rb") as reader, target.open("xb") as writer:
        while chunk := reader.read(2**20):
            sha256.update(chunk)
            blob.update(chunk)
            writer.write(chunk)
    expected, found = (listed.lfs.sha256, sha256) if listed.lfs else (listed.blob_id, blob)
    if found.hexdigest() != expected:
        raise OSError(f"{listed.path} is not the file that the hub lists: its hash is {found.hexdigest()}")
    return {"size": target.stat().st_size, "sha256": sha256.hexdigest()}


def main() -> None:
    """Fetches, and says what went wrong in one line."""
    model, revision, folder = sys.argv[1:]
    try:
        size = fetch(model, revision, Path(folder))
    except GatedRepoError:
        sys.exit(f"weights: {model} is gated: accept its terms on the hub and build with --secret id=HF_TOKEN")
    except RevisionNotFoundError:
        sys.exit(f"weights: {model} has no revision {revision}: give a commit, tag or branch of it")
    except RepositoryNotFoundError:
        reason = "is not on the hub, or is private: check its name, or build with --secret id=HF_TOKEN"
        sys.exit(f"weights: {model} {reason}")
    except Exception as error:  # a download fails in more ways than its library has names for
        sys.exit(f"weights: {model} could not be fetched: {(str(error) or type(error).__name__).splitlines()[0]}")
    print(f"weights: {model} at {revision}, {size:,} bytes, every file as the hub lists it")


if __name__ == "__main__":
    main()
