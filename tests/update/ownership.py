"""Whose file it is, by copier.yml."""

from functools import cache
from pathlib import Path

from pathspec import GitIgnoreSpec

from tests.template.questions import documents


@cache
def _patterns() -> GitIgnoreSpec:
    return GitIgnoreSpec.from_lines(documents()[0]["_skip_if_exists"])


def is_owners(name: str | Path) -> bool:
    """Whether updates leave the file alone."""
    return _patterns().match_file(str(name))
