"""Progress of transformers' Trainer, as lines of text."""

import time
from collections.abc import Callable, Iterable
from typing import Any

from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from .report import format_metrics


class ProgressLines(TrainerCallback):
    """Report the step, the loss and the remaining time with each log of the Trainer."""

    def __init__(self, log: Callable[[str], None], metrics: Iterable[str]) -> None:
        """Report nothing yet.

        Args:
            log: Called with each line.
            metrics: Names of the metrics to tell after an evaluation.
        """
        self._log, self._metrics = log, tuple(metrics)
        self._began = 0.0
        self._first_step = 0

    def on_train_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        """Note when the training begins, and at which step if it is resumed."""
        self._began, self._first_step = time.monotonic(), state.global_step

    def on_log(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        logs: dict[str, float] | None = None,
        **kwargs: Any,
    ) -> None:
        """Report what the Trainer logs."""
        logs = logs or {}
        steps = state.global_step - self._first_step
        if "loss" in logs and steps:
            remaining = (time.monotonic() - self._began) / steps * (state.max_steps - state.global_step)
            step = f"step {state.global_step} of {state.max_steps}, epoch {state.epoch or 0:.2f}"
            self._log(f"{step}: loss {logs['loss']:.4f}, {remaining:.0f} s left")
        if evaluated := {name: logs[f"eval_{name}"] for name in self._metrics if f"eval_{name}" in logs}:
            self._log(f"held out: {format_metrics(evaluated)}")
