"""Example inputs: texts of mixed length with a mask."""

from ..benchmark.inputs import make_texts
from .schemas import ANY_MASK


def make_inputs(count: int) -> list[str]:
    """Return texts of mixed length with a mask; always the same."""
    return [f"{text} {ANY_MASK}" for text in make_texts(count)]
