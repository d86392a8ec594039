"""Measures a running server."""

import json
import os
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import urlsplit

import typer

from ..load import Load, drive

PLOT = ".png"
"""Ending of the plot's name, which is otherwise that of the JSON."""


def bench(
    url: Annotated[str, typer.Argument(help="Route to ask.")] = "http://127.0.0.1:8000/predict",
    concurrency: Annotated[
        list[int] | None, typer.Option("--concurrency", "-c", min=1, max=1024, help="Clients at once.  [1 4 16 64]")
    ] = None,
    rate: Annotated[
        float | None, typer.Option(min=0.01, help="Requests a second, sent whether or not others are answered.")
    ] = None,
    seconds: Annotated[float, typer.Option(min=0.1, max=86_400, help="Time for each number of clients.")] = 10,
    source: Annotated[
        Path | None,
        typer.Option("--input", "-i", exists=True, dir_okay=False, help="Texts to send, one a line.  [mixed lengths]"),
    ] = None,
    parameters: Annotated[
        str, typer.Option("--parameters", "-p", help="Parameters of each request, a JSON object.")
    ] = "{}",
    output: Annotated[
        Path, typer.Option("--output", "-o", dir_okay=False, help="JSON to write; a plot is written beside it.")
    ] = Path("bench.json"),
) -> None:
    """Ask a running server, with more and more clients: throughput, latencies and errors.

    The exit code is 1 if nothing was answered.
    """
    from rich.console import Console

    inputs, given = inputs_from(source, 256), _object(parameters)
    if not _is_route(url):
        raise typer.BadParameter(f"{url} is no address such as http://127.0.0.1:8000/predict")
    if output.suffix == PLOT or not os.access(output.absolute().parent, os.W_OK):
        raise typer.BadParameter(f"{output} cannot be written as JSON")
    said = Console(stderr=True)
    steps: list[Load] = []
    for clients in concurrency or [1, 4, 16, 64]:
        with said.status(f"{clients} at once, for {seconds:g} s ..."):
            steps.append(drive(url, inputs, clients, seconds, rate, given))
        if not steps[-1].answered:
            break  # more clients will not be answered either
    _show(steps)
    if not any(step.answered for step in steps):
        said.print(f"error: nothing was answered: is there a server at {url}?", style=None, highlight=False)
        raise typer.Exit(1)
    temporary = output.with_name(f".{output.name}.{os.getpid()}.part")
    try:
        temporary.write_text(json.dumps({"url": url, "steps": [asdict(step) for step in steps]}, indent=2) + "\n")
        temporary.replace(output)
    finally:
        temporary.unlink(missing_ok=True)
    try:
        _plot(steps, output.with_suffix(PLOT))
    except ImportError:
        said.print("there is no plot: matplotlib is not installed here")


def _is_route(url: str) -> bool:
    try:
        parts = urlsplit(url)
        return parts.scheme in ("http", "https") and bool((parts.hostname or "").encode("idna")) and parts.port != 0
    except ValueError:
        return False


def inputs_from(source: Path | None, count: int) -> list[str]:
    """The lines of a file, or that many inputs of mixed length. Raises BadParameter for an empty file."""
    from ..workload import make_inputs

    if source is None:
        return make_inputs(count)
    lines = [line for line in source.read_text("utf-8").splitlines() if line.strip()]
    if not lines:
        raise typer.BadParameter(f"{source} holds no text")
    return lines


def _object(text: str) -> dict[str, Any]:
    try:
        found = json.loads(text)
    except ValueError as error:
        raise typer.BadParameter(f"parameters are not JSON: {error}") from None
    if not isinstance(found, dict):
        raise typer.BadParameter('parameters are not a JSON object, as {"top_k": 1}')
    return found


def _show(steps: list[Load]) -> None:
    from rich.console import Console
    from rich.table import Column, Table

    numbers = ("Clients", "Answers/s", "p50 ms", "p95 ms", "p99 ms")
    table = Table(*(Column(name, justify="right") for name in numbers), Column("Errors", overflow="fold"))
    for step in steps:
        latencies = ["" if each is None else f"{each:.1f}" for each in (step.p50, step.p95, step.p99)]
        errors = ", ".join(f"{count} x {what}" for what, count in step.errors.items())
        table.add_row(str(step.concurrency), f"{step.throughput:.1f}", *latencies, errors)
    Console().print(table)


def _plot(steps: list[Load], path: Path) -> None:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9, 4), layout="constrained")
    above, beside = figure.subplots(1, 2)
    clients = [step.concurrency for step in steps]
    above.plot(clients, [step.throughput for step in steps], marker="o")
    above.set(xlabel="clients at once", ylabel="answers a second", ylim=(0, None))
    for name in ("p50", "p95", "p99"):
        beside.plot(clients, [getattr(step, name) or float("nan") for step in steps], marker="o", label=name)
    beside.set(xlabel="clients at once", ylabel="milliseconds", ylim=(0, None))
    beside.legend()
    for axes in (above, beside):
        axes.set_xscale("log", base=2)
        axes.set_xticks(clients, labels=map(str, clients))
        axes.grid(alpha=0.3)
    figure.savefig(path, dpi=150)
