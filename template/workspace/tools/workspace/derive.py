"""Write what follows from the inventory: Compose files, the list in compose.yaml, and the routes of the proxy."""

import hashlib
import json
import re
from pathlib import Path

from . import compose, files, proxy
from .errors import WorkspaceError
from .inventory import SHARED, Inventory, Service

GENERATED = "generated"
"""Folder of files that nobody edits. They are committed, so that `docker compose` works without this program."""
FIRST, LAST = "  # Services of services.yml, from here", "  # to here; make writes them."
DIGEST = "inputs"
DEVELOPMENT = ".dev"
"""Ends the name of what a service is in development; NAME_MODE in .env has it."""


def write(inventory: Inventory) -> list[str]:
    """Write every file that is out of date and return the names of those files."""
    name = workspace_name(inventory.root)
    written = []
    for service in inventory:
        if not _is_current(inventory, service):
            for file, text in _parts(inventory.root, name, service):
                files.write(file, text)
            written.append(service.name)
    for path, text in _lists(inventory).items():
        if files.read(path) != text:
            files.write(path, text)
            written.append(str(path.relative_to(inventory.root)))
    for file in _stale(inventory):
        file.unlink()
        written.append(f"{GENERATED}/{file.name}")
    return written


def check(inventory: Inventory) -> None:
    """Raise WorkspaceError if a generated file does not follow from the inventory and the services' Compose files."""
    old = [service.name for service in inventory if not _is_current(inventory, service)]
    old += [
        str(path.relative_to(inventory.root)) for path, text in _lists(inventory).items() if files.read(path) != text
    ]
    old += [f"{GENERATED}/{file.name}" for file in _stale(inventory)]
    if old:
        raise WorkspaceError(f"out of date: {', '.join(old)}; run `make services`, and commit")


def workspace_name(root: Path) -> str:
    """Return the name of the workspace's Compose project."""
    found = re.search(r"^name: (\S+)$", files.read(root / "compose.yaml"), re.MULTILINE)
    if not found:
        raise WorkspaceError("compose.yaml has no line `name: …`, the name of the workspace; write it")
    return found[1]


def containers(inventory: Inventory, service: Service, mode: str = "") -> dict[str, list[str]]:
    """Return the containers of a service and their profiles."""
    text = files.read(inventory.root / GENERATED / f"{service.name}{mode}.yaml")
    model = json.loads(text.partition("\n")[2])
    return {name: each.get("profiles", []) for name, each in model["services"].items()}


def entry_port(inventory: Inventory, service: Service) -> int:
    """Return the port that the service's server listens on, in its container."""
    text = files.read(inventory.root / GENERATED / f"{service.name}.yaml")
    published = re.search(rf'"127\.0\.0\.1:{service.port}:(\d+)"', text)
    if published is None:
        raise WorkspaceError(f"{GENERATED}/{service.name}.yaml publishes no port; delete it, and run `make services`")
    return int(published[1])


def server(inventory: Inventory, service: Service) -> tuple[str, int]:
    """Return the container of a service that others reach, by its name in the service's Compose file, and its port."""
    text = files.read(inventory.root / GENERATED / f"{service.name}.yaml")
    for name, container in json.loads(text.partition("\n")[2])["services"].items():
        if compose.NETWORK in container["networks"]:
            return name.removeprefix(f"{service.name}-"), entry_port(inventory, service)
    raise WorkspaceError(f"{service.name} has no server: give it a path or a host in services.yml")


def _parts(root: Path, name: str, service: Service) -> list[tuple[Path, str]]:
    """Return the files of one service: in production, and in development."""
    folder = root / service.folder
    file, development = compose.sources(folder)
    config = compose.read([file])
    serves = compose.entry(service, config) if service.serves else None
    parts = []
    for mode, each in (("", config), (DEVELOPMENT, compose.read(development))):
        model = compose.Derivation(name, service, each, serves).model()
        head = f"# Generated from {service.folder}/{file.name}. {DIGEST}: {_digest(root, service)}"
        parts.append((root / GENERATED / f"{service.name}{mode}.yaml", f"{head}\n{json.dumps(model, indent=1)}\n"))
    return list(reversed(parts))  # the one without a mode shows that all are there


def _digest(root: Path, service: Service) -> str:
    """Return the digest of all that the files of a service follow from."""
    digest = hashlib.sha256(repr((service, workspace_name(root))).encode())
    for file in (*compose.sources(root / service.folder)[1], Path(compose.__file__)):
        digest.update(file.read_bytes())
    return digest.hexdigest()[:16]


def _is_current(inventory: Inventory, service: Service) -> bool:
    expected = f"{DIGEST}: {_digest(inventory.root, service)}"
    texts = (files.read(inventory.root / GENERATED / f"{service.name}{mode}.yaml") for mode in ("", DEVELOPMENT))
    return all(expected in text.partition("\n")[0] for text in texts)


def _lists(inventory: Inventory) -> dict[Path, str]:
    """Return the files that name every service, with their text."""
    root = inventory.root
    current = [service for service in inventory if (root / GENERATED / f"{service.name}.yaml").exists()]
    routes = [proxy.Route(each, entry_port(inventory, each)) for each in current if each.serves]
    caddyfile = proxy.caddyfile(routes)
    return {
        root / "compose.yaml": _compose(inventory),
        root / GENERATED / "services.caddy": caddyfile,
        # A container whose variables differ is replaced: so the proxy reads new routes.
        root / GENERATED / "proxy.env": f"ROUTES={hashlib.sha256(caddyfile.encode()).hexdigest()[:16]}\n",
        root / GENERATED / "bucket.env": _buckets(inventory),
    }


def _compose(inventory: Inventory) -> str:
    """Return compose.yaml with the list of what it includes."""
    text = files.read(inventory.root / "compose.yaml")
    before, first, rest = text.partition(FIRST + "\n")
    _, last, after = rest.partition(LAST)
    if not first or not last:
        raise WorkspaceError(
            f"compose.yaml lacks the lines `{FIRST.strip()}` and `{LAST.strip()}` below `include:`; write them"
        )
    needed = [need for need in SHARED if any(need in service.needs for service in inventory)]
    lines = [_included(f"infrastructure/{need}.yaml", ".") for need in needed]
    for service in inventory:
        mode = f"{service.name.upper().replace('-', '_')}_MODE"
        lines.append(_included(f'"{GENERATED}/{service.name}$' + "{" + mode + ':-}.yaml"', service.folder))
    return before + first + "".join(lines) + last + after


def _included(path: str, folder: str) -> str:
    return "  - {path: " + path + ", project_directory: " + folder + "}\n"


def _buckets(inventory: Inventory) -> str:
    """Return the variables that list the buckets: of services that train models, and of others."""
    named = [service for service in inventory if "bucket" in service.needs]
    texts = {service: files.read(inventory.root / GENERATED / f"{service.name}.yaml") for service in named}
    trained = [service.name for service, text in texts.items() if f"{service.name}-trainer_credentials" in text]
    others = [service.name for service in named if service.name not in trained]
    return f"UNTRAINED={' '.join(others)}\nTRAINED={' '.join(trained)}\n"


def _stale(inventory: Inventory) -> list[Path]:
    """Return generated files of services that the inventory does not have any more."""
    expected = {f"{service.name}{mode}.yaml" for service in inventory for mode in ("", DEVELOPMENT)}
    return [file for file in sorted((inventory.root / GENERATED).glob("*.yaml")) if file.name not in expected]
