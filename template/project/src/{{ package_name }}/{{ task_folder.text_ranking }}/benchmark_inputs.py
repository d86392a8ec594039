"""Example inputs: queries of few words, with texts of mixed length."""

from typing import Any

from ..benchmark.inputs import make_texts


def make_inputs(count: int) -> list[Any]:
    """Return pairs as JSON values; always the same."""
    queries = make_texts(count, shortest=4, longest=12, seed=1)
    return [{"query": query, "text": text} for query, text in zip(queries, make_texts(count), strict=True)]
