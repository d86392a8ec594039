"""Checks the machine."""

import json
from dataclasses import asdict
from typing import Annotated

import typer


def doctor(
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    thorough: Annotated[bool, typer.Option("--thorough", help="Read large files whole, to compare checksums.")] = False,
) -> None:
    """Check whether the project can run here, without the network; exit code 1 if something would stop it."""
    from rich.console import Console
    from rich.table import Column, Table
    from rich.text import Text

    from ..doctor import examine

    findings = examine(thorough)
    if as_json:
        typer.echo(json.dumps([asdict(finding) for finding in findings], indent=2))
    else:
        table = Table("Check", "State", Column("Found", overflow="fold"), "How to mend it")
        colours = {"ok": "green", "warn": "yellow", "fail": "bold red"}
        for each in findings:
            table.add_row(each.check, Text(each.state, colours[each.state]), Text(each.found), each.mend)
        Console().print(table)
    if any(finding.state == "fail" for finding in findings):
        raise typer.Exit(1)
