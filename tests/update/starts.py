"""Releases that projects are updated from."""

from tests.releases import NEWEST, releases


def starts() -> list[str]:
    """Return every release that can be updated; before there is one, the working tree stands for it."""
    return [release for release, commit in releases().items() if commit != "HEAD"] or [NEWEST]
