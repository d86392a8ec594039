"""Trainings and schedulers that run at once on one registry, as processes."""

import os
import signal
import subprocess
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from tests.conftest import need
from tests.installed import Make, Project
from tests.project.customers import until
from tests.project.test_checks import BUCKET

pytestmark = pytest.mark.project

RATINGS = "".join(
    f'{{"user": "user-{user}", "item": "item-{item}", "rating": {(user * item) % 5 + 1}}}\n'
    for user in range(40)
    for item in range(20)
    if (user + item) % 3
)

REFUSED = "another training is running: it holds "

SCHEDULER = """import sys
from datetime import datetime
from my_project.cli.program import main
from my_project.training import scheduler
run, options = scheduler.run, ["--config", sys.argv.pop()]
scheduler.run = lambda _, command: run([datetime.now()], [*command, *options])
main()
"""
"""The command line, with a schedule of one training that begins now and reads the configuration of the test."""

Start = Callable[..., "subprocess.Popen[str]"]


@pytest.fixture(scope="module")
def project(make_project: Make) -> Project:
    """Return a platform with training."""
    need(hasattr(os, "mkfifo"), "needs named pipes")
    return make_project(**BUCKET)


@pytest.fixture
def ratings(tmp_path: Path) -> Path:
    """Return a named pipe: a training that reads its examples from it has begun, and waits for a writer."""
    pipe = tmp_path / "ratings.jsonl"
    os.mkfifo(pipe)
    (tmp_path / "training.yaml").write_text(f"data: {pipe}\n")
    return pipe


@pytest.fixture
def start(project: Project, tmp_path: Path) -> Iterator[Start]:
    """Return a function that starts the project's Python; what it has started is killed at the end."""
    settings = {"MY_PROJECT_MODEL": str(tmp_path / "models"), "MY_PROJECT_MODEL_CACHE": str(tmp_path / "cache")}
    with ExitStack() as stack:

        def start(*arguments: str) -> "subprocess.Popen[str]":
            process = subprocess.Popen(
                [project.path / ".venv/bin/python", *arguments, str(tmp_path / "training.yaml")],
                cwd=project.path,
                env=project.environment | settings,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
                text=True,
            )
            stack.enter_context(process)
            stack.callback(process.kill)
            return process

        yield start


TRAIN = ("-m", "my_project", "train", "--config")


def versions(folder: Path) -> list[str]:
    """Return the names of the published versions."""
    return [each.name for each in folder.glob("models/[0-9]*")]


def ended(processes: Sequence["subprocess.Popen[str]"], count: int) -> list["subprocess.Popen[str]"]:
    """Return the processes that have ended, once there are so many."""
    until(lambda: sum(each.poll() is not None for each in processes) >= count, f"{count} ended")
    return [each for each in processes if each.poll() is not None]


@contextmanager
def training(ratings: Path) -> Iterator[None]:
    """Wait until a training has begun; let it go on when the block ends."""
    with ratings.open("w") as examples:  # returns when somebody reads
        yield
        examples.write(RATINGS)


def test_one_of_several_trainings_at_once_publishes_and_the_others_say_so(
    start: Start, ratings: Path, tmp_path: Path
) -> None:
    processes = [start(*TRAIN) for _ in range(3)]
    with training(ratings):
        refused = ended(processes, 2)
        for each in refused:
            assert each.stderr
            [line] = each.stderr.read().splitlines()
            assert line.startswith(f"error: {REFUSED}"), line
            assert each.returncode == 1
        assert versions(tmp_path) == []
    [trained] = [each for each in processes if each not in refused]
    _, log = trained.communicate(timeout=60)
    assert trained.returncode == 0, log
    assert len(versions(tmp_path)) == 1


def test_the_lock_of_a_killed_training_does_not_block_the_next(start: Start, ratings: Path, tmp_path: Path) -> None:
    first = start(*TRAIN)
    with ratings.open("w"):  # returns when it has begun
        first.kill()
        assert first.wait(timeout=60) == -signal.SIGKILL
    assert versions(tmp_path) == []
    second = start(*TRAIN)
    with training(ratings):
        pass
    _, log = second.communicate(timeout=60)
    assert second.returncode == 0, log
    assert len(versions(tmp_path)) == 1


def test_one_of_two_schedulers_at_once_trains_and_the_other_logs_why_not(
    start: Start, ratings: Path, tmp_path: Path
) -> None:
    processes = [start("-c", SCHEDULER, "schedule") for _ in range(2)]
    with training(ratings):
        [refused] = ended(processes, 1)
        assert refused.stderr
        log = refused.stderr.read()
        assert (log.count(REFUSED), log.count("the training ended with exit code 1")) == (1, 1), log
        assert refused.returncode == 0, "it goes on with the next time of its schedule"
    [trained] = [each for each in processes if each is not refused]
    _, log = trained.communicate(timeout=60)
    assert "the training ended with exit code 0" in log and REFUSED not in log
    assert len(versions(tmp_path)) == 1
