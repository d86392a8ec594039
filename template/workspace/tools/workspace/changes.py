"""Find the services that a pipeline must build and test."""

import json
import subprocess
from pathlib import Path

from .inventory import Inventory, Service

EVERY = ("tools/", "Makefile", ".github/", ".gitlab-ci.yml")
"""Changes in these concern every service: they are how services are built and tested."""


def since(inventory: Inventory, reference: str) -> list[Service]:
    """Return the services that differ from a commit; all of them if there is no such commit."""
    changed = _changed(inventory.root, reference)
    if changed is None or any(path.startswith(EVERY) for path in changed):
        return list(inventory)
    return [service for service in inventory if any(path.startswith(f"{service.folder}/") for path in changed)]


def _changed(root: Path, reference: str) -> list[str] | None:
    """Return the paths that differ from the point where this branch left a commit; None without such a point."""
    if not reference or reference.startswith("-") or not reference.strip("0"):
        return None
    command = ["git", "diff", "--name-only", "--relative", "-z", f"{reference}...HEAD", "--"]
    done = subprocess.run(command, cwd=root, capture_output=True, text=True)
    return [path for path in done.stdout.split("\0") if path] if done.returncode == 0 else None


def gitlab(services: list[Service]) -> str:
    """Return a pipeline of GitLab with a job for each service."""
    if not services:
        return json.dumps(
            {"nothing changed": {"extends": ".service", "script": ["echo No service changed."]}} | _included()
        )
    jobs = {
        f"{stage} {service.name}": {"extends": ".service", "script": [f"make {stage} SERVICE={service.name}"]}
        for service in services
        for stage in ("test", "build")
    }
    return json.dumps(jobs | _included(), indent=1)


def _included() -> dict[str, object]:
    return {"include": [{"local": "infrastructure/gitlab-service.yml"}]}
