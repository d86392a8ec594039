"""Print the labels of the model."""

from typing import cast

from ..components import get_settings, load_model


def labels() -> None:
    """Print the labels of the model."""
    from ..model import Model

    model = cast(Model, load_model(get_settings()))
    print("\n".join(model.labels))
