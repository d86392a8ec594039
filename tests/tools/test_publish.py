"""Releases are tagged and published once, with their entry of the changelog."""

from pathlib import Path

import pytest

from tests import publish
from tests.reference import ROOT

CHANGELOG = "# Changelog\n\n## Unreleased\n\n- Next.\n\n## v0.3.0\n\n- Third.\n\n### More\n\n- Of it.\n\n## v0.2.0\n\n"
GH = """#!/bin/sh
if [ "$2" = view ]; then test "$3" = v0.2.0; exit; fi
[ "$3" != v0.9.0 ] || { echo "HTTP 403" >&2; exit 1; }
{ echo "$@"; cat; } >> "$CALLS"
"""


@pytest.fixture
def calls(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the file in which a stand-in for gh, which knows v0.2.0, notes what it is asked to create."""
    program = tmp_path / "gh"
    program.write_text(GH)
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    monkeypatch.setenv("CALLS", str(tmp_path / "calls"))
    (tmp_path / "calls").touch()
    return tmp_path / "calls"


def test_a_new_release_is_created_with_its_entry(calls: Path) -> None:
    publish.publish("v0.3.0", "c0ffee", CHANGELOG)
    assert calls.read_text() == (
        "release create v0.3.0 --target=c0ffee --title=v0.3.0 --notes-file=-\n- Third.\n\n### More\n\n- Of it.\n"
    )


def test_a_published_release_is_left_alone(calls: Path) -> None:
    publish.publish("v0.2.0", "c0ffee", CHANGELOG)
    assert calls.read_text() == ""


@pytest.mark.parametrize("version", ["v0.4.0", "v0.2", "v0.2.0"])
def test_a_release_without_an_entry_is_an_error(version: str) -> None:
    with pytest.raises(LookupError, match=f"no entry {version}"):
        publish.entry(CHANGELOG, version)


def test_a_refusal_of_github_is_told(calls: Path) -> None:
    with pytest.raises(RuntimeError, match=r"v0\.9\.0 was not published: HTTP 403"):
        publish.publish("v0.9.0", "c0ffee", "## v0.9.0\n\n- Last.\n")


def test_every_release_has_an_entry() -> None:
    changelog = (ROOT / "CHANGELOG.md").read_text()
    for version in publish.listed():
        assert publish.entry(changelog, version)
