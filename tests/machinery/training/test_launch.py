"""The launcher of a distributed training passes on signals and exit codes, without a traceback of its own."""

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from my_project.training import launch

PROGRAM = """
import os, signal, sys
signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
os.write(1, b"began\\n")
what = sys.argv[1]
if what == "wait":
    signal.sigwait({signal.SIGTERM})
    os.write(1, b"saved\\n")
    sys.exit(75)
if what == "die":
    os.kill(os.getpid(), signal.SIGKILL)
sys.exit(int(what))
"""


@pytest.mark.parametrize(("what", "code"), [("0", 0), ("3", 3), ("die", 137), ("wait", 143)])
def test_the_exit_code_tells_how_the_processes_ended(tmp_path: Path, what: str, code: int) -> None:
    program = tmp_path / "program.py"
    program.write_text(PROGRAM)
    command = [sys.executable, "-m", launch.__name__, "--standalone", "--nproc-per-node=2", program, what]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout
        began = [process.stdout.readline() for _ in range(2)]
        if what == "wait":
            process.send_signal(signal.SIGTERM)
        output, log = process.communicate(timeout=60)
    assert process.returncode == code, log
    assert "Traceback" not in log
    assert began == ["began\n"] * 2
    assert output == ("saved\n" * 2 if what == "wait" else "")
