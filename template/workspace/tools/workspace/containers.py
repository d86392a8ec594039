"""Commands over the containers of services."""

import os
import re
import shlex
import subprocess
from collections.abc import Mapping
from pathlib import Path

from . import compose, derive, files, scaffold
from .errors import WorkspaceError
from .inventory import Inventory, Service

INTERRUPTED = 130


def up(inventory: Inventory, services: list[Service], *, every: bool, mode: str = "") -> None:
    """Build and start services with what they need, and wait until they are healthy."""
    started = services if mode else inventory.with_needs(services)
    chosen = [] if every else [name for service in started for name in _started(inventory, service, mode)] + ["proxy"]
    profiles = [] if every else sorted({f"--profile={service.profile}" for service in started if service.profile})
    modes = {f"{service.name.upper().replace('-', '_')}_MODE": mode for service in services if mode}
    command = ["docker", "compose", *profiles, "up", "--build", "--detach", "--wait", "--remove-orphans"]
    _run([*command, *chosen], inventory.root, modes)


def down(inventory: Inventory, services: list[Service], *, every: bool) -> None:
    """Stop and remove the containers of services; volumes stay."""
    if every:
        _run(["docker", "compose", "--profile=*", "down"], inventory.root)
    else:
        names = [name for service in services for name in derive.containers(inventory, service)]
        _run(["docker", "compose", "--profile=*", "rm", "--stop", "--force", *names], inventory.root)


def logs(inventory: Inventory, services: list[Service], *, every: bool) -> None:
    """Show the logs of services until Ctrl-C."""
    names = [] if every else [name for service in services for name in derive.containers(inventory, service)]
    _run(["docker", "compose", "--profile=*", "logs", "--follow", "--tail=100", *names], inventory.root)


def build(inventory: Inventory, services: list[Service]) -> None:
    """Build the production images of services."""
    for service in services:
        names = list(derive.containers(inventory, service))
        _run(["docker", "compose", "--profile=*", "build", *names], inventory.root)


def test(inventory: Inventory, services: list[Service]) -> None:
    """Run the tests of each service in its development image; raise WorkspaceError with those that fail."""
    failed = []
    for service in services:
        folder = inventory.root / service.folder
        sources = compose.sources(folder)[1]
        line = shlex.split(str(scaffold.answers(folder).get("test_command", "make lint test")))
        if not line or "dev" not in compose.read(sources)["services"]:
            print(f"== {service.name} has no tests", flush=True)
            continue
        print(f"== {service.name}", flush=True)
        # A Compose project of its own, so that running containers and their volumes are not touched.
        project = f"--project-name={derive.workspace_name(inventory.root)}-{service.name}-test"
        command = ["docker", "compose", project, *(f"--file={file.name}" for file in sources)]
        done = subprocess.run([*command, "run", "--build", "--rm", "-T", "--no-deps", "dev", *line], cwd=folder)
        subprocess.run([*command, "--progress=quiet", "--profile=*", "down", "--volumes"], cwd=folder)
        if done.returncode:
            failed.append(service.name)
    if failed:
        raise WorkspaceError(f"tests failed in {', '.join(failed)}")


def lock(inventory: Inventory, services: list[Service]) -> None:
    """Lock the dependencies of services."""
    for service in services:
        folder = inventory.root / service.folder
        name = next(each for each in ("slipway.Dockerfile", "Dockerfile") if (folder / each).is_file())
        if not re.search(r"^FROM .* AS lock$", files.read(folder / name), re.MULTILINE):
            print(f"== {service.name} has nothing to lock", flush=True)
            continue
        print(f"== {service.name}", flush=True)
        if (folder / "Makefile").is_file() and scaffold.answers(folder).get("preset") not in scaffold.FROM_CODE:
            _run(["make", "lock"], folder)
        else:
            _run(["docker", "build", f"--file={name}", "--target=lock", "--output=.", "."], folder)


def _started(inventory: Inventory, service: Service, mode: str) -> list[str]:
    """Return the containers that run without a profile other than the service's own."""
    found = derive.containers(inventory, service, mode).items()
    return [name for name, profiles in found if not profiles or profiles == [service.profile]]


def _run(command: list[str], folder: Path, variables: Mapping[str, str] | None = None) -> None:
    done = subprocess.run(command, cwd=folder, env={**os.environ, **(variables or {})})
    if done.returncode:
        raise WorkspaceError(f"`{shlex.join(command[:3])}` failed, as said above", code=done.returncode)
