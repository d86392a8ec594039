"""The images of services in a registry, each published by the script of its service."""

import json
import os
import subprocess
import sys

from .errors import WorkspaceError
from .inventory import Inventory, Service

SCRIPTS = tuple(f"{folder}/registry/images.py" for folder in ("deploy", "docker", "slipway"))
"""Where a service has its script, if its answer `deploy` has ghcr."""


def matrix(inventory: Inventory, services: list[Service]) -> str:
    """Return the services that publish an image, and their scripts, as JSON."""
    scripts = _scripts(inventory, services)
    return json.dumps([{"service": name, "script": script} for name, script in scripts.items()])


def publish(inventory: Inventory, services: list[Service], version: str, repository: str) -> None:
    """Publish and verify the image REPOSITORY/NAME of each service, and print its address by digest.

    Without a version, it is the newest one. A service that fails does not stop the others; WorkspaceError names it.
    """
    if not repository:
        raise WorkspaceError("IMAGE is missing: say where to publish, such as IMAGE=ghcr.io/acme/farm")
    failed = []
    for name, script in _scripts(inventory, services).items():
        print(f"== {name}", file=sys.stderr, flush=True)
        command = [sys.executable, script]
        variables = {**os.environ, "IMAGE": f"{repository}/{name}"}
        arguments = ["publish", version] if version else ["publish"]
        done = subprocess.run(
            [*command, *arguments], cwd=inventory.root, env=variables, stdout=subprocess.PIPE, text=True
        )
        image = done.stdout.strip()
        if image and done.returncode == 0:
            done = subprocess.run([*command, "verify", image], cwd=inventory.root, stdout=sys.stderr)
        if done.returncode:
            failed.append(name)
        elif image:
            print(image, flush=True)
    if failed:
        raise WorkspaceError(f"not published, as said above: {', '.join(failed)}")


def _scripts(inventory: Inventory, services: list[Service]) -> dict[str, str]:
    """Return service -> script, and say which services have none."""
    found = {}
    for service in services:
        paths = [f"{service.folder}/{path}" for path in SCRIPTS]
        if script := next((path for path in paths if (inventory.root / path).is_file()), ""):
            found[service.name] = script
        else:
            print(f"{service.name} publishes no image: its answer deploy lacks ghcr", file=sys.stderr)
    return found
