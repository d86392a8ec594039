"""Update services to the newest release of Slipway, one commit for each."""

import os
import subprocess
import sys
from pathlib import Path

from . import derive, inventory
from .errors import WorkspaceError
from .inventory import Service
from .scaffold import ANSWERS, answers

UPDATERS = ("tools/update.py", "docker/update.py")
"""Where the program is that updates a service."""


def update(root: Path, services: list[Service], options: list[str]) -> list[str]:
    """Update services in order, and return the names of those that changed.

    Raises WorkspaceError at the first that fails or has a conflict; those before it are committed.
    """
    if _git(root, "status", "--porcelain"):
        raise WorkspaceError("there are changes that are not committed: commit or stash them, and repeat")
    changed = []
    for service in services:
        folder = root / service.folder
        program = next((folder / name for name in UPDATERS if (folder / name).is_file()), None)
        if program is None or not (folder / ANSWERS).is_file():
            print(f"{service.name}: not made by Slipway; left as it is", flush=True)
            continue
        before = answers(folder)["_commit"]
        print(f"\n== {service.name}", flush=True)
        path = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])
        code = subprocess.run(
            [sys.executable, program, *options], cwd=folder, env={**os.environ, "PATH": path}
        ).returncode
        if code:
            raise WorkspaceError(
                f"{service.name}: the update stopped, as said above. Solve it and commit, or undo it with "
                f"`git reset --hard && git clean -fd {service.folder}`; then repeat `make update-services`",
                code=code,
            )
        derive.write(inventory.read(root))
        if _git(root, "status", "--porcelain"):
            _git(root, "add", "--all")
            _git(
                root,
                "commit",
                "--quiet",
                "--message",
                f"Update {service.name} from {before} to {answers(folder)['_commit']}",
            )
            changed.append(service.name)
    return changed


def _git(root: Path, *arguments: str) -> str:
    """Return what git prints. Raises WorkspaceError with its last line if it fails."""
    done = subprocess.run(["git", *arguments], cwd=root, capture_output=True, text=True)
    if done.returncode:
        raise WorkspaceError(f"git {arguments[0]}: {(done.stderr or done.stdout).strip().splitlines()[-1]}")
    return done.stdout.strip()
