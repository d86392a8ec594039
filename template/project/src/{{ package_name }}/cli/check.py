"""A check of the model, for builds of images and before a deployment."""

import typer


def check() -> None:
    """Load the model and predict the examples of schemas.py; the exit code is 1 if that fails."""
    from ..components import get_settings, load_tried_model

    model = load_tried_model(get_settings())
    typer.echo(f"{' '.join(filter(None, [model.name, model.revision]))}: can be served")
