"""Trains the base model, and publishes it if it is no worse than the one before. learner.py says what is learned.

Every process that accelerate or torchrun has started runs this; the first one alone publishes.
"""

import hashlib
import json
import os
import shutil
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager, suppress
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

import torch
from accelerate import PartialState
from filelock import FileLock, Timeout
from transformers import PrinterCallback, Trainer, TrainingArguments, set_seed

from . import report, weights
from .examples import Examples, read_examples
from .learner import HIGHER_IS_BETTER, METRIC, Learner, Training
from .predictor import InvalidInput, ModelUnavailable
from .progress import Progress
from .registry import Version
from .served import registry
from .settings import Settings
from .torch_model import choose_device

Say = Callable[[str], None]

PLACE = "training"
"""Folder in the cache of what is there during a training: copies of the examples, and a folder for the training."""


class Worse(RuntimeError):
    """The new model is worse than the one before; the message says by how much, in one line."""


def train(training: Training, settings: Settings, say: Say, force: bool = False) -> Version | None:
    """Trains and publishes a model; `say` is told how far it is. None in every process but the first.

    One that was killed goes on from its last checkpoint, if nothing that it follows from has changed.
    Raises InvalidInput, ModelUnavailable, OSError and, unless it is forced, Worse.
    """
    for tool in training.report_to:
        if not find_spec(tool):
            raise InvalidInput(f"report_to: {tool} is not installed: add the extra `{tool}`")
    if "mlflow" in training.report_to:
        _ask_mlflow()
    processes = PartialState(cpu=choose_device(settings.device).type == "cpu")
    try:
        with _alone(settings, processes):
            return _train(training, settings, say if processes.is_main_process else lambda line: None, force)
    finally:
        processes.destroy_process_group()


def _ask_mlflow() -> None:
    """Raises InvalidInput where MLflow would not take what is measured, which it would say after the training began."""
    mlflow = import_module("mlflow")
    try:
        mlflow.MlflowClient().search_experiments(max_results=1)
    except mlflow.MlflowException as error:
        reason = str(error).strip().splitlines()[0][:200]
        raise InvalidInput(f"report_to: mlflow cannot be used: {reason}; MLFLOW_TRACKING_URI names a server") from error


def _train(training: Training, settings: Settings, say: Say, force: bool) -> Version | None:
    processes, place = PartialState(), settings.model_cache / PLACE
    examples, base = read_examples(training, place / "examples"), weights.locate(settings)
    say(f"{len(examples.learned):,} examples to learn from, {len(examples.held_out):,} to judge by")
    folder = place / _digest(training, settings, examples)
    if processes.is_main_process:
        for other in place.iterdir():  # left by a training that was not the same
            if other not in (folder, place / "examples"):
                shutil.rmtree(other)
    processes.wait_for_everyone()

    set_seed(training.seed)
    learner = Learner(base, training, examples.all)
    trainer = _trainer(learner, training, settings, examples, folder, training.report_to)
    trainer.add_callback(Progress(say))
    checkpoint = last_checkpoint(folder)
    if checkpoint:
        say(f"goes on from {checkpoint.name}")
    trainer.train(resume_from_checkpoint=str(checkpoint) if checkpoint else None)
    if processes.is_main_process:
        shutil.rmtree(folder / "model", ignore_errors=True)
        learner.save(folder / "model")
    processes.wait_for_everyone()
    history = trainer.state.log_history
    del learner, trainer

    metrics = _judge(Learner(folder / "model", training, examples.all, learns=False), training, settings, examples)
    say(f"trained: {report.told(metrics)}")
    before, metrics_before = _before(base, training, settings, examples, say)
    if metrics_before and (reason := _worse(metrics, metrics_before, training.margin)):
        if not force:
            raise Worse(f"not published: {reason}; --force publishes it all the same")
        say(f"published all the same: {reason}")
    if not processes.is_main_process:
        return None
    model, revision = weights.identify(settings)
    counts = {"learned": len(examples.learned), "held_out": len(examples.held_out)}
    facts = {"base": {"model": model, "revision": revision}, "examples": counts}
    compared = {"name": before, "metrics": metrics_before}
    report.write(folder / "model", training, facts, metrics, compared, history)
    version = registry(settings).publish(folder / "model", metrics)
    shutil.rmtree(place)
    return version


