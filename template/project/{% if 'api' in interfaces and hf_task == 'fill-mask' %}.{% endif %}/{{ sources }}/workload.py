"""Inputs to measure with: texts of mixed length, with a mask."""

import random

WORDS = "the of and to in a is that for it was on are as with his they at be this from have".split()  # noqa: SIM905
"""Common words, most of them one token."""

MASK = "<mask>"
"""What stands for the missing word: another model may have another."""


def make_inputs(count: int, shortest: int = 8, longest: int = 128, seed: int = 0) -> list[str]:
    """That many texts with lengths from `shortest` to `longest`, in words or about as many tokens; always the same."""
    draw = random.Random(seed)  # noqa: S311 - nothing secret
    return [f"{' '.join(draw.choices(WORDS, k=draw.randint(shortest, longest)))} {MASK}" for _ in range(count)]
