"""Trains the model."""

from pathlib import Path
from typing import Annotated

import typer

DEFAULT = Path(__file__).parents[1] / "training.yaml"


def train(
    config: Annotated[Path, typer.Option(help="How to train.", show_default="training.yaml")] = DEFAULT,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only check the configuration and the data.")] = False,
    force: Annotated[bool, typer.Option("--force", help="Publish a model that is worse than the one before.")] = False,
) -> None:
    """Train the model, and publish it as the newest version if it is no worse than the one before."""
    from ..settings import get_settings
    from ..training import Training, Worse, load_ratings
    from ..training import train as train_model

    settings = get_settings()
    training = Training.read(config)
    if dry_run:
        learned, held_out = load_ratings(training)
        typer.echo(f"would train on {len(learned):,} ratings, judge by {len(held_out):,}, publish in {settings.model}")
        return
    try:
        typer.echo(train_model(training, settings, lambda line: typer.echo(line, err=True), force).name)
    except Worse as error:
        typer.echo(f"error: {error}", err=True)
        raise typer.Exit(1) from None