@contextmanager
def _alone(settings: Settings, processes: PartialState) -> Generator[None]:
    """Lets no other training run in the meantime; the first process asks for all of them."""
    if not processes.is_main_process:
        yield
        return
    (settings.model_cache / PLACE).mkdir(parents=True, exist_ok=True)
    lock = FileLock(settings.model_cache / ".training.lock", timeout=0, mode=0o664)
    try:
        lock.acquire()
    except Timeout:
        raise InvalidInput("another training is under way: wait until it has ended") from None
    try:
        yield
    finally:
        lock.release()


def _digest(training: Training, settings: Settings, examples: Examples) -> str:
    """What a training follows from, shortened: how it is looked at changes nothing."""
    how = training.model_dump(mode="json", exclude={"data", "margin", "checkpoints", "report_to"})
    what = json.dumps([how, weights.identify(settings), examples.digest, PartialState().num_processes])
    return hashlib.sha256(what.encode()).hexdigest()[:16]


def _trainer(
    learner: Learner,
    training: Training,
    settings: Settings,
    examples: Examples,
    folder: Path,
    report_to: Sequence[str] = (),
) -> Trainer:
    os.environ.setdefault("TENSORBOARD_LOGGING_DIR", str(settings.model_cache / "tensorboard" / folder.name))
    options = TrainingArguments(
        output_dir=str(folder),
        seed=training.seed,
        num_train_epochs=training.epochs,
        per_device_train_batch_size=training.batch_size,
        per_device_eval_batch_size=training.batch_size,
        gradient_accumulation_steps=training.accumulate,
        learning_rate=training.learning_rate,
        warmup_steps=training.warmup,
        bf16=training.precision == "bf16",
        fp16=training.precision == "fp16",
        use_cpu=choose_device(settings.device).type == "cpu",
        logging_steps=0.02,
        eval_strategy="epoch",
        save_strategy="steps",
        save_steps=1 / training.checkpoints,
        save_total_limit=1,
        report_to=list(report_to) or "none",
        label_names=["labels"],
        remove_unused_columns=False,  # the learner makes them
        disable_tqdm=True,
        dataloader_pin_memory=torch.cuda.is_available(),
    )
    trainer = Trainer(
        learner.network,
        options,
        data_collator=learner.collate,
        train_dataset=examples.learned.with_transform(learner.encode),
        eval_dataset=examples.held_out.with_transform(learner.encode_to_judge),
        compute_metrics=learner.measure,
    )
    trainer.remove_callback(PrinterCallback)  # its place is taken by what is told here
    return trainer


def last_checkpoint(folder: Path) -> Path | None:
    """The newest checkpoint that was written to its end: the state is what is written last."""
    for each in sorted(folder.glob("checkpoint-*"), key=lambda path: int(path.name.rpartition("-")[2]), reverse=True):
        with suppress(OSError, ValueError):
            json.loads((each / "trainer_state.json").read_text("utf-8"))
            return each
    return None


def _judge(learner: Learner, training: Training, settings: Settings, examples: Examples) -> dict[str, float]:
    """What a model makes of the examples that are held out. Raises InvalidInput."""
    trainer = _trainer(learner, training, settings, examples, settings.model_cache / PLACE / "judged")
    found = {name.removeprefix("eval_"): value for name, value in trainer.evaluate().items()}
    return {name: found[name] for name in dict.fromkeys([METRIC, "loss"])}


def _before(
    base: Path, training: Training, settings: Settings, examples: Examples, say: Say
) -> tuple[str | None, dict[str, float] | None]:
    """The newest version, or the base model where there is none, and what that makes of the same examples."""
    versions = registry(settings)
    name = next(iter(versions.names()), None)
    try:
        folder = versions.fetch(versions.find(name), settings.model_cache) if name else base
        learner = Learner(folder, training, examples.all, learns=False)
    except (ModelUnavailable, InvalidInput) as reason:
        say(f"the one before, {name or 'the base model'}, cannot be compared with: {reason}")
        return name, None
    metrics = _judge(learner, training, settings, examples)
    say(f"the one before, {name or 'the base model'}: {report.told(metrics)}")
    return name, metrics


def _worse(metrics: dict[str, float], before: dict[str, float], margin: float) -> str:
    """Why the new model is not to be published; empty if it is. One that gives no number is worse than any."""
    new, old = metrics[METRIC], before[METRIC]
    by = old - new if HIGHER_IS_BETTER else new - old
    if by <= margin or old != old:
        return ""
    return f"its {METRIC} of {new:.4f} is worse than the {old:.4f} of the one before by more than {margin:g}"
