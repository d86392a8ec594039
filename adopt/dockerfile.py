"""Dockerfiles: base images, commands, ports, health checks and system packages."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from adopt.command_lines import CommandLine, split, words_of
from adopt.findings import Source
from adopt.repository import Repository

HTTP = re.compile(r"https?://[\w.\-\[\]:]*?(?::(\d+))?(/[\w./-]*)")


@dataclass
class Dockerfile:
    """The instructions of a Dockerfile that answers follow from."""

    path: str
    images: list[tuple[str, Source]] = field(default_factory=list)
    commands: list[CommandLine] = field(default_factory=list)
    """The commands that its containers run."""
    ports: list[tuple[int, Source]] = field(default_factory=list)
    health: tuple[str, Source] | None = None
    """The route of its health check."""
    system_packages: list[tuple[str, Source]] = field(default_factory=list)
    runs: list[tuple[str, Source]] = field(default_factory=list)
    """The shell commands of its build."""
    copies: list[tuple[str, Source]] = field(default_factory=list)


def dockerfiles(repository: Repository) -> list[Dockerfile]:
    """Return the Dockerfiles of a repository, those nearest to its root first."""
    names = r"(?i)(.+\.)?(dockerfile|containerfile)(\.(?!dockerignore)[\w-]+)?"
    return [_read(repository, path) for path in repository.named(names)]


def _read(repository: Repository, path: str) -> Dockerfile:
    file = Dockerfile(path)
    place, entrypoint = "", ""
    arguments: dict[str, str] = {}
    folder = path.rpartition("/")[0]
    folder = "" if folder.rpartition("/")[2].lower() in ("docker", "deploy", ".docker", "build") else folder
    command: tuple[str, Source] | None = None
    for source, word, text in _instructions(repository, path):
        for name, value in arguments.items():
            text = text.replace(f"${{{name}}}", value).replace(f"${name}", value)
        match word:
            case "ARG" if "=" in text:
                name, _, value = text.partition("=")
                arguments[name.strip()] = value.strip().strip("\"'")
            case "FROM":
                image = next((each for each in text.split() if not each.startswith("--")), "")
                file.images.append((image, source))
                place, entrypoint = "", ""
            case "WORKDIR":
                place = text
            case "ENTRYPOINT":
                entrypoint, command = words_of(text), None
                command = (entrypoint, source)
            case "CMD":
                command = (f"{entrypoint} {words_of(text)}".strip(), source)
            case "EXPOSE":
                file.ports += [(int(port), source) for port in re.findall(r"\d+", text)[:1]]
            case "HEALTHCHECK":
                if found := HTTP.search(text):
                    file.health = (found[2], source)
            case "COPY" | "ADD":
                file.copies.append((text, source))
            case "RUN":
                file.runs.append((text, source))
                file.system_packages += [(name, source) for name in apt_packages(text)]
            case _:
                pass
    if command:
        text, source = command
        folder = _below(repository, folder, place)
        file.commands = list(split(text, folder, source, "dockerfile", folder))
    return file


def _below(repository: Repository, folder: str, place: str) -> str:
    """Return the folder of the repository that a WORKDIR stands for: the longest end of it that exists."""
    parts = [part for part in place.split("/") if part]
    for start in range(len(parts)):
        tail = "/".join([*([folder] if folder else []), *parts[start:]])
        if start and tail in repository.folders:
            return tail
    return folder


def _instructions(repository: Repository, path: str) -> Iterator[tuple[Source, str, str]]:
    text, start = "", 0
    for number, line in repository.lines(path):
        if line.lstrip().startswith("#"):
            continue
        start = start or number
        text += line.rstrip().removesuffix("\\") + " "
        if line.rstrip().endswith("\\"):
            continue
        word, _, rest = text.strip().partition(" ")
        if word:
            yield Source(path, start), word.upper(), rest.strip()
        text, start = "", 0


def apt_packages(text: str) -> Iterator[str]:
    """Yield the Debian packages that a shell command installs."""
    for part in re.split(r"&&|\|\||;|\n", text):
        if match := re.search(r"\bapt(?:-get)?\s+(?:-\S+\s+)*install\s+(.*)", part):
            for word in match[1].split():
                if re.fullmatch(r"[a-z0-9][a-z0-9.+-]+(=\S+)?", word):
                    yield word.partition("=")[0]
