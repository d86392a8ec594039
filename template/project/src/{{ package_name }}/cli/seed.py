"""The command seed."""

import typer


def seed() -> None:
    """Publish the base model as the first version if there is none, so that serving needs no access to the hub."""
    from .. import components
    from ..errors import ModelUnavailableError
    from ..inference.model_files import folder_selection

    selection = components.model_selection(components.get_settings())
    if not selection.registry.names():
        if selection.base is None:
            raise ModelUnavailableError("there is no base model to publish")
        folder = selection.base.locate()
        selection.registry.publish(folder, names=folder_selection(folder).files)
    typer.echo(selection.registry.find().name)
