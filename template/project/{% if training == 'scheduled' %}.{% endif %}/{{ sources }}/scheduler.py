"""Trains on a schedule, one training at a time, each in a process of its own which gives way to everything else."""

import logging
import os
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterable, Iterator
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import IO

from cronsim import CronSim

logger = logging.getLogger(__name__)

STEP = 30.0
"""Seconds between two looks at the clock, which may be set, or stand still while a machine sleeps."""

ALIVE = Path(tempfile.gettempdir(), "schedule-alive")
"""File that is touched whenever it has looked; compose.yaml looks there."""


def moments(schedule: str) -> Iterator[datetime]:
    """When to train, as the clock on the wall shows it (TZ): of what was missed in the meantime, nothing."""
    while True:
        yield next(CronSim(schedule, datetime.now()))


def run(times: Iterable[datetime], command: list[str]) -> None:
    """Runs a command at each of the times until SIGTERM or Ctrl-C, which it gets too if it is running then."""
    ended = threading.Event()
    for each in (signal.SIGTERM, signal.SIGINT):
        signal.signal(each, lambda *_: ended.set())
    for moment in times:
        logger.info("the next training begins at %s", moment.isoformat(timespec="minutes"))
        while (rest := (moment - datetime.now()).total_seconds()) > 0:
            ALIVE.touch()
            if ended.wait(min(rest, STEP)):
                return
        _run(command, ended)
        if ended.is_set():
            return


def _run(command: list[str], ended: threading.Event) -> None:
    logger.info("a training begins")
    with subprocess.Popen(  # noqa: S603 - the project's own command
        [sys.executable, "-m", *command], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as training:
        _put_last(training.pid)
        thread = threading.Thread(target=_log, args=[training.stdout])
        thread.start()
        while training.poll() is None:
            ALIVE.touch()
            if ended.wait(1):
                training.terminate()
                training.wait()
        thread.join()
    level = logging.INFO if training.returncode == 0 else logging.ERROR
    logger.log(level, "the training ended with exit code %d", training.returncode)


def _put_last(process: int) -> None:
    """Lets a process, and all that it will start, compute where nobody else wants to, on half of the processors.

    Containers are weighed against each other before the processes in them are, so that to be last is not enough there.
    """
    with suppress(OSError):  # a sandbox may forbid it
        if sys.platform == "linux":
            os.sched_setscheduler(process, os.SCHED_IDLE, os.sched_param(0))
            processors = sorted(os.sched_getaffinity(process))
            os.sched_setaffinity(process, processors[len(processors) // 2 :])
        elif sys.platform != "win32":
            os.setpriority(os.PRIO_PROCESS, process, 19)


def _log(lines: IO[str]) -> None:
    for line in lines:
        logger.info("%s", line.rstrip())
