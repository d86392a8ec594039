"""The versions of the model."""

from contextlib import suppress

import fsspec

from ..settings import get_settings
from . import Finding


def model(thorough: bool) -> Finding | None:
    """Whether the version that the settings ask for is there."""
    settings = get_settings()
    address, wanted = getattr(settings, "model", None), getattr(settings, "model_version", None)
    if not isinstance(address, str) or not isinstance(wanted, str):  # a model of another kind took its place
        return None
    try:
        files, root = fsspec.core.url_to_fs(address)
        names: list[str] = []
        with suppress(FileNotFoundError):
            names = sorted(each.rstrip("/").rpartition("/")[2] for each in files.ls(root, detail=False))
        names = [name for name in names if files.exists(f"{root}/{name}/manifest.json")]
    except Exception as error:  # every kind of store has errors of its own
        return Finding("model", "fail", f"{address}: {' '.join(str(error).split())}", "mend its address or credentials")
    if wanted in names or (wanted == "latest" and names):
        return Finding("model", "ok", f"{address}, {wanted}: {names[-1] if wanted == 'latest' else wanted}")
    return Finding("model", "fail", f"{address} holds no version {wanted}", "make one with the command train")


CHECKS = [model]
