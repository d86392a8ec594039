"""Trains the recommender, and publishes it if it is no worse than the one before."""

import math
import shutil
import tempfile
import time
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Annotated

from filelock import FileLock, Timeout
from pydantic import Field

from .configuration import Configuration
from .predictor import InvalidInput, ModelUnavailable
from .ratings import Rating, make_ratings
from .ratings_file import read_ratings
from .recommender import Recommender
from .registry import Registry, Version
from .served import registry
from .settings import Settings

MODEL_FILE = "recommender.joblib"
"""Name of the model's file in a version."""

PREFIX = ".trained-"
"""Begins the names of folders that hold a model until it is published."""


class Training(Configuration):
    """How to train: training.yaml says what each means."""

    data: Path | None = None
    components: Annotated[int, Field(ge=1, le=500)] = 4
    seed: Annotated[int, Field(ge=0, lt=2**32)] = 0
    holdout: Annotated[float, Field(gt=0, lt=1)] = 0.1
    margin: Annotated[float, Field(ge=0)] = 0.02


class Worse(RuntimeError):
    """The new model is worse than the one before; the message says by how much, in one line."""


def load_ratings(training: Training) -> tuple[list[Rating], list[Rating]]:
    """Ratings to learn from, and those to judge by. Raises InvalidInput and OSError.

    Which is which follows from user and item: so no model has learned from what the next one is judged by.
    """
    ratings = read_ratings(training.data) if training.data else make_ratings(seed=training.seed)
    learned: list[Rating] = []
    held_out: list[Rating] = []
    for each in ratings:
        part = zlib.crc32(f"{each.user}\0{each.item}".encode()) / 2**32
        (held_out if part < training.holdout else learned).append(each)
    if not learned or not held_out:
        raise InvalidInput(f"{len(ratings)} ratings are too few to keep a part of {training.holdout:g} apart")
    return learned, held_out


def train(training: Training, settings: Settings, say: Callable[[str], None], force: bool = False) -> Version:
    """Trains and publishes a model; `say` is told how far it is.

    Raises InvalidInput, ModelUnavailable, OSError and, unless it is forced, Worse.
    """
    settings.model_cache.mkdir(parents=True, exist_ok=True)
    try:
        with FileLock(settings.model_cache / ".training.lock", timeout=0, mode=0o664):
            return _train(training, settings, say, force)
    except Timeout:
        raise InvalidInput("another training is under way: wait until it has ended") from None


def _train(training: Training, settings: Settings, say: Callable[[str], None], force: bool) -> Version:
    learned, held_out = load_ratings(training)
    say(f"{len(learned):,} ratings to learn from, {len(held_out):,} to judge by")
    started = time.monotonic()
    model = Recommender(learned, training.components, training.seed)
    error = model.rmse(held_out)
    say(f"trained in {time.monotonic() - started:.1f} s, its error is {error:.4f}")
    versions = registry(settings)
    before = _error_before(versions, settings, held_out, say)
    if not error <= before * (1 + training.margin):
        reason = f"its error of {error:.4f} is over {1 + training.margin:g} times the {before:.4f} of the one before"
        if not force:
            raise Worse(f"not published: {reason}; --force publishes it all the same")
        say(f"published all the same: {reason}")
    for left in settings.model_cache.glob(f"{PREFIX}*"):  # by a training that was killed
        shutil.rmtree(left)
    with tempfile.TemporaryDirectory(prefix=PREFIX, dir=settings.model_cache) as folder:
        model.save(Path(folder, MODEL_FILE))
        return versions.publish(Path(folder), {"rmse": error})


def _error_before(versions: Registry, settings: Settings, held_out: list[Rating], say: Callable[[str], None]) -> float:
    """The error of the newest model on the same ratings; infinite where there is none that could be asked."""
    names = versions.names()
    if not names:
        return math.inf
    try:
        folder = versions.fetch(versions.find(names[0]), settings.model_cache)
        error = Recommender.load(folder / MODEL_FILE).rmse(held_out)
    except ModelUnavailable as reason:
        say(f"the model before cannot be compared with: {reason}")
        return math.inf
    say(f"the one before, {names[0]}, has an error of {error:.4f}")
    return math.inf if math.isnan(error) else error
