"""Cores for batches that run at the same time."""

from pathlib import Path

import pytest
import torch

from my_project.backends import torch as torch_backend
from my_project.backends.torch import TaskGraph, TorchBackend


class Graph(TaskGraph):
    """A graph that computes nothing."""

    output_names = ()

    @classmethod
    def load(cls, folder: Path, device: torch.device) -> "Graph":
        """Return the graph."""
        return cls(None, None, {})

    def forward(self, batch: dict[str, torch.Tensor]) -> torch.Tensor:
        """Return nothing of use."""
        return torch.empty(0)


def backend(device: str, parallel_batches: int) -> TorchBackend:
    """Return a backend on a device."""
    return TorchBackend(Graph(None, None, {}), torch.device(device), parallel_batches)


def test_batches_that_overlap_share_the_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    before = torch.get_num_threads()
    monkeypatch.setattr(torch_backend, "CORES", 4)
    runs = backend("cpu", 2)
    seen = []
    try:
        with runs.shared_cores():
            seen.append(torch.get_num_threads())
            with runs.shared_cores():
                seen.append(torch.get_num_threads())
        for _ in range(2):
            with runs.shared_cores():
                seen.append(torch.get_num_threads())
    finally:
        torch.set_num_threads(before)
    assert seen == [4, 2, 2, 4], "the third follows one that was not alone, and may alternate with it"


@pytest.mark.parametrize(("device", "cores", "parallel"), [("cpu", 4, 3), ("cpu", 2, 2), ("cpu", 1, 1), ("meta", 4, 1)])
def test_no_more_batches_run_than_there_are_cores(
    device: str, cores: int, parallel: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch_backend, "CORES", cores)
    assert backend(device, 3).parallel_batches == parallel


def test_every_batch_of_a_block_is_one_of_several_and_the_next_one_is_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    before = torch.get_num_threads()
    monkeypatch.setattr(torch_backend, "CORES", 4)
    runs = backend("cpu", 2)
    seen = []
    try:
        with runs.together():
            for _ in range(2):
                with runs.shared_cores():
                    seen.append(torch.get_num_threads())
        with runs.shared_cores():
            seen.append(torch.get_num_threads())
    finally:
        torch.set_num_threads(before)
    assert seen == [2, 2, 4]
