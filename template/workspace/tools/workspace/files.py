"""Files that are replaced as a whole, so that an interruption leaves the old or the new one."""

import os
import tempfile
from pathlib import Path

MAX_BYTES = 2**20
"""Longest file that is read; an inventory or a Compose file has some kilobytes."""


def read(path: Path) -> str:
    """Return the text of a file; an empty one if it does not exist. Raises ValueError for a file that is too long."""
    try:
        with path.open("rb") as file:
            content = file.read(MAX_BYTES + 1)
    except FileNotFoundError:
        return ""
    if len(content) > MAX_BYTES:
        raise ValueError(f"{path.name} has more than {MAX_BYTES} bytes")
    return content.decode("utf-8", "replace")


def write(path: Path, text: str) -> None:
    """Write a file, unless it has this text already."""
    if path.exists() and read(path) == text:
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    number, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=".part")
    try:
        with os.fdopen(number, "w", encoding="utf-8") as file:
            file.write(text)
        Path(temporary).chmod(0o644)  # containers read some of these under other UIDs
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
