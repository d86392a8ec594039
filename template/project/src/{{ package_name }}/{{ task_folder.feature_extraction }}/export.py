"""The export of sentence embeddings, and its comparison with torch."""

from collections.abc import Sequence

import numpy as np

from ..backends.onnx_export import ExportSpec
from .graph import EmbeddingGraph
from .model import EmbeddingModel
from .samples import TEXTS
from .schemas import EmbeddingParameters, Output
from .tokenizer import ExportedTokenizer


def difference(one: Output, other: Output) -> float:
    """Return the largest difference between the numbers of two vectors."""
    return float(np.abs(np.subtract(one, other)).max())


def agreement(one: Sequence[float], other: Sequence[float]) -> float:
    """Return the cosine similarity of two vectors."""
    return float(np.dot(one, other) / (np.linalg.norm(one) * np.linalg.norm(other)))


SPEC = ExportSpec(
    graph=EmbeddingGraph,
    model=EmbeddingModel,
    parameters=EmbeddingParameters(truncate=True),
    samples=lambda graph: TEXTS,
    save_preprocessor=lambda graph, folder: graph.preprocessor.save(folder),
    open_preprocessor=ExportedTokenizer.open,
    difference=difference,
    agreement=agreement,
)
