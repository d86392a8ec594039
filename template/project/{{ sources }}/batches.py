"""What is computed together: items of similar size, so that little padding is computed."""

from collections.abc import Callable, Hashable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Item:
    """One input, checked and ready to be computed."""

    value: Any
    """What the model takes, such as the ids of tokens."""
    parameters: Any
    size: int = 1
    """Its length, to which shorter ones beside it are padded: tokens, or 1 where all are alike."""
    group: Hashable = None
    """Only items of the same group are computed together."""


@dataclass(frozen=True, slots=True)
class Budget:
    """How much is computed at once."""

    items: int = 32
    tokens: int = 1024
    """Padding included; an item that is longer is computed alone."""
    padding: int | None = None
    """What an item may be padded with, at most; None is no limit. Where a batch begins cheaply, padding costs more."""

    def cut(self, entries: Sequence[T], item: Callable[[T], Item]) -> Iterator[list[T]]:
        """Batches of what `item` finds in the entries, within the budget; the longest of a group come first."""
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
        """For an item of this size beside so many others."""
        is_near = self.padding is None or longest - size <= self.padding
        return count < self.items and (count + 1) * longest <= self.tokens and is_near
