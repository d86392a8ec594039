"""The command train."""

from pathlib import Path
from typing import Annotated

import typer

INTERRUPTED = 75
"""Exit code of a training that resumes when it is started again: EX_TEMPFAIL of sysexits.h."""

DEFAULT_CONFIG = Path(__file__).parents[1] / "training.yaml"


def train(
    config: Annotated[Path, typer.Option(help="The configuration.", show_default=DEFAULT_CONFIG.name)] = DEFAULT_CONFIG,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only check the configuration and the data.")] = False,
    force: Annotated[bool, typer.Option("--force", help="Publish a model that is worse than the last.")] = False,
) -> None:
    """Train the model, and publish it as the newest version if it is no worse than the previous one."""
    from .. import components
    from ..errors import InvalidInputError

    package = __name__.partition(".")[0]
    try:
        task_type = components.training_task()
    except ModuleNotFoundError as error:
        if f"{error.name}.".startswith(f"{package}."):
            raise
        raise InvalidInputError(f"{error.name} is not installed: train in the image of the target `train`") from error
    from ..training.run import check_training, run_training
    from ..training.task import ModelRegressionError, TrainingInterruptedError

    settings = components.get_settings()
    selection = components.model_selection(settings)
    task = task_type(task_type.Config.read(config), settings, selection.base, lambda line: typer.echo(line, err=True))
    if dry_run:
        typer.echo(f"would train on {check_training(task)}, and publish in {selection.address}")
        return
    try:
        version = run_training(task, selection.registry, force)
    except (ModelRegressionError, TrainingInterruptedError) as error:
        if task.is_main_process:
            typer.echo(f"error: {error}", err=True)
        raise typer.Exit(INTERRUPTED if isinstance(error, TrainingInterruptedError) else 1) from None
    if version:
        typer.echo(version.name)
