"""The documentation builds, its links lead somewhere, and its records have one form."""

import re
import shutil
from pathlib import Path

import pytest
from markdown_it import MarkdownIt

from tests.program import run
from tests.prose import markdown_files
from tests.reference import DOCS, ROOT
from tests.releases import git

STATUS = r"Accepted(; supersedes \[decision \d+\]\(\S+\))?|Superseded by \[decision \d+\]\(\S+\)"
ADDRESS = "/".join(["OWNER", "REPOSITORY"])
"""Stands for the address of this repository, once."""
RECORDS = sorted((DOCS / "decisions").glob("0*.md"))


@pytest.fixture
def site(tmp_path: Path) -> Path:
    """Return a copy of what the site is built from."""
    shutil.copytree(DOCS, tmp_path / "docs")
    for name in ("README.md", "zensical.toml"):
        shutil.copy(ROOT / name, tmp_path)
    return tmp_path


def test_site_builds_strictly(site: Path) -> None:
    done = run(["zensical", "build", "--strict"], cwd=site)
    assert done.returncode == 0, done.stdout + done.stderr
    assert ADDRESS in re.sub(r"<[^>]+>", "", (site / "site/tutorial/index.html").read_text())


@pytest.mark.parametrize("target", ["nowhere.md", "tutorial.md#nowhere"])
def test_broken_link_fails_the_build(target: str, site: Path) -> None:
    page = site / "docs/index.md"
    page.write_text(f"{page.read_text()}\n[Broken]({target})\n")
    assert run(["zensical", "build", "--strict"], cwd=site).returncode != 0


@pytest.mark.parametrize("file", markdown_files(ROOT), ids=lambda file: str(file.relative_to(ROOT)))
def test_relative_links_lead_to_files(file: Path) -> None:
    tokens = [child for token in MarkdownIt().parse(file.read_text()) for child in token.children or []]
    targets = [str(token.attrs["href"]) for token in tokens if token.type == "link_open"]
    local = [target.partition("#")[0] for target in targets if not re.match(r"[a-z]+:", target)]
    assert [target for target in local if not (file.parent / target).exists()] == []


def test_repository_address_stands_in_one_place() -> None:
    holders = git(ROOT, "grep", "--files-with-matches", "--untracked", ADDRESS).split()
    assert holders == ["README.md"]
    assert (ROOT / "README.md").read_text().count(ADDRESS) == 1


@pytest.mark.parametrize("file", RECORDS, ids=lambda file: file.stem)
def test_decision_has_date_status_and_sections(file: Path) -> None:
    text = file.read_text()
    number = int(file.name[:4])
    assert re.match(rf"# {number}\. \S.+\n\n- Date: \d{{4}}-\d\d-\d\d\n- Status: ({STATUS})\n\n## Context\n", text)
    assert re.findall(r"^## (.+)$", text, re.MULTILINE) == ["Context", "Decision", "Consequences"]


def test_decisions_are_numbered_without_gaps() -> None:
    assert [int(file.name[:4]) for file in RECORDS] == list(range(1, len(RECORDS) + 1))


def test_every_page_is_in_the_navigation() -> None:
    navigation = (ROOT / "zensical.toml").read_text()
    pages = {str(file.relative_to(DOCS)) for file in DOCS.rglob("*.md")} - {
        str(file.relative_to(DOCS)) for file in RECORDS
    }
    assert {page for page in pages if f'"{page}"' not in navigation} == set()
