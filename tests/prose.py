"""Plain English in Markdown, by the rules in .vale: `python -m tests.prose FILE…` prints each problem and exits 1.

The rules have Vale's format, so Vale and its editor plugins read them too. Vale itself downloads its program when it
first runs; this module needs no download. It knows the kinds of rule in .vale: existence, substitution, occurrence.
"""

import re
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import yaml
from markdown_it import MarkdownIt
from markdown_it.token import Token

from tests.program import run

ROOT = Path(__file__).resolve().parent.parent
STYLE = ROOT / ".vale/Slipway"
NOT_OURS = ("template/", "tests/existing/", "tests/schemas/")
CODE = "`code`"
"""Stands for a code span, which no rule reads."""
FRONT_MATTER = re.compile(r"---\n.*?\n---\n", re.DOTALL)
"""YAML before a page, as Spaces of the Hugging Face Hub read it."""


class Passage(NamedTuple):
    """A heading, or a paragraph, list item or cell."""

    line: int
    text: str
    heading: bool


def markdown_files(folder: Path) -> list[Path]:
    """Return the Markdown files of this repository, or of a generated project, without those of other authors."""
    if folder != ROOT:
        files = sorted(folder.rglob("*.md"))
        return [file for file in files if not any(part.startswith(".") for part in file.relative_to(folder).parts)]
    listed = run(["git", "ls-files", "--cached", "--others", "--exclude-standard", "*.md"], cwd=folder).stdout.split()
    return sorted(folder / name for name in set(listed) if not name.startswith(NOT_OURS) and (folder / name).exists())


def problems(files: Iterable[Path]) -> list[str]:
    """Return a line for each problem: where it is, which rule it breaks, and what to do."""
    rules = [(file.stem, yaml.safe_load(file.read_text("utf-8"))) for file in sorted(STYLE.glob("*.yml"))]
    found: list[str] = []
    for file in files:
        for passage in passages(file.read_text("utf-8")):
            for name, rule in rules:
                found += [f"{file}:{passage.line}: {name}: {message}" for message in broken(rule, passage)]
    return found


def passages(markdown: str) -> Iterator[Passage]:
    """Yield the prose of a page; code and front matter are left out."""
    line, heading = 1, False
    front = FRONT_MATTER.match(markdown)
    blank = "\n" * front[0].count("\n") if front else ""  # lines keep their numbers
    text = blank + markdown[front.end() if front else 0 :]
    for token in MarkdownIt().enable("table").parse(text):
        if token.map:
            line = token.map[0] + 1
        if token.type == "inline":
            yield Passage(line, "".join(map(_text, token.children or [])), heading)
        heading = token.type == "heading_open"


def broken(rule: dict[str, Any], passage: Passage) -> Iterator[str]:
    """Yield the message of a rule for each place where the passage breaks it."""
    scope = rule.get("scope", "text")
    if scope == "heading" and not passage.heading:
        return
    flags = re.IGNORECASE if rule.get("ignorecase") else 0
    for text in re.split(r"(?<=[.!?])\s+", passage.text) if scope == "sentence" else [passage.text]:
        match rule["extends"]:
            case "existence":
                for match in re.finditer("".join(rule["raw"]), text, flags):
                    yield rule["message"].replace("%s", match[0])
            case "substitution":
                for pattern, replacement in rule["swap"].items():
                    for match in re.finditer(rf"\b(?:{pattern})\b", text, flags):
                        yield rule["message"].replace("%s", replacement, 1).replace("%s", match[0], 1)
            case "occurrence":
                if len(re.findall(rule["token"], text, flags)) > rule["max"]:
                    yield rule["message"]
            case kind:
                raise ValueError(f"{kind} is a kind of rule that tests/prose.py does not know")


def _text(token: Token) -> str:
    match token.type:
        case "text":
            return token.content
        case "code_inline":
            return CODE
        case "softbreak" | "hardbreak":
            return " "
    return ""


def main() -> None:
    """Check the files that are named, or all of this repository's."""
    found = problems(map(Path, sys.argv[1:]) if sys.argv[1:] else markdown_files(ROOT))
    print(*found, sep="\n", end="\n" if found else "")
    sys.exit(bool(found))


if __name__ == "__main__":
    main()
