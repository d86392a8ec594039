"""The command seed."""

import typer


def seed() -> None:
    """Publish the base model as the first version if there is none, so that serving needs no access to the hub."""
    from .. import components
    from ..errors import ModelUnavailableError

    selection = components.model_selection(components.get_settings())
    if not selection.registry.names():
        if selection.base is None:
            raise ModelUnavailableError("there is no base model to publish")
        selection.registry.publish(selection.base.locate())
    typer.echo(selection.registry.find().name)
