"""Trains the model."""

import time
from typing import Annotated

import typer


def train(
    components: Annotated[int, typer.Option(min=1, max=50, help="Directions of taste to learn.")] = 4,
    seed: Annotated[int, typer.Option(help="The same seed gives the same model.")] = 0,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would be trained.")] = False,
) -> None:
    """Train the recommender on ratings that it makes up, and write it where the settings say."""
    from ..recommender import Recommender, make_ratings
    from ..settings import get_settings

    target = get_settings().model
    ratings = make_ratings(seed=seed)
    size = f"{int((ratings > 0).sum()):,} ratings of {len(ratings)} users"
    if dry_run:
        typer.echo(f"would train on {size} and write {target}")
        return
    started = time.monotonic()
    Recommender(ratings, components, seed).save(target)
    typer.echo(f"trained on {size} in {time.monotonic() - started:.1f} s: {target}")
