"""Which model serves: the version that the settings mean."""

from pathlib import Path

from .registry import Registry
from .settings import Settings


def registry(settings: Settings) -> Registry:
    """Where the versions are. Raises ModelUnavailable."""
    return Registry(settings.model)


def revision(settings: Settings) -> str | None:
    """What the settings mean by now. Raises ModelUnavailable."""
    return registry(settings).find(settings.model_version).name


def locate(settings: Settings) -> tuple[Path, str | None]:
    """A folder with the files of what the settings mean, fetched first if need be, and its revision.

    Raises ModelUnavailable.
    """
    version = registry(settings).find(settings.model_version)
    return registry(settings).fetch(version, settings.model_cache), version.name
