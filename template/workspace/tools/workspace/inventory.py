"""The inventory of services in services.yml: read, checked, extended and printed."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any

import yaml

from . import files
from .errors import WorkspaceError

NAME = "services.yml"
SHARED = ("postgres", "redis", "bucket")
"""What services share: each is a file in infrastructure/."""
RESERVED = (*SHARED, "proxy", "services", "workspace", "default")
"""Names of containers and networks of the workspace itself."""
FIRST_PORT, LAST_PORT = 8001, 65535
MAX_SERVICES = 200
SERVICE = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")
ROUTE = re.compile(r"/([A-Za-z0-9._~-]+(/[A-Za-z0-9._~-]+)*)?")
DOMAIN = "${DOMAIN}"
"""Ends the host name of a service below the workspace's domain."""
HOST = re.compile(r"[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)*(\.\$\{DOMAIN\})?")
LIMITS = {"memory": re.compile(r"0|[1-9][0-9]*[kmg]?b?"), "cpus": re.compile(r"[0-9]{1,4}(\.[0-9]{1,3})?")}


@dataclass(frozen=True)
class Service:
    """One service as services.yml describes it."""

    name: str
    folder: str
    preset: str = ""
    path: str = ""
    """Path of the proxy that leads to the service, which sees requests without it."""
    host: str = ""
    """Host name of the proxy, instead of a path; it may end with DOMAIN."""
    port: int = 0
    """Port on localhost; 0 for a service without a server."""
    entry: str = ""
    """Container of its Compose file and port, such as api:8000, where that file publishes more than one."""
    health: str = ""
    """Route that answers without an error when the service can do its work."""
    needs: tuple[str, ...] = ()
    """Names of shared infrastructure and of other services."""
    redis_database: int = 0
    """Number of the Redis database that belongs to this service."""
    profile: str = ""
    """Compose profile that starts the service; without one, it always starts."""
    memory: str = "0"
    cpus: str = "0"

    @property
    def serves(self) -> bool:
        """Return whether the proxy leads to the service."""
        return bool(self.path or self.host)


@dataclass(frozen=True)
class Inventory:
    """The services in the order of services.yml."""

    root: Path
    services: tuple[Service, ...]

    def __iter__(self) -> Iterator[Service]:
        return iter(self.services)

    def named(self, names: list[str]) -> list[Service]:
        """Return services by name, and all of them for no name. Raises WorkspaceError for an unknown one."""
        known = {service.name: service for service in self}
        unknown = [name for name in names if name not in known]
        if unknown:
            has = f"it has {', '.join(known)}" if known else "it has none yet"
            raise WorkspaceError(f"there is no service {unknown[0]} in {NAME}; {has}")
        return [known[name] for name in names] if names else list(self)

    def with_needs(self, services: list[Service]) -> list[Service]:
        """Return services and all others that they need, those too that these need, in the order of services.yml."""
        chosen = {service.name for service in services}
        while (
            more := {need for service in self if service.name in chosen for need in service.needs} - chosen - {*SHARED}
        ):
            chosen |= more
        return [service for service in self if service.name in chosen]

    def free_port(self) -> int:
        """Return the lowest port that no service has."""
        taken = {service.port for service in self}
        return next(port for port in count(FIRST_PORT) if port not in taken)

    def free_redis_database(self) -> int:
        """Return the lowest number that no service has; 0 belongs to none."""
        taken = {service.redis_database for service in self}
        return next(number for number in count(1) if number not in taken)


def read(root: Path) -> Inventory:
    """Read services.yml. Raises WorkspaceError with one line for each problem."""
    if not (root / NAME).is_file():
        raise WorkspaceError(f"{NAME} is missing: restore it from Git")
    try:
        inventory = parsed(root, files.read(root / NAME))
    except ValueError as error:
        raise WorkspaceError(str(error)) from None
    problems = list(_problems(inventory))
    if problems:
        raise WorkspaceError(*(f"{NAME}: {problem}" for problem in problems))
    return inventory


def parsed(root: Path, text: str) -> Inventory:
    """Return what a text describes, without the checks that look at other services and folders."""
    try:
        content = yaml.safe_load(text)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f" in line {mark.line + 1}" if mark else ""
        raise WorkspaceError(f"{NAME} is not valid YAML{where}") from None
    content = {} if content is None else content
    if not isinstance(content, dict) or set(content) - {"defaults", "services"}:
        raise WorkspaceError(f"{NAME}: expected a mapping with `defaults` and `services` only")
    defaults, entries = content.get("defaults") or {}, content.get("services") or {}
    if not isinstance(defaults, dict) or set(defaults) - set(LIMITS):
        raise WorkspaceError(f"{NAME}: defaults: expected a mapping with `memory` and `cpus` only")
    if not isinstance(entries, dict):
        raise WorkspaceError(f"{NAME}: services: expected a mapping of names")
    if len(entries) > MAX_SERVICES:
        raise WorkspaceError(f"{NAME} has {len(entries)} services; the limit is {MAX_SERVICES}")
    problems: list[str] = []
    services = []
    for name, entry in entries.items():
        try:
            services.append(_service(name, defaults, entry))
        except ValueError as error:
            problems.append(f"{NAME}: {name}: {error}")
    if problems:
        raise WorkspaceError(*problems)
    return Inventory(root, tuple(services))


