"""Which model serves: a trained version, or the base model that all of them began as."""

from pathlib import Path

from . import weights
from .registry import LATEST, Registry, Version
from .settings import Settings

BASE = "base"
"""Stands for the base model, which `model` and `revision` name."""


def registry(settings: Settings) -> Registry:
    """Where the versions are. Raises ModelUnavailable."""
    return Registry(settings.versions)


def chosen(settings: Settings) -> Version | None:
    """The version that the settings mean; None for the base model, which serves too while there is no version.

    Raises ModelUnavailable.
    """
    wanted, versions = settings.model_version, registry(settings)
    if wanted == BASE or (wanted == LATEST and not versions.names()):
        return None
    return versions.find(wanted)


def revision(settings: Settings) -> str | None:
    """Name of what the settings mean by now, or revision of the base model. Raises ModelUnavailable."""
    version = chosen(settings)
    return version.name if version else weights.identify(settings)[1]


def locate(settings: Settings) -> tuple[Path, str | None]:
    """A folder with the files of what the settings mean, fetched first if need be, and its revision.

    Raises ModelUnavailable.
    """
    version = chosen(settings)
    if version is None:
        return weights.locate(settings), weights.identify(settings)[1]
    return registry(settings).fetch(version, settings.model_cache), version.name
