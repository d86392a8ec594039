"""The proposal as a table for people."""

import shutil
import textwrap
from collections.abc import Iterable

import yaml

from adopt.findings import Finding, Notice

HEADINGS = ["answer", "value", "from", "sure?"]
MIN_VALUE_WIDTH = 30


def shown(value: object) -> str:
    """Return a value on one line, as YAML, without control characters."""
    if value in ("", [], {}):
        return "none"
    text = (
        value
        if isinstance(value, str)
        else yaml.safe_dump(value, default_flow_style=True, width=10**6, sort_keys=False)
    )
    return "".join(each if each.isprintable() else "?" for each in text.strip().removesuffix("...").strip())


def table(findings: Iterable[Finding]) -> str:
    """Return the answers with their values, places and how sure they are."""
    cells = [
        (each.answer, shown(each.value), shown(str(each.source or "")).replace("none", "-"), str(each.sureness))
        for each in findings
    ]
    first, last = max([len(HEADINGS[0]), *(len(row[0]) for row in cells)]), max([4, *(len(row[2]) for row in cells)])
    width = max(MIN_VALUE_WIDTH, shutil.get_terminal_size((120, 24)).columns - first - last - 14)
    lines = [_line(HEADINGS, first, width, last)]
    for answer, value, source, sureness in cells:
        parts = textwrap.wrap(value, width, break_on_hyphens=False) or [""]
        lines.append(_line([answer, parts[0], source, sureness], first, width, last))
        lines += [_line(["", part, "", ""], first, width, last) for part in parts[1:]]
    return "\n".join(lines)


def _line(cells: list[str], first: int, width: int, last: int) -> str:
    return f"{cells[0]:{first}}  {cells[1]:{width}}  {cells[2]:{last}}  {cells[3]}".rstrip()


def warnings(notices: list[Notice]) -> str:
    """Return the warnings, one a paragraph."""
    return "\n".join(f"warning: {shown(str(notice))}" for notice in notices)
