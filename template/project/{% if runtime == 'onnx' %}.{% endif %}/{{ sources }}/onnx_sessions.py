"""A graph, open in ONNX Runtime for one who runs it alone, and for several who do at the same time."""

import os
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime

from .concurrency import Concurrency
from .predictor import ModelUnavailable


class Sessions:
    """Runs a graph. Raises ModelUnavailable."""

    def __init__(self, graph: Path, device: str, streams: int) -> None:
        given = os.environ.get("OMP_NUM_THREADS", "").partition(",")[0]
        threads = int(given) if given.isdigit() else 0
        self._alone = self._beside = _open(graph, device, threads)
        on_cpu = self._alone.get_providers()[0] == "CPUExecutionProvider"
        cores = threads or os.cpu_count() or 1
        self.streams = min(streams, cores) if on_cpu else 1
        """How many may run it at the same time."""
        if self.streams > 1:  # each is a thread itself, and they share what is left of them
            self._beside = _open(graph, device, cores - self.streams + 1, packs=False)
        self._concurrency = Concurrency()

    def run(self, **inputs: np.ndarray) -> np.ndarray:
        """The graph's output, a row for each of the inputs' rows."""
        with self._concurrency.beside() as beside:
            [output] = (self._beside if beside else self._alone).run(None, inputs)
        return np.asarray(output)


def _open(graph: Path, device: str, threads: int, packs: bool = True) -> onnxruntime.InferenceSession:
    """Computes with so many threads, 0 being one for each core; `packs` copies weights into a faster order."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.add_session_config_entry("session.disable_prepacking", "0" if packs else "1")
    options.log_severity_level = 4  # what goes wrong here is said below
    providers = _providers(device)
    try:
        session = onnxruntime.InferenceSession(graph, options, providers=providers)
    except Exception as error:  # the runtime's own kinds, which share no other base
        reason = str(error).strip().splitlines()[0]
        raise ModelUnavailable(f"{graph} cannot be loaded: {reason}; run the command export --force") from None
    if device.startswith("cuda") and "CUDAExecutionProvider" not in session.get_providers():
        raise ModelUnavailable(f"device {device} cannot be used: set the device to auto or cpu")
    return session


def _providers(device: str) -> list[Any]:
    """What computes, best first; what cannot be used is passed over."""
    kind, _, number = device.partition(":")
    if kind not in ("auto", "cpu", "cuda") or not (number or "0").isdigit():
        raise ModelUnavailable(f"device {device} cannot be used: choose auto, cpu or cuda")
    if kind == "cpu" or "CUDAExecutionProvider" not in onnxruntime.get_available_providers():
        return ["CPUExecutionProvider"]
    onnxruntime.preload_dlls()  # of the CUDA that Python packages carry
    return [("CUDAExecutionProvider", {"device_id": int(number or 0)}), "CPUExecutionProvider"]
