"""Training of a transformers model with its Trainer, on one or several devices.

accelerate and launch.py start several processes. Each runs the same code; the main process saves and publishes.
"""

import hashlib
import json
import os
import shutil
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any, ClassVar, TypeVar
from zipfile import is_zipfile

import torch
from accelerate import PartialState
from datasets import Dataset
from safetensors import SafetensorError, safe_open
from transformers import EvalPrediction, PreTrainedModel, PrinterCallback, Trainer, TrainingArguments, set_seed

from ..backends.torch import choose_device
from ..errors import InvalidInputError, ModelUnavailableError
from .callbacks import ProgressLines
from .dataset import Examples, read_examples
from .interruption import saved_when_interrupted
from .report import CURVES_FILE
from .task import WORKSPACE, TrainingTask
from .trainer_config import TrainerConfig


class BaseLearner(ABC):
    """A network with all that a Trainer needs: the encoding of examples, batches and metrics.

    Args:
        folder: The files of the model.
        config: The configuration of the training.
        examples: All examples, of which a classifier takes its labels.
        trainable: Whether the model is to be trained; otherwise it is only evaluated.
    """

    network: Any
    """A torch module whose result has a loss."""

    counts_items: ClassVar[bool] = False
    """Whether the network divides its loss by `num_items_in_batch`. Many models take that argument and ignore it."""

    history: Sequence[dict[str, float]] = ()
    """The logs of the Trainer."""

    @abstractmethod
    def __init__(self, folder: Path, config: Any, examples: Dataset, trainable: bool = True) -> None:
        """Load the model. May raise ModelUnavailableError, and InvalidInputError if the examples do not fit it."""

    @abstractmethod
    def encode(self, batch: dict[str, list[Any]]) -> Mapping[str, Any]:
        """Return the network's arguments for examples, as lists. May raise InvalidInputError."""

    def encode_for_evaluation(self, batch: dict[str, list[Any]]) -> Mapping[str, Any]:
        """Return the same for held-out examples; equal examples must give equal results."""
        return self.encode(batch)

    @abstractmethod
    def collate(self, features: list[Any]) -> dict[str, Any]:
        """Return a batch of encoded examples, as tensors."""

    def compute_metrics(self, prediction: EvalPrediction) -> dict[str, float]:
        """Return the metrics of predictions for the held-out examples. Not called if the task's metric is the loss."""
        return {}

    @abstractmethod
    def save(self, folder: Path) -> None:
        """Write the files of the model to an empty folder."""


ConfigT = TypeVar("ConfigT", bound=TrainerConfig)


