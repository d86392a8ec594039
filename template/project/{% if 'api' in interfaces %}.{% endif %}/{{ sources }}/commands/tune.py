"""Finds the batches that this machine computes fastest."""

import time
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import typer

from .bench import inputs_from

ENOUGH = 0.97
"""Part of the best throughput that is enough: the smallest batch that reaches it answers soonest."""

CANDIDATES = {
    "max_batch_tokens": ("tokens", [2**power for power in range(8, 15)]),
    "max_batch_size": ("items", [2**power for power in range(8)]),
}
"""Settings in the order in which they are chosen: which part of the budget each is, and what is tried."""


def tune(
    seconds: Annotated[float, typer.Option(min=0.1, max=3600, help="Time for each size, about.")] = 3,
    source: Annotated[
        Path | None,
        typer.Option("--input", "-i", exists=True, dir_okay=False, help="Texts to use, one a line.  [mixed lengths]"),
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what was found.")] = False,
    env_file: Annotated[Path, typer.Option(dir_okay=False, help="File of settings to write to.")] = Path(".env"),
) -> None:
    """Find the smallest batches that compute about as many inputs a second as any, and write their size to .env."""
    from dotenv import set_key  # pydantic-settings reads .env with it
    from pydantic import TypeAdapter
    from rich.console import Console

    from ..predictor import load_predictor
    from ..settings import get_settings
    from ..task import Input

    said = Console(stderr=True)
    settings = get_settings()
    inputs = TypeAdapter(list[Input]).validate_python(inputs_from(source, 1024))
    with said.status("loading the model ..."):
        predictor: Any = load_predictor(settings)
        alone = _seconds(predictor, inputs[:16]) / 16
    inputs = inputs[: max(16, round(seconds / alone))]
    chosen: dict[str, int] = {}

    def resize(name: str, part: str) -> None:
        """The predictor computes as the settings say; one of the first release is told so when it is loaded."""
        nonlocal predictor
        if hasattr(predictor, "budget"):
            predictor.budget = replace(predictor.budget, **{part: chosen[name]})
        else:
            predictor = load_predictor(settings.model_copy(update=chosen))

    for name, (part, values) in CANDIDATES.items():
        if name not in type(settings).model_fields:
            continue
        found: dict[int, float] = {}
        for value in values:
            with said.status(f"{name} {value} ..."):
                chosen[name] = value
                resize(name, part)
                found[value] = len(inputs) / _seconds(predictor, inputs)
            typer.echo(f"{name} {value:>6}: {found[value]:8.1f} inputs/s")
        chosen[name] = min(value for value in values if found[value] >= ENOUGH * max(found.values()))
        resize(name, part)
    for name, value in chosen.items():
        variable = f"{settings.model_config.get('env_prefix', '')}{name}".upper()
        typer.echo(f"{variable}={value}")
        if not dry_run:
            set_key(env_file, variable, str(value), quote_mode="never")


def _seconds(predictor: Any, inputs: Any) -> float:
    """What predicting takes; a few inputs before do not count."""
    from ..task import Parameters

    predictor.predict(inputs[:4], Parameters())
    began = time.perf_counter()
    predictor.predict(inputs, Parameters())
    return time.perf_counter() - began
