"""Train on a schedule: one training at a time, each in a process of its own with the lowest priority."""

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

CLOCK_CHECK_SECONDS = 30.0
"""Time between two looks at the clock, which may be set, or stand still while the machine sleeps."""

HEARTBEAT_FILE = Path(tempfile.gettempdir(), "schedule-alive")
"""File that is touched at each look; the health check in compose.yaml reads its age."""


def occurrences(schedule: str) -> Iterator[datetime]:
    """Yield the next time of a cron expression in local time (TZ). Times that pass between two calls are skipped."""
    while True:
        yield next(CronSim(schedule, datetime.now()))


def run(times: Iterable[datetime], command: list[str]) -> None:
    """Run a command at each time until SIGTERM or Ctrl-C, which also ends a running command.

    Args:
        times: When to run it.
        command: A module to run with this Python, and its arguments.
    """
    stopped = threading.Event()
    for each in (signal.SIGTERM, signal.SIGINT):
        signal.signal(each, lambda *_: stopped.set())
    for time in times:
        logger.info("the next training begins at %s", time.isoformat(timespec="minutes"))
        while (remaining := (time - datetime.now()).total_seconds()) > 0:
            HEARTBEAT_FILE.touch()
            if stopped.wait(min(remaining, CLOCK_CHECK_SECONDS)):
                return
        _run(command, stopped)
        if stopped.is_set():
            return


def _run(command: list[str], stopped: threading.Event) -> None:
    logger.info("the training begins")
    with subprocess.Popen(  # noqa: S603 - the project's own command
        [sys.executable, "-m", *command], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as training:
        _lower_priority(training.pid)
        thread = threading.Thread(target=_log, args=[training.stdout])
        thread.start()
        while training.poll() is None:
            HEARTBEAT_FILE.touch()
            if stopped.wait(1):
                training.terminate()
                training.wait()
        thread.join()
    level = logging.INFO if training.returncode == 0 else logging.ERROR
    logger.log(level, "the training ended with exit code %d", training.returncode)


def _lower_priority(process: int) -> None:
    """Let a process and its children use only idle time of half of the processors.

    The system first divides time between containers, then between the processes in each: so a low priority alone would
    still slow down the other containers.
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
