"""How the export of a text classifier is made and compared with torch."""

from ..backends.onnx_export import ExportSpec
from .graph import TextClassificationGraph
from .labels import agreement, difference
from .model import TextClassificationModel
from .samples import TEXTS
from .schemas import TextClassificationParameters
from .tokenizer import ExportedTokenizer

SPEC = ExportSpec(
    graph=TextClassificationGraph,
    model=TextClassificationModel,
    parameters=TextClassificationParameters(truncate=True),
    samples=lambda graph: TEXTS,
    save_preprocessor=lambda graph, folder: graph.preprocessor.save(folder),
    open_preprocessor=ExportedTokenizer.open,
    difference=difference,
    agreement=agreement,
)
