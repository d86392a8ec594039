"""ONNX Runtime sessions of one graph: one that uses every core, and one for batches that run at the same time."""

import os
from collections.abc import Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime

from ..errors import ModelUnavailableError
from .base import Backend
from .cpu_threads import ConcurrentRuns


class SessionPool(Backend):
    """Runs a graph with ONNX Runtime.

    Raises:
        ModelUnavailableError: The graph cannot be loaded, or the device is missing.
    """

    def __init__(self, graph: Path, device: str, parallel_batches: int) -> None:
        given = os.environ.get("OMP_NUM_THREADS", "").partition(",")[0]
        threads = int(given) if given.isdigit() else 0
        self._alone = self._concurrent = _open(graph, device, threads)
        self._outputs = [each.name for each in self._alone.get_outputs()]
        on_cpu = self._alone.get_providers()[0] == "CPUExecutionProvider"
        cores = threads or os.cpu_count() or 1
        self.parallel_batches = min(parallel_batches, cores) if on_cpu else 1
        if self.parallel_batches > 1:  # each run is a thread itself, and they share the remaining cores
            self._concurrent = _open(graph, device, cores - self.parallel_batches + 1, prepack=False)
        self.wait_for_followers = self.parallel_batches == 1  # several small batches are as fast as a large one
        self._runs = ConcurrentRuns()

    def run(self, batch: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Return the outputs of the graph by name."""
        with self._runs.enter() as concurrent:
            session = self._concurrent if concurrent else self._alone
            outputs = session.run(None, dict(batch))
        return {name: np.asarray(output) for name, output in zip(self._outputs, outputs, strict=True)}

    def together(self) -> AbstractContextManager[None]:
        """Compute each batch of a block as one of several."""
        return self._runs.together()


def _open(graph: Path, device: str, threads: int, prepack: bool = True) -> onnxruntime.InferenceSession:
    """Return a session with so many threads, 0 for one each core. `prepack` copies weights into a faster layout."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.add_session_config_entry("session.disable_prepacking", "0" if prepack else "1")
    options.log_severity_level = 4  # errors are raised below
    providers = _providers(device)
    try:
        session = onnxruntime.InferenceSession(graph, options, providers=providers)
    except Exception as error:  # the runtime's exceptions share no other base
        reason = str(error).strip().splitlines()[0]
        raise ModelUnavailableError(f"{graph} cannot be loaded: {reason}; run the command export --force") from None
    if device.startswith("cuda") and "CUDAExecutionProvider" not in session.get_providers():
        raise ModelUnavailableError(f"device {device} cannot be used: set the device to auto or cpu")
    return session


def _providers(device: str) -> list[Any]:
    """Return the execution providers for a device, best first."""
    kind, _, number = device.partition(":")
    if kind not in ("auto", "cpu", "cuda") or not (number or "0").isdigit():
        raise ModelUnavailableError(f"device {device} cannot be used: choose auto, cpu or cuda")
    if kind == "cpu" or "CUDAExecutionProvider" not in onnxruntime.get_available_providers():
        return ["CPUExecutionProvider"]
    onnxruntime.preload_dlls()  # the CUDA libraries of Python packages
    return [("CUDAExecutionProvider", {"device_id": int(number or 0)}), "CPUExecutionProvider"]
