"""Search for the fastest batch size on this machine."""

import time
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import typer

from .bench import read_inputs

SUFFICIENT_RATIO = 0.97
"""Part of the best throughput that suffices: the smallest batch that reaches it has the lowest latency."""

CANDIDATES = {
    "max_batch_tokens": ("max_tokens", [2**power for power in range(8, 15)]),
    "max_batch_size": ("max_items", [2**power for power in range(8)]),
}
"""Settings in the order of the search: the field of BatchLimits, and the values to try."""


def tune(
    seconds: Annotated[float, typer.Option(min=0.1, max=3600, help="Approximate time for each size.")] = 3,
    source: Annotated[
        Path | None,
        typer.Option("--input", "-i", exists=True, dir_okay=False, help="Texts to use, one a line.  [examples]"),
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Print the result only.")] = False,
    env_file: Annotated[Path, typer.Option(dir_okay=False, help="File of settings to write to.")] = Path(".env"),
) -> None:
    """Find the smallest batches with about the best throughput, and write their size to .env."""
    from dotenv import set_key  # a dependency of pydantic-settings
    from pydantic import TypeAdapter
    from rich.console import Console

    from .. import components

    console = Console(stderr=True)
    settings, schemas = components.get_settings(), components.schemas()
    inputs = TypeAdapter(list[schemas.input]).validate_python(read_inputs(source, 1024))
    parameters = schemas.parameters()
    with console.status("loading the model ..."):
        model = components.load_model(settings)
        seconds_per_input = _measure(model, inputs[:16], parameters) / 16
    inputs = inputs[: max(16, round(seconds / seconds_per_input))]
    chosen: dict[str, int] = {}
    for name, (limit, values) in CANDIDATES.items():
        if name not in type(settings).model_fields:
            continue
        found: dict[int, float] = {}
        for value in values:
            with console.status(f"{name} {value} ..."):
                model.limits = replace(model.limits, **{limit: value})
                found[value] = len(inputs) / _measure(model, inputs, parameters)
            typer.echo(f"{name} {value:>6}: {found[value]:8.1f} inputs/s")
        chosen[name] = min(value for value in values if found[value] >= SUFFICIENT_RATIO * max(found.values()))
        model.limits = replace(model.limits, **{limit: chosen[name]})
    for name, value in chosen.items():
        variable = f"{settings.model_config.get('env_prefix', '')}{name}".upper()
        typer.echo(f"{variable}={value}")
        if not dry_run:
            set_key(env_file, variable, str(value), quote_mode="never")


def _measure(model: Any, inputs: list[Any], parameters: Any) -> float:
    """Return the seconds that the predictions take, after a few that warm up."""
    model.predict(inputs[:4], parameters)
    began = time.perf_counter()
    model.predict(inputs, parameters)
    return time.perf_counter() - began
