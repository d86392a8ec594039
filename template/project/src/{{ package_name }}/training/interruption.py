"""Save a checkpoint when the training is told to end, as clusters do before they take its machines away."""

import signal
import threading
from collections.abc import Generator
from contextlib import contextmanager
from typing import Any

from transformers import Trainer, TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from .task import TrainingInterruptedError

SIGNALS = tuple(getattr(signal, name) for name in ("SIGTERM", "SIGUSR1") if hasattr(signal, name))
"""Signals that announce the end: SIGTERM of most systems, and SIGUSR1, which jobs of Slurm ask for in advance."""


@contextmanager
def saved_when_interrupted(trainer: Trainer) -> Generator[None]:
    """Save a checkpoint and raise TrainingInterruptedError after the step in which a signal arrives.

    The processes of a distributed training stop after the same step, whichever gets the signal. The Trainer's own
    `enable_jit_checkpoint` does not agree on a step, so that some processes would wait for the others without end.
    """
    interruption = _Interruption(trainer)
    trainer.add_callback(interruption)
    if threading.current_thread() is not threading.main_thread():  # no other may handle signals
        yield
        return
    previous = {each: signal.signal(each, interruption.note) for each in SIGNALS}
    try:
        yield
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)


class _Interruption(TrainerCallback):
    """Tells the Trainer to save once any process has noted a signal, and stops the training after it has saved."""

    def __init__(self, trainer: Trainer) -> None:
        self._accelerator = trainer.accelerator
        self._noted = self._agreed = False

    def note(self, *_: Any) -> None:
        """Handle a signal: the state of the training is complete only between two steps."""
        self._noted = True

    def on_step_end(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any) -> None:
        """Ask all processes."""
        if self._noted:
            self._accelerator.set_trigger()
        if self._accelerator.check_trigger():
            self._agreed = control.should_save = True

    def on_save(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any) -> None:
        """Stop the training.

        A launcher may end all processes as soon as one has ended: none does before the main process has saved.
        """
        if self._agreed:
            self._accelerator.wait_for_everyone()
            step = f"step {state.global_step} of {state.max_steps}"
            raise TrainingInterruptedError(f"interrupted and saved at {step}; start it again to resume")
