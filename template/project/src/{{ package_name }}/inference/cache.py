"""Cache of predictions for repeated inputs."""

from collections import OrderedDict
from collections.abc import Awaitable, Callable, Sequence
from hashlib import sha256
from typing import Any

from pydantic import BaseModel
from pydantic_core import to_json


class Cache:
    """Least-recently-used cache of results."""

    def __init__(self, size: int, count: Callable[[int, int], None]) -> None:
        """Create an empty cache of `size` results. `count` is called with the hits and misses of each look-up."""
        self._size, self._count = size, count
        self._results: OrderedDict[bytes, Any] = OrderedDict()

    async def get_or_compute(
        self, keys: Sequence[bytes], compute: Callable[[list[int]], Awaitable[Sequence[Any]]]
    ) -> list[Any]:
        """Return a result for each key.

        Args:
            keys: Keys of the inputs, which may repeat.
            compute: Returns the results of the positions that it is given: those of the missing keys, each once. Not
                called if nothing is missing.
        """
        results = {key: self._results[key] for key in keys if key in self._results}
        missing = {key: position for position, key in enumerate(keys) if key not in results}
        self._count(len(keys) - len(missing), len(missing))
        if missing:
            results |= zip(missing, await compute(list(missing.values())), strict=True)
        for key, result in results.items():
            self._results[key] = result
            self._results.move_to_end(key)
        while len(self._results) > self._size:
            self._results.popitem(last=False)
        return [results[key] for key in keys]


def cache_key(value: Any, parameters: BaseModel) -> bytes:
    """Return the key of an input with its parameters: 32 bytes, whatever their size."""
    return sha256(to_json([value, parameters], bytes_mode="base64")).digest()
