"""PyTorch: load a model with transformers, and run its graph."""

from abc import ABC, abstractmethod
from collections.abc import Generator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np
import torch
from transformers.utils import logging as transformers_logging

from ..errors import ModelUnavailableError
from ..inference.missing_libraries import explain
from .base import Backend, ModelFiles
from .cpu_threads import ConcurrentRuns

CORES = torch.get_num_threads()
"""Cores of this process, read before a thread is given a part of them."""

NOT_ALL_WEIGHTS = "it was made for another task, or a file is missing"
"""Why a model lacks weights of a network, as far as its files tell."""


class TaskGraph(torch.nn.Module, ABC):
    """The computation of a task in torch. The backend runs it, and the export to ONNX traces it."""

    output_names: ClassVar[tuple[str, ...]]
    """Names of what `forward` returns: a tensor, or a tuple of tensors."""

    def __init__(self, network: Any, preprocessor: Any, facts: Mapping[str, Any]) -> None:
        super().__init__()
        self.network = network
        self.preprocessor = preprocessor
        self.facts = facts

    @classmethod
    @abstractmethod
    def load(cls, folder: Path, device: torch.device) -> Self:
        """Return the graph of the model in a folder, on a device.

        Raises:
            ModelUnavailableError: The files cannot be loaded, or are of a model for another task.
        """

    @property
    def dynamic_axes(self) -> Mapping[str, Sequence[int]]:
        """Axes of each input that may have any size; empty for a graph that is not exported."""
        return {}

    @abstractmethod
    def forward(self, batch: dict[str, torch.Tensor]) -> Any:
        """Return the outputs for a batch of inputs by name."""


class TorchBackend(Backend):
    """Runs a graph with torch. On a CPU, batches that run at the same time share the cores."""

    def __init__(self, graph: TaskGraph, device: torch.device, parallel_batches: int = 1) -> None:
        self.graph, self.device = graph, device
        self.parallel_batches = min(parallel_batches, CORES) if device.type == "cpu" else 1
        self._runs = ConcurrentRuns()

    def run(self, batch: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Return the outputs of the graph by name, as 32-bit floats."""
        inputs = {name: torch.from_numpy(array).to(self.device) for name, array in batch.items()}
        with torch.inference_mode(), self.shared_cores():
            outputs = self.graph(inputs)
        tensors = outputs if isinstance(outputs, tuple) else (outputs,)
        named = zip(self.graph.output_names, tensors, strict=True)
        return {name: tensor.float().cpu().numpy() for name, tensor in named}

    def together(self) -> AbstractContextManager[None]:
        """Compute each batch of a block as one of several."""
        return self._runs.together()

    @contextmanager
    def shared_cores(self) -> Generator[None]:
        """Give the calling thread all cores, or its share of them while other batches run."""
        with self._runs.enter() as concurrent:
            if self.parallel_batches > 1:
                torch.set_num_threads(CORES // self.parallel_batches if concurrent else CORES)
            yield


def load_torch(
    graph_class: type[TaskGraph], folder: Path, name: str, revision: str | None, device: str, parallel_batches: int = 1
) -> tuple[ModelFiles, TorchBackend]:
    """Return the model in a folder and the backend that runs it.

    Raises:
        ModelUnavailableError: The device is missing, or the files cannot be loaded.
    """
    chosen = choose_device(device)
    graph = graph_class.load(folder, chosen)
    graph.eval()
    return ModelFiles(name, revision, graph.preprocessor, graph.facts), TorchBackend(graph, chosen, parallel_batches)


def choose_device(name: str) -> torch.device:
    """Return the device of that name; `auto` is the best one present.

    Raises:
        ModelUnavailableError: There is no such device.
    """
    if name == "auto":
        if torch.cuda.is_available():
            return torch.device("cuda")
        return torch.device("mps" if torch.backends.mps.is_available() else "cpu")
    try:
        device = torch.device(name)
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError) as error:
        reason = str(error).splitlines()[0]
        raise ModelUnavailableError(f"device {name} cannot be used: {reason}") from None
    return device


def load_pretrained(auto_class: Any, folder: Path, **options: Any) -> Any:
    """Return `auto_class.from_pretrained(folder)`, without any network access.

    Raises:
        ModelUnavailableError: The files cannot be loaded.
    """
    transformers_logging.disable_progress_bar()
    transformers_logging.disable_default_handler()  # the process configures logging
    transformers_logging.enable_propagation()
    try:
        return auto_class.from_pretrained(folder, local_files_only=True, trust_remote_code=False, **options)
    except (OSError, ValueError, KeyError, RuntimeError, ImportError) as error:
        if needed := explain(error, folder):
            raise ModelUnavailableError(f"{folder} {needed}") from None
        if "trust_remote_code" in str(error):
            raise ModelUnavailableError(f"{folder} has code of its own, which is not run: use another model") from None
        lines = str(error).strip().splitlines() or [type(error).__name__]
        raise ModelUnavailableError(f"{folder} cannot be loaded: {lines[0]}") from None


def load_network(auto_class: Any, folder: Path, device: torch.device, unused: Sequence[str] = ()) -> Any:
    """Return the network in a folder, in 32 bits and evaluation mode, on a device.

    Args:
        auto_class: The class of transformers for the task.
        folder: The files of the model.
        device: Where to compute.
        unused: Beginnings of the names of weights that the task does not need.

    Raises:
        ModelUnavailableError: The files cannot be loaded, or lack weights.
    """
    options = {"output_loading_info": True, "ignore_mismatched_sizes": True}  # the report has these, too
    network, report = load_pretrained(auto_class, folder, dtype=torch.float32, **options)
    lacking = [name for name in report["missing_keys"] if not name.startswith(tuple(unused))]
    lacking += [str(each[0]) for each in report["mismatched_keys"]]
    if lacking:
        has_code = getattr(network.config, "auto_map", None)
        reason = "it has code of its own, which is not run" if has_code else NOT_ALL_WEIGHTS
        weights = f"{len(lacking)} weights of {type(network).__name__}, such as {min(lacking)}"
        raise ModelUnavailableError(f"{folder} lacks {weights}: {reason}")
    return network.to(device).eval()
