"""Running programs, as their users do."""

import subprocess
from pathlib import Path
from typing import Any


def run(command: list[str | Path], **options: Any) -> subprocess.CompletedProcess[str]:
    """Runs a program and returns what it wrote, as text; never raises for its exit code."""
    return subprocess.run(command, **{"capture_output": True, "text": True, "check": False, **options})
