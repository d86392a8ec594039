"""Puts the model that is to be trained where the versions are."""

import typer


def seed() -> None:
    """Publish the base model as the first version, unless there is one, so that who serves needs no hub."""
    from .. import weights
    from ..served import registry
    from ..settings import get_settings

    settings = get_settings()
    versions = registry(settings)
    if not versions.names():
        versions.publish(weights.locate(settings))
    typer.echo(versions.find().name)
