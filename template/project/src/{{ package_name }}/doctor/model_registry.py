"""The model registry."""

from ..errors import ModelUnavailableError
from ..registry.store import LATEST, Registry
from . import Context, Finding

BASE_VERSIONS = ("base", LATEST)
"""Values of `model_version` for which the base model is enough."""


def versions(context: Context) -> Finding | None:
    """Check that the selected version exists."""
    settings = context.settings
    has_base_model = hasattr(settings, "versions")
    address = getattr(settings, "versions", None) or getattr(settings, "model", None)
    selected = getattr(settings, "model_version", None)
    if not isinstance(address, str) or not isinstance(selected, str):
        return None
    try:
        names = Registry(address).names()
    except ModelUnavailableError as error:
        return Finding("versions", "fail", str(error), "correct its address or credentials")
    if selected in names or (selected == LATEST and names):
        return Finding("versions", "ok", f"{address}, {selected}: {names[0] if selected == LATEST else selected}")
    if has_base_model and selected in BASE_VERSIONS:
        return Finding("versions", "ok", f"{address}, {selected}: the base model")
    return Finding("versions", "fail", f"{address} has no version {selected}", "make one with the command train")


CHECKS = [versions]
