"""Checks of the environment."""

import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from ..base_settings import ServiceSettings


def doctor(
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    thorough: Annotated[bool, typer.Option("--thorough", help="Verify checksums of large files.")] = False,
) -> None:
    """Check whether the project can run here, without using the network. The exit code is 1 if it cannot."""
    from rich.console import Console
    from rich.table import Column, Table
    from rich.text import Text

    from ..doctor import Context, examine

    findings = examine(Context(thorough, _load_settings))
    if as_json:
        typer.echo(json.dumps([asdict(finding) for finding in findings], indent=2))
    else:
        table = Table("Check", "State", Column("Found", overflow="fold"), "How to fix it")
        colours = {"ok": "green", "warn": "yellow", "fail": "bold red"}
        for each in findings:
            table.add_row(each.check, Text(each.state, colours[each.state]), Text(each.found), each.fix)
        Console().print(table)
    if any(finding.state == "fail" for finding in findings):
        raise typer.Exit(1)


def _load_settings() -> "ServiceSettings":
    from ..components import get_settings

    return get_settings()
