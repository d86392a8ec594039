"""How the export of a fill-mask model is made and compared with torch."""

from ..backends.onnx_export import ExportSpec
from ..backends.torch import TaskGraph
from .graph import FillMaskGraph
from .model import FillMaskModel
from .schemas import FillMaskParameters, Output
from .tokenizer import ExportedTokenizer, TransformersTokenizer

TEXTS = [
    "Paris is the capital of {mask}.",
    "{mask} rains.",
    "She opened the door and {mask} into the room.",
    "A molecule of {mask} is two parts hydrogen and one part oxygen.",
    "He has worked for the same company for many years, and only last week he said that he would like to {mask} soon.",
]


def samples(graph: TaskGraph) -> list[str]:
    """Return texts of many lengths with the model's mask, as far as they fit."""
    tokenizer: TransformersTokenizer = graph.preprocessor
    texts = [text.format(mask=tokenizer.tokenizer.mask_token) for text in TEXTS]
    longest = tokenizer.facts.max_tokens
    return [text for text in texts if longest is None or len(tokenizer.tokenizer(text)["input_ids"]) <= longest]


def difference(one: Output, other: Output) -> float:
    """Return the largest difference between the scores of two predictions, rank by rank."""
    return max(abs(ours["score"] - theirs["score"]) for ours, theirs in zip(one, other, strict=True))


def agreement(one: Output, other: Output) -> float:
    """Return 1 if the best token gives the same text in two predictions, 0 otherwise."""
    return float(one[0]["sequence"] == other[0]["sequence"])


SPEC = ExportSpec(
    graph=FillMaskGraph,
    model=FillMaskModel,
    parameters=FillMaskParameters(),
    samples=samples,
    save_preprocessor=lambda graph, folder: graph.preprocessor.save(folder),
    open_preprocessor=ExportedTokenizer.open,
    difference=difference,
    agreement=agreement,
)
