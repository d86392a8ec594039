from pathlib import Path

import click
import numpy as np
import pandas as pd

from tidewatch import __version__
from tidewatch.detector import Detector, Preset

FILE = click.Path(exists=True, dir_okay=False, path_type=Path)


@click.group()
@click.version_option(__version__)
def main() -> None:
    """Anomalies in tide gauge records."""


@main.command()
@click.argument("record", type=FILE)
@click.option("--preset", default="small", show_default=True)
@click.option("--output", type=click.Path(path_type=Path), default=Path("model.pt"), show_default=True)
@click.option("--dry-run", is_flag=True, help="Show the preset and stop.")
def train(record: Path, preset: str, output: Path, dry_run: bool) -> None:
    """Train on a record without anomalies."""
    level = pd.read_csv(record)["level_m"].to_numpy()
    chosen = Preset.named(preset)
    click.echo(f"{len(level)} hours, {chosen}")
    if not dry_run:
        Detector(chosen).fit(level).save(output)
        click.echo(f"saved to {output}")


@main.command()
@click.argument("record", type=FILE)
@click.option("--model", type=FILE, required=True)
@click.option("--top", default=3, show_default=True)
def scan(record: Path, model: Path, top: int) -> None:
    """List the strangest windows of a record."""
    table = pd.read_csv(record)
    scores = Detector.load(model).scores(table["level_m"].to_numpy())
    for start in np.argsort(-scores)[:top]:
        click.echo(f"{table['time'][start]}  {scores[start]:.4f}")
