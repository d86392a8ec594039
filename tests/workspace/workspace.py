"""A workspace, worked on with its own commands."""

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.conftest import TORCH_INDEX
from tests.program import run
from tests.releases import NEWEST, copied

PROJECT = ["--data=hf_task=custom", "--data=devcontainer=no"]
"""Answers of a project that needs neither torch nor the hub."""


@dataclass(frozen=True)
class Workspace:
    """The root of a monorepo."""

    root: Path

    def make(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run make with the Python of the tests, which has Copier; never raise for its exit code."""
        foreign = ("COMPOSE_", "MAKE", "MFLAGS")
        kept = {name: value for name, value in os.environ.items() if not name.startswith(foreign)}
        command = ["make", "--silent", "--no-print-directory", f"PYTHON={sys.executable}", *arguments]
        return run(command, cwd=self.root, env=kept, stdin=subprocess.DEVNULL)

    def service(self, name: str, preset: str = "custom", *options: str) -> subprocess.CompletedProcess[str]:
        """Make a service, with the default of every answer that no option gives."""
        python = preset not in ("", "frontend")
        answers = [f"--data=torch_index={TORCH_INDEX}", *options] if python else [*options]
        return self.make("service", f"NAME={name}", f"PRESET={preset}", f"ARGS={' '.join(answers)}")

    def model(self, *options: str) -> dict[str, Any]:
        """Return what Docker Compose makes of the files of the workspace, with everything in profiles."""
        done = run(["docker", "compose", *options, "--profile=*", "config", "--format=json"], cwd=self.root)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)


def made(template: Path, folder: Path, answers: dict[str, Any] | None = None) -> Workspace:
    """Return a committed workspace without services."""
    return Workspace(
        copied(template, NEWEST, folder, {"preset": "workspace", "project_name": "Farm", **(answers or {})})
    )
