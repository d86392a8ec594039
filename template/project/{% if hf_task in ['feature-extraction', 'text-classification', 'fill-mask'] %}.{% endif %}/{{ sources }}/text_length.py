"""How long a text may be."""

from collections.abc import Sequence

from .predictor import InvalidInput


def refuse_longer(encoded: Sequence[Sequence[int]], longest: int, may_be_cut: bool = True) -> None:
    """Raises InvalidInput if a text has more tokens than the model takes."""
    for ids in encoded:
        if len(ids) > longest:
            also = ", or set the parameter truncate to true" if may_be_cut else ""
            raise InvalidInput(f"a text has {len(ids)} tokens and the model takes {longest}: shorten it{also}")