class TransformersTraining(TrainingTask[ConfigT, Examples, BaseLearner]):
    """Train the base model with transformers' Trainer. A subclass names its Config, metric and Learner.

    An interrupted training resumes from its last checkpoint if configuration, examples and base model are the same.
    """

    Learner: ClassVar[type[BaseLearner]]

    packages: ClassVar[tuple[str, ...]] = ("torch", "transformers")

    def setup(self) -> None:
        """Check the tools that metrics are reported to, and join the process group."""
        for tool in self.config.report_to:
            if not find_spec(tool):
                raise InvalidInputError(f"report_to: {tool} is not installed: add the extra `{tool}`")
        if "mlflow" in self.config.report_to:
            _check_mlflow()
        self.is_main_process = PartialState(cpu=self._device.type == "cpu").is_main_process

    def teardown(self) -> None:
        """Leave the process group."""
        PartialState().destroy_process_group()

    def synchronize(self) -> None:
        """Wait for the other processes."""
        PartialState().wait_for_everyone()

    def load_data(self, cache: Path) -> Examples:
        """Read the examples that the configuration names."""
        return read_examples(self.config, cache)

    def digest(self, data: Examples) -> str | None:
        """Return the SHA-256 of all examples, in order."""
        return data.digest

    def train(self, data: Examples, workspace: Path) -> BaseLearner:
        """Train the base model, or resume an interrupted training."""
        if self.base is None:
            raise ModelUnavailableError("there is no base model to train")
        folder = self.base.locate()
        run = workspace / self._fingerprint(data)
        if self.is_main_process:
            for other in workspace.iterdir():  # of a training that was not the same
                if other.name not in (run.name, "examples"):
                    shutil.rmtree(other)
        self.synchronize()

        set_seed(self.config.seed)
        learner = self.Learner(folder, self.config, data.all)
        trainer = self._trainer(learner, data, run, self.config.report_to)
        trainer.add_callback(ProgressLines(self.log, self._metric_names))
        checkpoint = last_checkpoint(run, self.log)
        if checkpoint:
            self.log(f"resuming from {checkpoint.name}")
            _load_weights(learner.network, checkpoint)
        with saved_when_interrupted(trainer):
            trainer.train(resume_from_checkpoint=str(checkpoint) if checkpoint else None)
        learner.history = trainer.state.log_history
        return learner

    def save(self, model: BaseLearner, folder: Path) -> None:
        """Write the files of the model, and a picture of its losses."""
        model.save(folder)
        _draw_losses(folder / CURVES_FILE, model.history)

    def load(self, folder: Path, data: Examples) -> BaseLearner:
        """Load a model, to evaluate it."""
        return self.Learner(folder, self.config, data.all, trainable=False)

    def evaluate(self, model: BaseLearner, data: Examples) -> dict[str, float]:
        """Return the task's metric and the loss on the held-out examples."""
        trainer = self._trainer(model, data, self.settings.model_cache / WORKSPACE / "evaluation")
        found = {name.removeprefix("eval_"): value for name, value in trainer.evaluate().items()}
        return {name: found[name] for name in self._metric_names}

    def details(self, model: BaseLearner) -> dict[str, Any]:
        """Return the base model and what the Trainer has logged."""
        base = {"model": self.base.name, "revision": self.base.revision} if self.base else None
        return {"base": base, "history": list(model.history)}

    @property
    def _device(self) -> torch.device:
        return choose_device(self.settings.device)

    @property
    def _metric_names(self) -> list[str]:
        return list(dict.fromkeys([self.metric.name, "loss"]))

    def _fingerprint(self, data: Examples) -> str:
        """Return a hash of all that decides the weights."""
        config = self.config.model_dump(mode="json", exclude={"data", "margin", "checkpoints", "report_to"})
        base = [self.base.name, self.base.revision] if self.base else None
        content = json.dumps([config, base, data.digest, PartialState().num_processes])
        return hashlib.sha256(content.encode()).hexdigest()[:16]

    def _trainer(self, learner: BaseLearner, data: Examples, folder: Path, report_to: Sequence[str] = ()) -> Trainer:
        config = self.config
        os.environ.setdefault("TENSORBOARD_LOGGING_DIR", str(self.settings.model_cache / "tensorboard" / folder.name))
        options = TrainingArguments(
            output_dir=str(folder),
            seed=config.seed,
            num_train_epochs=config.epochs,
            per_device_train_batch_size=config.batch_size,
            per_device_eval_batch_size=config.batch_size,
            gradient_accumulation_steps=config.accumulate,
            learning_rate=config.learning_rate,
            warmup_steps=config.warmup,
            bf16=config.precision == "bf16",
            fp16=config.precision == "fp16",
            use_cpu=self._device.type == "cpu",
            logging_steps=0.02,
            eval_strategy="epoch",
            save_strategy="steps",
            save_steps=1 / config.checkpoints,
            save_total_limit=1,
            report_to=list(report_to) or "none",
            label_names=["labels"],
            remove_unused_columns=False,  # the learner makes the columns that the network takes
            disable_tqdm=True,
            dataloader_pin_memory=torch.cuda.is_available(),
        )
        if not learner.counts_items:  # or the Trainer would multiply the loss by the number of processes
            learner.network.accepts_loss_kwargs = False
        trainer = Trainer(
            learner.network,
            options,
            data_collator=learner.collate,
            train_dataset=data.train.with_transform(learner.encode),
            eval_dataset=data.held_out.with_transform(learner.encode_for_evaluation),
            compute_metrics=None if self.metric.name == "loss" else learner.compute_metrics,
        )
        trainer.remove_callback(PrinterCallback)  # ProgressLines takes its place
        return trainer


def _load_weights(network: torch.nn.Module, checkpoint: Path) -> None:
    """Load the weights of a checkpoint into a model of transformers.

    Such a model may save its weights under other names than those in memory, as ViT does. The Trainer itself leaves out
    the weights whose names it does not find, and goes on with those of the base model.
    """
    if isinstance(network, PreTrainedModel):
        network.load_state_dict(type(network).from_pretrained(checkpoint).state_dict())


def last_checkpoint(folder: Path, log: Callable[[str], None]) -> Path | None:
    """Return the newest complete checkpoint in a folder; log each newer one that is not complete."""
    for each in sorted(folder.glob("checkpoint-*"), key=lambda path: int(path.name.rpartition("-")[2]), reverse=True):
        if _is_complete(each):
            return each
        log(f"skipping {each.name}: it is incomplete")
    return None


def _is_complete(checkpoint: Path) -> bool:
    """Return whether all files of a checkpoint can be read.

    The Trainer writes the state last, but a machine that fails may lose the end of any file.
    """
    with suppress(OSError, ValueError, SafetensorError):
        json.loads((checkpoint / "trainer_state.json").read_text("utf-8"))
        for weights in checkpoint.glob("*.safetensors"):
            safe_open(weights, "pt")
        return all(is_zipfile(state) for state in checkpoint.glob("*.pt*"))  # *.pth: the random numbers of a process
    return False


def _draw_losses(path: Path, history: Sequence[dict[str, float]]) -> None:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8, 4), layout="constrained")
    axes = figure.subplots()
    for name, label in (("loss", "training"), ("eval_loss", "held out")):
        points = [(each["epoch"], each[name]) for each in history if name in each]
        if points:
            axes.plot(*zip(*points, strict=True), label=label, marker="." if len(points) < 20 else "")
    axes.set(xlabel="epoch", ylabel="loss")
    axes.legend()
    figure.savefig(path, dpi=100)


def _check_mlflow() -> None:
    """Raise InvalidInputError if MLflow cannot be reached, before hours of training."""
    mlflow = import_module("mlflow")
    try:
        mlflow.MlflowClient().search_experiments(max_results=1)
    except mlflow.MlflowException as error:
        reason = str(error).strip().splitlines()[0][:200]
        message = f"report_to: mlflow cannot be used: {reason}; MLFLOW_TRACKING_URI names a server"
        raise InvalidInputError(message) from error