def name_problem(name: object) -> str:
    """Return why no service can have this name; nothing if one can."""
    if not isinstance(name, str) or not SERVICE.fullmatch(name) or len(name) > 30:
        return "a name has up to 30 lower-case letters, digits and single hyphens, and begins with a letter"
    if name in RESERVED:
        return "the workspace itself uses this name; choose another one"
    return ""


def _service(name: Any, defaults: dict[str, Any], entry: Any) -> Service:
    if problem := name_problem(name):
        raise ValueError(problem)
    if not isinstance(entry, dict):
        raise ValueError("expected a mapping, such as {folder: services/" + name + "}")
    known = set(Service.__dataclass_fields__) - {"name"}
    if unknown := [key for key in entry if key not in known]:
        raise ValueError(f"there is no key {unknown[0]}; the keys are {', '.join(sorted(known))}")
    given = (
        {"folder": f"services/{name}"} | defaults | {key: value for key, value in entry.items() if value is not None}
    )
    for key in ("port", "redis_database"):
        if type(given.get(key, 0)) is not int:
            raise ValueError(f"{key}: {given[key]} is not a number")
    needs = given.get("needs", [])
    if not isinstance(needs, list) or not all(isinstance(need, str) for need in needs):
        raise ValueError(f"needs: {needs} is not a list of names")
    texts = {key: str(value) for key, value in given.items() if key not in ("port", "redis_database", "needs")}
    for key, form in (("path", ROUTE), ("health", ROUTE), ("host", HOST), ("profile", SERVICE), *LIMITS.items()):
        if texts.get(key) and not form.fullmatch(texts[key]):
            raise ValueError(f"{key}: {texts[key]} cannot be read; the guide has an example")
    if texts.get("entry") and not re.fullmatch(r"[A-Za-z0-9_.-]+:[0-9]{1,5}", texts["entry"]):
        raise ValueError(f"entry: {texts['entry']} is not a container and its port, such as api:8000")
    port, database = given.get("port", 0), given.get("redis_database", 0)
    return Service(name, needs=tuple(needs), port=port, redis_database=database, **texts)


def _problems(inventory: Inventory) -> Iterator[str]:
    """Yield one line for each problem between services, and with their folders."""
    names = {service.name: service for service in inventory}
    seen: dict[tuple[str, str], str] = {}
    for service in inventory:
        start = f"{service.name}:"
        folder = inventory.root / service.folder
        if Path(service.folder).is_absolute() or ".." in Path(service.folder).parts or not folder.is_dir():
            yield f"{start} there is no folder {service.folder} in this workspace"
        unique = {
            "folder": service.folder.rstrip("/"),
            "port": service.port and str(service.port),
            "path": service.path,
            "host": service.host,
            "redis_database": service.redis_database and str(service.redis_database),
        }
        for key, value in unique.items():
            if value and (other := seen.setdefault((key, str(value)), service.name)) != service.name:
                yield f"{start} {key} {value} belongs to {other} already"
        if service.path and service.host:
            yield f"{start} has a path and a host; keep one of them"
        if service.serves and not service.health:
            yield f"{start} has no `health`, the route that the workspace asks whether it can do its work"
        if service.serves and not FIRST_PORT <= service.port <= LAST_PORT:
            yield f"{start} port {service.port} is not between {FIRST_PORT} and {LAST_PORT}"
        if ("redis" in service.needs) != bool(service.redis_database):
            yield f"{start} needs redis and has `redis_database`, its number there, or neither"
        for need in service.needs:
            if need in names and names[need].profile not in ("", service.profile):
                yield f"{start} needs {need}, which starts with profile {names[need].profile} only"
            elif need not in (*names, *SHARED) or need == service.name:
                yield f"{start} needs {need}, which is neither another service nor one of {', '.join(SHARED)}"


def add(inventory: Inventory, service: Service) -> Inventory:
    """Append a service to services.yml and return the new inventory."""
    entry: dict[str, Any] = {"folder": service.folder, "preset": service.preset}
    for key in ("path", "host", "port", "health", "redis_database", "profile"):
        if value := getattr(service, key):
            entry[key] = value
    entry["needs"] = list(service.needs)
    lines = yaml.safe_dump({service.name: entry}, sort_keys=False, default_flow_style=None, width=120)
    path = inventory.root / NAME
    text = files.read(path).rstrip("\n") + "\n" + "".join(f"  {line}\n" for line in lines.splitlines())
    try:
        added = parsed(inventory.root, text)
    except WorkspaceError:
        added = None
    if added is None or [each.name for each in added] != [*(each.name for each in inventory), service.name]:
        raise WorkspaceError(f"{NAME}: write `services:` as the last key, one service a line below it, and repeat")
    files.write(path, text)
    return read(inventory.root)


def table(inventory: Inventory) -> str:
    """Return the inventory as a table with aligned columns."""
    rows = [("SERVICE", "FOLDER", "PRESET", "ADDRESS", "PORT", "HEALTH", "NEEDS", "PROFILE")]
    for each in inventory:
        address, needs = each.path or each.host, ", ".join(each.needs)
        row = (each.name, each.folder, each.preset, address, str(each.port or ""), each.health, needs, each.profile)
        rows.append(tuple(cell or "-" for cell in row))
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join("  ".join(map(str.ljust, row, widths)).rstrip() for row in rows)
