"""Batches of items of similar size, which need little padding."""

from collections.abc import Callable, Hashable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Item:
    """One input, preprocessed and ready to be computed."""

    value: Any
    """Arguments of the model, for example token ids."""
    parameters: Any
    size: int = 1
    """Length in tokens, which padding brings to that of the longest item; 1 if all items are of one size."""
    group: Hashable = None
    """Only items of the same group share a batch."""


@dataclass(frozen=True, slots=True)
class BatchLimits:
    """Maximum size of a batch."""

    max_items: int = 32
    max_tokens: int = 1024
    """Padding included. A longer item is computed alone."""
    max_padding: int | None = None
    """Padding of a single item, in tokens; None is unlimited."""

    def split(self, entries: Sequence[T], item: Callable[[T], Item]) -> Iterator[list[T]]:
        """Yield batches of the entries within the limits, the longest of each group first.

        Args:
            entries: What to split.
            item: Returns the item of an entry.
        """
        groups: dict[Hashable, list[T]] = {}
        for entry in entries:
            groups.setdefault(item(entry).group, []).append(entry)
        for group in groups.values():
            batch: list[T] = []
            for entry in sorted(group, key=lambda each: item(each).size, reverse=True):
                if batch and not self._has_room(len(batch), item(batch[0]).size, item(entry).size):
                    yield batch
                    batch = []
                batch.append(entry)
            yield batch

    def _has_room(self, count: int, longest: int, size: int) -> bool:
        """Return whether an item of `size` fits into a batch of `count` items, the longest of size `longest`."""
        is_near = self.max_padding is None or longest - size <= self.max_padding
        return count < self.max_items and (count + 1) * longest <= self.max_tokens and is_near
