"""Predictions that are kept, for those who ask the same again."""

from collections import OrderedDict
from collections.abc import Awaitable, Callable, Sequence
from hashlib import sha256
from typing import Any

from pydantic import BaseModel
from pydantic_core import to_json


class Cache:
    """Keeps the `size` results that were asked for last. `count` is called with the hits and misses of each look-up."""

    def __init__(self, size: int, count: Callable[[int, int], None]) -> None:
        self._size, self._count = size, count
        self._kept: OrderedDict[bytes, Any] = OrderedDict()

    async def look_up(self, keys: Sequence[bytes], make: Callable[[list[int]], Awaitable[Sequence[Any]]]) -> list[Any]:
        """A result for each key; `make` is given the positions of those that are not kept, each once, if any."""
        results = {key: self._kept[key] for key in keys if key in self._kept}
        missing = {key: position for position, key in enumerate(keys) if key not in results}
        self._count(len(keys) - len(missing), len(missing))
        if missing:
            results |= zip(missing, await make(list(missing.values())), strict=True)
        for key, result in results.items():
            self._kept[key] = result
            self._kept.move_to_end(key)
        while len(self._kept) > self._size:
            self._kept.popitem(last=False)
        return [results[key] for key in keys]


def key(value: Any, parameters: BaseModel) -> bytes:
    """Stands for an input with its parameters, in 32 bytes, however large they are."""
    return sha256(to_json([value, parameters], bytes_mode="base64")).digest()
