"""How far a training is, in lines that people and logs can read."""

import time
from collections.abc import Callable
from typing import Any

from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from .report import told


class Progress(TrainerCallback):
    """Says how far a training is and how long the rest will take, about fifty times."""

    def __init__(self, say: Callable[[str], None]) -> None:
        self._say = say
        self._began = 0.0
        self._first = 0

    def on_train_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        """Called before the first step, which is a later one where a training goes on."""
        self._began, self._first = time.monotonic(), state.global_step

    def on_log(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        logs: dict[str, float] | None = None,
        **kwargs: Any,
    ) -> None:
        """Called with what was measured."""
        logs = logs or {}
        done = state.global_step - self._first
        if "loss" in logs and done:
            rest = (time.monotonic() - self._began) / done * (state.max_steps - state.global_step)
            step = f"step {state.global_step} of {state.max_steps}, epoch {state.epoch or 0:.2f}"
            self._say(f"{step}: loss {logs['loss']:.4f}, {rest:.0f} s left")
        if "eval_loss" in logs:
            found = {name.removeprefix("eval_"): value for name, value in logs.items() if name.startswith("eval_")}
            self._say(f"held out: {told(found)}")
