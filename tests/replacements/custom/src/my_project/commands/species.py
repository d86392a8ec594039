"""Print the species that the model tells apart."""

from typing import cast

from ..components import get_settings, load_model


def species() -> None:
    """Print the species that the model tells apart."""
    from ..model import Model

    model = cast(Model, load_model(get_settings()))
    print("\n".join(model.species))
