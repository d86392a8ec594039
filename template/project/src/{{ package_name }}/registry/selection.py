"""Selection of the model by the settings: a trained version, or the base model that training starts from."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from .store import LATEST, Registry, Version

BASE = "base"
"""Selects the base model."""


class BaseFiles(NamedTuple):
    """The base model: what training starts from, and what is used while there is no version."""

    name: str
    revision: str | None
    locate: Callable[[], Path]
    """Return the folder of its files, downloaded first if needed. May raise ModelUnavailableError."""


class SelectedFiles(NamedTuple):
    """The files of the selected model."""

    folder: Path
    revision: str | None
    """Name of the version, or revision of the base model."""


@dataclass(frozen=True)
class ModelSelection:
    """The model that the settings select. Every method may raise ModelUnavailableError.

    Args:
        address: Where the versions are: a folder, or an address that fsspec knows.
        version: `latest`, the name of a version, or `base`.
        cache: Folder for versions that are downloaded.
        base: The base model. None if there is none: then a version must exist.
    """

    address: str
    version: str
    cache: Path
    base: BaseFiles | None = None

    @property
    def registry(self) -> Registry:
        """The versions at the address."""
        return Registry(self.address)

    def find(self) -> Version | None:
        """Return the selected version, or None for the base model."""
        registry = self.registry
        if self.base and (self.version == BASE or (self.version == LATEST and not registry.names())):
            return None
        return registry.find(self.version)

    def revision(self) -> str | None:
        """Return the name of the selected version, or the revision of the base model."""
        version = self.find()
        return version.name if version else self._base().revision

    def locate(self) -> SelectedFiles:
        """Return the folder of the selected model, downloaded first if needed, and its revision."""
        version = self.find()
        if version is None:
            return SelectedFiles(self._base().locate(), self._base().revision)
        return SelectedFiles(self.registry.fetch(version, self.cache), version.name)

    def _base(self) -> BaseFiles:
        assert self.base  # noqa: S101 - `find` returns None only where there is one
        return self.base
