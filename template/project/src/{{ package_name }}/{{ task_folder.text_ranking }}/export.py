"""How the export of a ranking model is made and compared with torch."""

import math

from ..backends.onnx_export import ExportSpec
from .graph import TextRankingGraph
from .model import TextRankingModel
from .samples import TEXTS
from .schemas import Output, TextRankingParameters
from .tokenizer import ExportedTokenizer

QUERIES = ["Where does a dog run?", "How is bread baked without an oven?", "Why could the committee not agree?"]

PAIRS = [(query, text) for query in QUERIES for text in TEXTS]
"""Queries with texts that answer them and texts that do not, of many lengths."""


def difference(one: Output, other: Output) -> float:
    """Return the difference of two logits."""
    return abs(one - other)


def agreement(one: Output, other: Output) -> float:
    """Return 1 less the difference of the probabilities that two logits stand for."""
    return 1 - abs(_probability(one) - _probability(other))


def _probability(logit: Output) -> float:
    return (1 + math.tanh(logit / 2)) / 2


SPEC = ExportSpec(
    graph=TextRankingGraph,
    model=TextRankingModel,
    parameters=TextRankingParameters(raw_scores=True, truncate=True),
    samples=lambda graph: PAIRS,
    save_preprocessor=lambda graph, folder: graph.preprocessor.save(folder),
    open_preprocessor=ExportedTokenizer.open,
    difference=difference,
    agreement=agreement,
)
