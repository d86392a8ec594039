"""The rules of plain English find what they are for, and leave good text alone."""

from pathlib import Path

import pytest

from tests.prose import ROOT, STYLE, broken, markdown_files, passages, problems

BAD = [
    "It makes a lone one wait for nobody.",
    "Redis tells of them, and PostgreSQL knows of each.",
    "What does not go together is refused with a sentence that says what does.",
    "Say that a bucket is well when it can give what it holds.",
    "# Who does them",
    "---\nsdk: docker\n---\n\n# Who does them",
    "# The job there is",
    "# What can be seen",
    "# Over HTTP",
    "# Every day",
    "Who asks again with the same key gets the job that is there already.",
    "The worker is fast. Who asks twice waits.",
    "What it stands on is reached by nobody else.",
    "The address leads on and on.",
    "The database has not the tables of this release.",
    "# " + "word " * 13,
    "| Setting | Meaning |\n| --- | --- |\n| a | What is not known is a lone file. |",
]
GOOD = [
    "The API never delays a single request.",
    "Redis is the broker; PostgreSQL holds job state.",
    "Invalid combinations fail with one line that lists the valid ones.",
    "# Workers",
    "# HTTP API",
    "# What is a worker?",
    "Who may read it? Everybody. What is stored? Nothing.",
    "People who ask again with the same key get the existing job.",
    "Install it again.",
    "Set `lone` and `anew`.",
    "```sh\nWho asks\n```",
    "---\ntitle: a lone " + "word " * 13 + "\nsdk: docker\n---\n\n# Title",
    "    What is code is no prose.",
    "alone, cologne, recommended, amended",
]


def messages(markdown: str, folder: Path) -> list[str]:
    file = folder / "page.md"
    file.write_text(markdown)
    return problems([file])


@pytest.mark.parametrize("markdown", BAD)
def test_bad_text_is_found(markdown: str, tmp_path: Path) -> None:
    assert messages(markdown, tmp_path)


@pytest.mark.parametrize("markdown", GOOD)
def test_good_text_passes(markdown: str, tmp_path: Path) -> None:
    assert messages(markdown, tmp_path) == []


def test_message_names_the_place_and_the_word(tmp_path: Path) -> None:
    [message] = messages("Fine.\n\nIt starts\nanew.\n", tmp_path)
    assert message == f'{tmp_path / "page.md"}:3: Terms: Use "again" instead of "anew".'


def test_unknown_kind_of_rule_is_an_error() -> None:
    with pytest.raises(ValueError, match="capitalization"):
        list(broken({"extends": "capitalization"}, next(passages("Text."))))


def test_files_of_a_project_are_found_without_its_environment(tmp_path: Path) -> None:
    for name in ("README.md", "docs/use.md", ".venv/lib/README.md", "docs/use.txt"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    assert markdown_files(tmp_path) == [tmp_path / "README.md", tmp_path / "docs/use.md"]


def test_this_repository_is_in_plain_english() -> None:
    assert len(markdown_files(ROOT)) > 30
    assert problems(markdown_files(ROOT)) == []


def test_vale_reads_the_rules() -> None:
    settings = (ROOT / ".vale.ini").read_text()
    assert f"StylesPath = {STYLE.parent.name}\n" in settings
    assert f"BasedOnStyles = {STYLE.name}\n" in settings
