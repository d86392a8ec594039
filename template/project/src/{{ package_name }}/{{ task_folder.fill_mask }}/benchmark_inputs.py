"""Example inputs: texts of mixed length with a mask."""

from ..benchmark.inputs import make_texts
from .schemas import EXAMPLE_MASK


def make_inputs(count: int) -> list[str]:
    """Return texts of mixed length with a mask; always the same."""
    return [f"{text} {EXAMPLE_MASK}" for text in make_texts(count)]
