"""Run the copier program on a pseudo-terminal and press keys when it asks a question."""

import fcntl
import os
import pty
import re
import select
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Callable
from pathlib import Path

ENTER = "\r"
DOWN = "j"
CTRL_C = "\x03"
CONTROL = re.compile(rb"\x1b\[[0-9;?]*[A-Za-z]|\r")


def answer(
    questions: dict[str, str],
    keys: Callable[[str], str],
    *arguments: str | Path,
    seconds: float = 60,
    **environment: str | Path,
) -> tuple[int, list[str], str]:
    """Run `copier ARGUMENTS`; each time a question's help text appears, press `keys(name)`.

    Args:
        questions: Help text of each question, by name.
        keys: Returns the keys to press for a question.
        arguments: Arguments of copier.
        seconds: Time limit for the whole run.
        environment: Further environment variables.

    Returns:
        The exit code, the names of the questions that appeared, in order, and the whole output.
    """
    terminal, other = pty.openpty()
    # Wide enough for each question to fit one line.
    fcntl.ioctl(other, termios.TIOCSWINSZ, struct.pack("HHHH", 60, 400, 0, 0))
    variables = {**os.environ, "TERM": "xterm", "PROMPT_TOOLKIT_NO_CPR": "1", **environment}
    command = [sys.executable, "-m", "copier", *arguments]
    process = subprocess.Popen(command, stdin=other, stdout=other, stderr=other, start_new_session=True, env=variables)
    os.close(other)
    asked: list[str] = []
    output = b""
    deadline = time.monotonic() + seconds
    try:
        while True:
            ready, _, _ = select.select([terminal], (), (), max(0, deadline - time.monotonic()))
            assert ready, f"stuck after {asked}: {_screen(output)[-2000:]}"
            try:
                read = os.read(terminal, 65536)
            except OSError:  # Linux: the program has closed its end
                break
            if not read:  # other systems: the same
                break
            output += read
            for name in questions:
                if name not in asked and questions[name] in _screen(output):
                    asked.append(name)
                    os.write(terminal, keys(name).encode())
        return process.wait(max(0, deadline - time.monotonic())), asked, _screen(output)
    finally:
        process.kill()
        process.wait()
        os.close(terminal)


def _screen(output: bytes) -> str:
    return CONTROL.sub(b"", output).decode(errors="replace")
