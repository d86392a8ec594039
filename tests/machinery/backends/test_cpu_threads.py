"""Cores for batches that run at the same time."""

from collections.abc import Iterator
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


@pytest.fixture
def four_cores(monkeypatch: pytest.MonkeyPatch) -> Iterator[TorchBackend]:
    """Return a backend for two batches at a time on four cores."""
    before = torch.get_num_threads()
    monkeypatch.setattr(torch_backend, "CORES", 4)
    yield backend("cpu", 2)
    torch.set_num_threads(before)


def threads_of_a_run(runs: TorchBackend) -> int:
    """Return how many threads a batch is computed with now."""
    with runs.shared_cores():
        return torch.get_num_threads()


def test_batches_that_overlap_share_the_cores(four_cores: TorchBackend) -> None:
    with four_cores.shared_cores():
        seen = [torch.get_num_threads(), threads_of_a_run(four_cores)]
    seen += [threads_of_a_run(four_cores) for _ in range(2)]
    assert seen == [4, 2, 2, 4], "the third follows one that was not alone, and may alternate with it"


@pytest.mark.parametrize(("device", "cores", "parallel"), [("cpu", 4, 3), ("cpu", 2, 2), ("cpu", 1, 1), ("meta", 4, 1)])
def test_no_more_batches_run_than_there_are_cores(
    device: str, cores: int, parallel: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch_backend, "CORES", cores)
    assert backend(device, 3).parallel_batches == parallel


def test_every_batch_of_a_block_is_one_of_several_and_the_next_one_is_alone(four_cores: TorchBackend) -> None:
    with four_cores.together():
        assert [threads_of_a_run(four_cores) for _ in range(2)] == [2, 2]
    assert threads_of_a_run(four_cores) == 4
