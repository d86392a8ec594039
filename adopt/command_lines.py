"""Command lines that a repository names: in Dockerfiles, compose files, Makefiles, pipelines, scripts and READMEs."""

import json
import posixpath
import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass

from adopt.findings import Source
from adopt.repository import Repository

RUNNERS = {"poetry": "run", "uv": "run", "pdm": "run", "hatch": "run", "pipenv": "run", "rye": "run", "pixi": "run"}
SKIPPED = {
    "exec",
    "sudo",
    "time",
    "nohup",
    "env",
    "command",
    "then",
    "do",
    "tini",
    "--",
    "dumb-init",
    "$",
    ">",
    "wait-for-it",
    "/usr/bin/tini",
    "/bin/sh",
    "sh",
    "bash",
    "/bin/bash",
    "-c",
    "-lc",
    "$ ",
}
TRUST = ["dockerfile", "compose", "procfile", "makefile", "pipeline", "script", "readme"]
"""Where command lines come from; the first is trusted most."""
VALUE_OPTIONS = {"--with", "--extra", "--group", "--python", "-p", "--env-file", "--package", "--project", "-n"}


@dataclass(frozen=True)
class CommandLine:
    """One program and its arguments."""

    words: tuple[str, ...]
    folder: str
    """The folder that it runs in; empty for the root."""
    source: Source
    origin: str
    """An entry of TRUST."""
    name: str = ""
    """The service, target or process that runs it."""

    @property
    def program(self) -> str:
        """The program: a module for `python -m module`, otherwise the first word without its folder."""
        if self.is_python and self.words[1:2] == ("-m",) and len(self.words) > 2:
            return self.words[2]
        return posixpath.basename(self.words[0])

    @property
    def is_python(self) -> bool:
        """Whether it starts Python itself."""
        return re.fullmatch(r"(.*/)?python(3(\.\d+)?)?", self.words[0]) is not None

    @property
    def arguments(self) -> tuple[str, ...]:
        """The words behind the program."""
        return self.words[3:] if self.is_python and self.words[1:2] == ("-m",) else self.words[1:]

    @property
    def script(self) -> str:
        """The script that Python runs, from the root of the repository; empty for anything else."""
        if not self.is_python:
            return self.words[0] if self.words[0].endswith(".py") else ""
        place = next((word for word in self.words[1:] if not word.startswith("-")), "")
        return posixpath.normpath(posixpath.join(self.folder, place)) if place.endswith(".py") else ""

    def option(self, *names: str) -> str:
        """Return the value of an option, written as `--name value` or `--name=value`; empty without it."""
        for place, word in enumerate(self.words):
            if word in names and place + 1 < len(self.words):
                return self.words[place + 1]
            for name in names:
                if name.startswith("--") and word.startswith(f"{name}="):
                    return word[len(name) + 1 :]
        return ""


def split(text: str, folder: str, source: Source, origin: str, name: str = "") -> Iterator[CommandLine]:
    """Yield the programs that a shell command runs, one after another."""
    here = folder
    for part in re.split(r"&&|\|\||[;|\n]", text):
        try:
            words = shlex.split(part, comments=True)
        except ValueError:
            continue
        words = stripped(words)
        if not words:
            continue
        if words[0] == "cd" and len(words) > 1:
            here = posixpath.normpath(posixpath.join(here, words[1])).removeprefix(".").lstrip("/")
            continue
        yield CommandLine(tuple(words), here, source, origin, name)


def stripped(words: list[str]) -> list[str]:
    """Return the words without variables, shells and runners before the program."""
    words = [word.lstrip("@-") if place == 0 else word for place, word in enumerate(words)]
    while words:
        first = words[0]
        if first in SKIPPED or first == "" or re.match(r"[A-Za-z_]\w*=", first):
            inner = words[1:]
            if first in ("-c", "-lc") and len(inner) == 1:
                return stripped(_words(re.split(r"&&|;", inner[0])[-1]))
            words = inner
        elif words[1:2] == [RUNNERS.get(first)]:
            words = words[2:]
            while words and words[0].startswith("-"):
                words = words[2 if words[0] in VALUE_OPTIONS else 1 :]
        elif words[:2] == ["conda", "run"]:
            words = words[4:] if words[2:3] in (["-n"], ["-p"]) else words[2:]
        elif first == "wait-for-it.sh" or first.endswith("wait-for-it.sh"):
            words = words[words.index("--") + 1 :] if "--" in words else []
        else:
            return words
    return []


def _words(text: str) -> list[str]:
    try:
        return shlex.split(text)
    except ValueError:
        return []


def words_of(value: object) -> str:
    """Return a command of compose or of a Dockerfile, a text or a list, as a shell command."""
    if isinstance(value, list):
        texts = [str(each) for each in value]
        if len(texts) == 3 and texts[1] in ("-c", "-lc"):
            return texts[2]
        return shlex.join(texts)
    text = str(value or "").strip()
    if text.startswith("["):
        try:
            return words_of(json.loads(text))
        except ValueError:
            return text
    return text


def in_files(repository: Repository) -> Iterator[CommandLine]:
    """Yield the command lines of Makefiles, Procfiles, scripts, task runners and READMEs."""
    for path in repository.named(r"Makefile|makefile|GNUmakefile|justfile|Justfile"):
        yield from _makefile(repository, path)
    for path in repository.named(r"Procfile(\..*)?"):
        for number, line in repository.lines(path):
            name, colon, text = line.partition(":")
            if colon:
                yield from split(text, _folder(path), Source(path, number), "procfile", name.strip())
    for path in repository.named(r".*\.sh"):
        yield from _script(repository, path)
    for path in repository.named(r"(?i)readme(\.md|\.rst|\.txt)?"):
        if path.count("/") < 3:
            yield from _readme(repository, path)


def _folder(path: str) -> str:
    return path.rpartition("/")[0]


def _makefile(repository: Repository, path: str) -> Iterator[CommandLine]:
    target = ""
    for number, line in repository.lines(path):
        if match := re.match(r"([\w.-]+)[^:=]*:(?!=)", line):
            target = match[1]
        elif line.startswith(("\t", "    ")):
            text = re.sub(r"\$[({]\w*PY\w*[)}]", "python", line.strip())
            if "$(" not in text and "${" not in text:
                yield from split(text, _folder(path), Source(path, number), "makefile", target)


def _script(repository: Repository, path: str) -> Iterator[CommandLine]:
    for number, line in repository.lines(path):
        # Scripts run from the root more often than from their own folder.
        yield from split(
            line.rstrip("\\ "), "", Source(path, number), "script", path.rpartition("/")[2].removesuffix(".sh")
        )


def _readme(repository: Repository, path: str) -> Iterator[CommandLine]:
    here, fenced = _folder(path), False
    for number, line in repository.lines(path):
        if line.lstrip().startswith(("```", "~~~")):
            fenced, here = not fenced, _folder(path)
            continue
        texts = [line.strip()] if fenced or line.startswith(("    ", "\t")) else re.findall(r"`([^`]+)`", line)
        for text in texts:
            text = re.sub(r"^(\$|>|%|\(\w+\) \$)\s+", "", re.sub(r"\s{2,}#.*|\s#\s.*", "", text))
            if match := re.fullmatch(r"cd\s+([\w./-]+)", text):
                here = posixpath.normpath(posixpath.join(_folder(path), match[1])).removeprefix(".").lstrip("/")
                here = here if here in repository.folders else _folder(path)
            else:
                yield from split(text, here, Source(path, number), "readme")
