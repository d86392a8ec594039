"""Two servers of one machine under the same load in turns, so that a change of its speed meets both."""

import argparse
import statistics
from collections.abc import Iterator
from pathlib import Path

from benchmarks import report
from benchmarks.serving.__main__ import CLIENTS, WORKLOADS, load

Server = tuple[str, str]
"""The route of a running server, and the API key that it needs."""


def parser(description: str | None) -> argparse.ArgumentParser:
    """Return a parser with the number of turns and their length."""
    options = report.parser(description)
    options.add_argument("--turns", type=int, default=5, help="turns of each cell (5)")
    options.add_argument("--seconds", type=float, default=4, help="time for each turn of a side (4)")
    return options


def compare(
    runtime: str, project: Path, servers: tuple[Server, Server], turns: int, seconds: float
) -> Iterator[tuple[str, float]]:
    """Yield the name of each cell, and the median over the turns of second / first in answers a second.

    Args:
        runtime: Name of both servers' runtime.
        project: A generated project, whose load generator is the client.
        servers: The first and the second.
        turns: Turns of each cell.
        seconds: Time for each turn of a side.
    """
    sources = project / "src/my_project/benchmark"
    generate_load = load(sources / "load_generator.py").generate_load
    make_texts = load(sources / "inputs.py").make_texts
    for workload, lengths in WORKLOADS.items():
        texts = make_texts(256, *lengths)
        for route, key in servers:
            generate_load(route, texts, 16, seconds, key=key)  # warms caches, and does not count
        for clients in CLIENTS:
            rates: tuple[list[float], list[float]] = ([], [])
            for turn in range(turns):
                for which in (0, 1) if turn % 2 else (1, 0):
                    route, key = servers[which]
                    rates[which].append(generate_load(route, texts, clients, seconds, key=key).throughput)
            spread = "  ".join(f"{statistics.median(each):.1f}  {min(each):.1f}  {max(each):.1f}" for each in rates)
            print(f"{runtime:<7}  {workload:<8}  {clients:>7}  {spread}", flush=True)
            ratio = statistics.median(second / first for first, second in zip(*rates, strict=True))
            yield f"{runtime}_{workload}_{clients}", ratio
