"""Answers that were found, where they come from, and warnings."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Any


class Sureness(StrEnum):
    """How far an answer can be trusted without a person."""

    SURE = "sure"
    """The repository states it."""
    LIKELY = "likely"
    """It follows from what the repository states."""
    GUESS = "guess"
    """The repository says little: a default, or one of several possibilities."""


SURE, LIKELY, GUESS = Sureness


@dataclass(frozen=True)
class Source:
    """A file of the repository, and a line in it, counted from 1; 0 stands for the whole file."""

    path: str
    line: int = 0

    def __str__(self) -> str:
        return f"{self.path}:{self.line}" if self.line else self.path


@dataclass(frozen=True)
class Finding:
    """The value of an answer."""

    answer: str
    value: Any
    sureness: Sureness
    source: Source | None = None
    """The place that says it; None for a default."""


@dataclass(frozen=True)
class Notice:
    """A warning: something that will fail, or that only a person can settle."""

    text: str
    source: Source | None = None

    def __str__(self) -> str:
        return f"{self.source}: {self.text}" if self.source else self.text
