"""Trains the model."""

import os
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated

import typer

DEFAULT = Path(__file__).parents[1] / "training.yaml"


def train(
    config: Annotated[Path, typer.Option(help="How to train.", show_default="training.yaml")] = DEFAULT,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only check the configuration and the data.")] = False,
    force: Annotated[bool, typer.Option("--force", help="Publish a model that is worse than the one before.")] = False,
) -> None:
    """Train the model, and publish it as the newest version if it is no worse than the one before."""
    from ..predictor import InvalidInput
    from ..settings import get_settings

    if not find_spec("accelerate"):
        raise InvalidInput("the packages to train with are not here: they are in the image of the target `train`")
    from ..examples import read_examples
    from ..learner import Training

    settings = get_settings()
    training = Training.read(config)
    if dry_run:
        with TemporaryDirectory() as cache:
            examples = read_examples(training, Path(cache))
        counts = f"{len(examples.learned):,} examples, judge by {len(examples.held_out):,}"
        typer.echo(f"would train {settings.model} on {counts}, publish in {settings.versions}")
        return
    from ..training import Worse
    from ..training import train as train_model

    try:
        version = train_model(training, settings, lambda line: typer.echo(line, err=True), force)
    except Worse as error:
        if os.environ.get("RANK", "0") == "0":
            typer.echo(f"error: {error}", err=True)
        raise typer.Exit(1) from None
    if version:
        typer.echo(version.name)
