"""Compose files: services, their commands, ports, health checks, volumes and images."""

import posixpath
import re
from dataclasses import dataclass, field
from typing import Any

from adopt.command_lines import CommandLine, split, words_of
from adopt.dockerfile import HTTP
from adopt.findings import Source
from adopt.repository import Repository
from adopt.requirements import items, table

FILES = ["compose.yaml", "compose.yml", "docker-compose.yaml", "docker-compose.yml"]
"""The names that compose reads by itself."""


@dataclass
class Service:
    """A service of a compose file."""

    name: str
    source: Source
    image: str = ""
    build: str | None = None
    """The folder that its image is built from; None if it is not built here."""
    dockerfile: str = ""
    commands: list[CommandLine] = field(default_factory=list)
    ports: list[int] = field(default_factory=list)
    """Ports inside the container."""
    health: tuple[str, Source] | None = None
    volumes: list[tuple[str, str, bool]] = field(default_factory=list)
    """Folders of the repository, or names of volumes, their places in the container, and whether they are read-only."""
    environment: dict[str, str] = field(default_factory=dict)
    waits_for: list[str] = field(default_factory=list)
    scale: int = 1
    gpu: bool = False


def services(repository: Repository) -> list[Service]:
    """Return the services of all compose files, those of production first."""
    paths = repository.named(r"(docker-)?compose([.-][\w-]+)*\.ya?ml")
    found: dict[str, Service] = {}
    for path in sorted(
        paths, key=lambda path: (path.count("/"), bool(re.search(r"dev|test|override|local|ci", path)), path)
    ):
        for name, content in table(repository.yaml(path), "services").items():
            if isinstance(content, dict):
                found.setdefault(str(name), _service(repository, path, str(name), content))
    return list(found.values())


def _service(repository: Repository, path: str, name: str, content: dict[str, Any]) -> Service:
    here = path.rpartition("/")[0]
    service = Service(name, repository.where(path, rf"^\s+{re.escape(name)}\s*:"))
    service.image = str(content.get("image") or "")
    build = content.get("build")
    if build is not None:
        place = build.get("context", ".") if isinstance(build, dict) else build
        service.build = posixpath.normpath(posixpath.join(here, str(place))).removeprefix(".").lstrip("/")
        service.dockerfile = str(build.get("dockerfile", "")) if isinstance(build, dict) else ""
    folder = service.build or here
    if inner := str(content.get("working_dir") or ""):
        tail = inner.strip("/").partition("/")[2]
        joined = posixpath.join(folder, tail) if tail else folder
        folder = joined if joined in repository.folders else folder
    if command := content.get("command") or content.get("entrypoint"):
        text = words_of(command)
        source = _inside(repository, service.source, "command" if content.get("command") else "entrypoint")
        service.commands = list(split(text, folder, source, "compose", name))
    for port in items(content, "ports"):
        target = str(port.get("target")) if isinstance(port, dict) else str(port).split("/")[0].rpartition(":")[2]
        service.ports += [int(target)] if target.isdecimal() else []
    if found := HTTP.search(words_of(table(content, "healthcheck").get("test"))):
        service.health = (found[2], _inside(repository, service.source, "healthcheck"))
    for volume in items(content, "volumes"):
        _volume(service, here, volume)
    parts = (str(each).partition("=") for each in items(content, "environment"))
    listed = {name: value for name, _, value in parts}
    pairs = table(content, "environment") or listed
    service.environment = {str(key): "" if value is None else str(value) for key, value in pairs.items()}
    service.waits_for = [str(each) for each in table(content, "depends_on") or items(content, "depends_on")]
    deploy = table(content, "deploy")
    scale = content.get("scale") or deploy.get("replicas")
    service.scale = scale if isinstance(scale, int) and 0 < scale < 100 else 1
    service.gpu = (
        "nvidia" in str(table(deploy, "resources"))[:2000] or content.get("runtime") == "nvidia" or "gpus" in content
    )
    return service


def _inside(repository: Repository, source: Source, key: str) -> Source:
    """Return the line of a key in the block that begins at a line."""
    lines = repository.text(source.path).splitlines()
    for number in range(source.line, min(len(lines), source.line + 80)):
        if re.match(rf"\s+{key}\s*:", lines[number]):
            return Source(source.path, number + 1)
    return source


def _volume(service: Service, here: str, volume: Any) -> None:
    if isinstance(volume, dict):
        origin, target, read_only = (
            str(volume.get("source", "")),
            str(volume.get("target", "")),
            bool(volume.get("read_only")),
        )
    else:
        parts = str(volume).split(":")
        if len(parts) < 2:
            return
        origin, target, read_only = parts[0], parts[1], "ro" in parts[2:]
    if origin.startswith("."):
        origin = "./" + posixpath.normpath(posixpath.join(here, origin)).removeprefix(".").lstrip("/")
    service.volumes.append((origin, target, read_only))
