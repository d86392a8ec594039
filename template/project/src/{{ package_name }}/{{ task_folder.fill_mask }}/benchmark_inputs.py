"""Example inputs: texts of mixed length with a mask."""

from ..benchmark.inputs import make_texts

MASK = "<mask>"
"""Placeholder for the missing word; other models may use another one."""


def make_inputs(count: int) -> list[str]:
    """Return texts of mixed length with a mask; always the same."""
    return [f"{text} {MASK}" for text in make_texts(count)]
