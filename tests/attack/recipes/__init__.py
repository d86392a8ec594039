"""Small inputs that are made to hurt, as programs: each makes its bytes and says what must come of them.

Tests of the machinery read them in a child process, and attacks send them to a live server. To add one, write a
function that returns bytes and name it in the list of its module.
"""

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Recipe:
    """How to make one input, and what must be said of it."""

    name: str
    kind: str
    """Format of a table, or media type of an image."""
    make: Callable[[], bytes]
    refusal: str = ""
    """Regular expression that the error must contain; empty if the input is fine and must be read."""

    def __str__(self) -> str:
        """Return the name, for the ids of tests."""
        return self.name
