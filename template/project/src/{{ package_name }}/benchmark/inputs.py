"""Inputs of load tests."""

import itertools
import random
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ..inference.schemas import TaskSchemas

WORDS = "the of and to in a is that for it was on are as with his they at be this from have".split()  # noqa: SIM905
"""Common words, most of them one token each."""


def make_texts(count: int, shortest: int = 8, longest: int = 128, seed: int = 0) -> list[str]:
    """Return texts with lengths from `shortest` to `longest` words, about as many tokens; the same for each seed."""
    draw = random.Random(seed)  # noqa: S311 - not for security
    return [" ".join(draw.choices(WORDS, k=draw.randint(shortest, longest))) for _ in range(count)]


def repeat_examples(schemas: "TaskSchemas", count: int) -> list[Any]:
    """Return the examples of the input's schema in turn, as many as requested.

    Raises:
        ValueError: The schema has no examples.
    """
    examples = schemas.examples()
    if not examples:
        raise ValueError("Input has no examples: add Field(examples=[...]) to it in schemas.py, or give --input")
    return list(itertools.islice(itertools.cycle(examples), count))
