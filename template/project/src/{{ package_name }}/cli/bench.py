"""Load test of a running server."""

import json
import os
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any
from urllib.parse import urlsplit

import typer

from ..secret_files import read_secret

if TYPE_CHECKING:
    from ..benchmark.load_generator import LoadResult

PLOT_SUFFIX = ".png"
"""Suffix of the plot, which otherwise has the name of the JSON file."""


def bench(
    url: Annotated[str, typer.Argument(help="URL of the prediction route.")] = "http://127.0.0.1:8000/predict",
    concurrency: Annotated[
        list[int] | None,
        typer.Option("--concurrency", "-c", min=1, max=1024, help="Number of concurrent clients.  [1 4 16 64]"),
    ] = None,
    rate: Annotated[
        float | None, typer.Option(min=0.01, help="Requests per second, sent whether or not others are answered.")
    ] = None,
    seconds: Annotated[
        float, typer.Option(min=0.1, max=86_400, help="Duration of the test with each number of clients.")
    ] = 10,
    source: Annotated[
        Path | None,
        typer.Option("--input", "-i", exists=True, dir_okay=False, help="Texts to send, one a line.  [examples]"),
    ] = None,
    parameters: Annotated[
        str, typer.Option("--parameters", "-p", help="Parameters of each request, a JSON object.")
    ] = "{}",
    output: Annotated[
        Path, typer.Option("--output", "-o", dir_okay=False, help="JSON file to write, with a plot beside it.")
    ] = Path("bench.json"),
) -> None:
    """Measure throughput, latency and errors of a running server with more and more concurrent clients.

    If the server needs an API key, set API_KEY, or API_KEY_FILE to the path of a file with the key. The exit code is 1
    if no request succeeds.
    """
    from rich.console import Console

    from ..benchmark.load_generator import generate_load

    inputs, parsed, key = read_inputs(source, 256), _parse_object(parameters), _api_key()
    if not _is_url(url):
        raise typer.BadParameter(f"{url} is not a URL such as http://127.0.0.1:8000/predict")
    if output.suffix == PLOT_SUFFIX or not os.access(output.absolute().parent, os.W_OK):
        raise typer.BadParameter(f"{output} cannot be written as JSON")
    console = Console(stderr=True)
    steps: list[LoadResult] = []
    for clients in concurrency or [1, 4, 16, 64]:
        with console.status(f"{clients} clients for {seconds:g} s ..."):
            steps.append(generate_load(url, inputs, clients, seconds, rate, parsed, key))
        if not steps[-1].answered:
            break  # more clients would not be answered either
    _print_table(steps)
    if not any(step.answered for step in steps):
        needs_key = any("401" in step.errors for step in steps)
        advice = "set API_KEY or API_KEY_FILE to one of its API keys" if needs_key else f"is there a server at {url}?"
        console.print(f"error: no request succeeded: {advice}", style=None, highlight=False)
        raise typer.Exit(1)
    temporary = output.with_name(f".{output.name}.{os.getpid()}.part")
    try:
        temporary.write_text(json.dumps({"url": url, "steps": [asdict(step) for step in steps]}, indent=2) + "\n")
        temporary.replace(output)
    finally:
        temporary.unlink(missing_ok=True)
    try:
        _plot(steps, output.with_suffix(PLOT_SUFFIX))
    except ImportError:
        console.print("no plot: matplotlib is not installed")


def read_inputs(source: Path | None, count: int) -> list[Any]:
    """Return the lines of a file, or else that many examples. Raise BadParameter for an empty file.

    For a model that reads several columns, their texts are in a line, with tabs between them.
    """
    from ..components import columns, example_inputs

    if source is None:
        return example_inputs(count)
    lines = [line for line in source.read_text("utf-8").splitlines() if line.strip()]
    if not lines:
        raise typer.BadParameter(f"{source} has no text")
    names = columns()
    if len(names) > 1:
        return [dict(zip(names, line.split("\t", len(names) - 1), strict=False)) for line in lines]
    return lines


def _api_key() -> str:
    """Return the API key that the environment holds or names a file for; empty without one.

    It is no option, because other users of the machine can read those of a running command.
    """
    try:
        key = os.environ.get("API_KEY") or (read_secret(Path(path)) if (path := os.environ.get("API_KEY_FILE")) else "")
    except ValueError as error:
        raise typer.BadParameter(f"API_KEY_FILE: {error}") from None
    if not (key.isascii() and key.isprintable()):
        raise typer.BadParameter("API_KEY: a key has no line breaks and only ASCII characters")
    return key


def _is_url(url: str) -> bool:
    try:
        parts = urlsplit(url)
        return parts.scheme in ("http", "https") and bool((parts.hostname or "").encode("idna")) and parts.port != 0
    except ValueError:
        return False


def _parse_object(text: str) -> dict[str, Any]:
    try:
        found = json.loads(text)
    except ValueError as error:
        raise typer.BadParameter(f"parameters are not JSON: {error}") from None
    if not isinstance(found, dict):
        raise typer.BadParameter('parameters are not a JSON object such as {"top_k": 1}')
    return found


def _print_table(steps: "list[LoadResult]") -> None:
    from rich.console import Console
    from rich.table import Column, Table

    numbers = ("Clients", "Answers/s", "p50 ms", "p95 ms", "p99 ms")
    table = Table(*(Column(name, justify="right") for name in numbers), Column("Errors", overflow="fold"))
    for step in steps:
        latencies = ["" if each is None else f"{each:.1f}" for each in (step.p50, step.p95, step.p99)]
        errors = ", ".join(f"{count} x {what}" for what, count in step.errors.items())
        table.add_row(str(step.concurrency), f"{step.throughput:.1f}", *latencies, errors)
    Console().print(table)


def _plot(steps: "list[LoadResult]", path: Path) -> None:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9, 4), layout="constrained")
    throughput, latency = figure.subplots(1, 2)
    clients = [step.concurrency for step in steps]
    throughput.plot(clients, [step.throughput for step in steps], marker="o")
    throughput.set(xlabel="concurrent clients", ylabel="answers per second", ylim=(0, None))
    for name in ("p50", "p95", "p99"):
        latency.plot(clients, [getattr(step, name) or float("nan") for step in steps], marker="o", label=name)
    latency.set(xlabel="concurrent clients", ylabel="milliseconds", ylim=(0, None))
    latency.legend()
    for axes in (throughput, latency):
        axes.set_xscale("log", base=2)
        axes.set_xticks(clients, labels=map(str, clients))
        axes.grid(alpha=0.3)
    figure.savefig(path, dpi=150)
