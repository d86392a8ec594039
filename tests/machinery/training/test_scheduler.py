"""Training on a schedule."""

import os
import signal
import subprocess
import sys
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from pydantic import ValidationError

from my_project.settings import Settings
from my_project.training import scheduler

SCHEDULER = """import logging, sys
from datetime import datetime
from my_project.training.scheduler import run
logging.basicConfig(level="INFO", format="%(message)s")
now = datetime.now()
run([now, now], sys.argv[1:])
"""


def test_the_next_time_follows_the_schedule() -> None:
    time = next(scheduler.occurrences("30 4 * * *"))
    now = datetime.now()
    assert now < time <= now + timedelta(days=1)
    assert (time.hour, time.minute) == (4, 30)


def test_an_invalid_schedule_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MY_PROJECT_SCHEDULE", "61 2 * * 0")
    with pytest.raises(ValidationError, match="schedule"):
        Settings()


def test_output_and_exit_code_are_logged_and_the_next_training_runs() -> None:
    command = [sys.executable, "-c", SCHEDULER, "no_such_module"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0
    assert done.stderr.count("No module named no_such_module") == 2
    assert done.stderr.count("the training ended with exit code 1") == 2


def test_a_training_has_the_lowest_priority(tmp_path: Path) -> None:
    (tmp_path / "place.py").write_text(
        "import os, sys, threading\n"
        "place = os.sched_getscheduler if sys.platform == 'linux' else lambda _: os.nice(0)\n"
        "processors = len(os.sched_getaffinity(0)) if sys.platform == 'linux' else 0\n"
        "threading.Thread(target=lambda: print(f'place {place(0)} {processors}', flush=True)).start()\n"
    )
    command, environment = [sys.executable, "-c", SCHEDULER, "place"], os.environ | {"PYTHONPATH": str(tmp_path)}
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, env=environment)
    last, processors = 19, 0
    if sys.platform == "linux":
        last, processors = os.SCHED_IDLE, (len(os.sched_getaffinity(0)) + 1) // 2
    assert done.stderr.count(f"place {last} {processors}\n") == 2, done.stderr


def test_a_signal_stops_the_training(tmp_path: Path) -> None:
    (tmp_path / "endless.py").write_text("import os, time\nprint(os.getpid(), flush=True)\ntime.sleep(600)\n")
    environment = os.environ | {"PYTHONPATH": str(tmp_path)}
    command = [sys.executable, "-c", SCHEDULER, "endless"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=environment) as process:
        assert process.stderr
        child = next(int(line) for line in process.stderr if line.strip().isdigit())
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=60) == 0
    with pytest.raises(ProcessLookupError):
        os.kill(child, 0)
