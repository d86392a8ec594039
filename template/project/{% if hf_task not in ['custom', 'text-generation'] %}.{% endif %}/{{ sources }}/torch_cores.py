"""The cores that torch computes with, shared by those who compute at the same time."""

from collections.abc import Generator
from contextlib import contextmanager

import torch

from .concurrency import Concurrency

CORES = torch.get_num_threads()
"""All of them; asked before a thread was given its part."""


class TorchCores:
    """Divides the cores of a CPU. On another device one computes at a time."""

    def __init__(self, device: torch.device, streams: int) -> None:
        self.streams = min(streams, CORES) if device.type == "cpu" else 1
        """How many may compute at the same time."""
        self._concurrency = Concurrency()

    @contextmanager
    def shared(self) -> Generator[None]:
        """The calling thread computes with all cores, or with its part of them beside others."""
        with self._concurrency.beside() as beside:
            if self.streams > 1:
                torch.set_num_threads(CORES // self.streams if beside else CORES)
            yield
