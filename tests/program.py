"""Running programs, as their users do."""

import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any


def run(command: Sequence[str | Path], **options: Any) -> subprocess.CompletedProcess[str]:
    """Run a program and return what it wrote, as text; never raise for its exit code."""
    settings: dict[str, Any] = {"capture_output": True, "text": True, "check": False, **options}
    return subprocess.run(command, **settings)
