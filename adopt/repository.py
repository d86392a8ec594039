"""The files of a repository, read within bounds."""

import json
import os
import re
import stat
import subprocess
import time
import tomllib
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import Any

import pathspec
import yaml

from adopt.findings import Notice, Source

MAX_FILES = 20_000
MAX_FILE_BYTES = 1_000_000
MAX_TOTAL_BYTES = 64_000_000
MAX_LIST_SECONDS = 10
MAX_DEPTH = 50
MAX_VALUES = 100_000
"""Values of a file of settings, with each alias of YAML counted as what it stands for."""
NEVER_CODE = {
    ".git",
    ".hg",
    ".venv",
    "venv",
    "node_modules",
    "__pycache__",
    "site-packages",
    ".tox",
    ".nox",
    ".mypy_cache",
    ".pytest_cache",
    ".ruff_cache",
    ".ipynb_checkpoints",
    ".idea",
    ".vscode",
}
"""Folders that hold no code of the repository, even where Git ignores nothing."""


class UnreadableError(Exception):
    """The folder cannot be adopted; the message is one line that says what to do."""


class Repository:
    """A folder of somebody's code. Paths are relative to it, with slashes."""

    def __init__(self, root: Path) -> None:
        """List the files of a folder.

        Raises:
            UnreadableError: if it is not a folder, cannot be read, or has no file.
        """
        if not root.is_dir():
            raise UnreadableError(f"{root} is not a folder; name the folder of a repository")
        self.root = root.resolve()
        self.notices: list[Notice] = []
        self._texts: dict[str, str] = {}
        self._bytes_left = MAX_TOTAL_BYTES
        self.git_folder = next(
            (each / ".git" for each in (self.root, *self.root.parents) if (each / ".git").exists()), None
        )
        try:
            listed = (self._listed_by_git() if self.git_folder else None) or self._walked()
        except OSError as error:
            raise UnreadableError(f"{root} cannot be read: {error.strerror}") from error
        self.files = sorted(path for path in listed if not NEVER_CODE.intersection(path.split("/")[:-1]))
        if not self.files:
            raise UnreadableError(f"{root} has no file of code; name the folder of a repository")
        self._set = frozenset(self.files)

    def _listed_by_git(self) -> list[str] | None:
        """Return tracked files and new ones that Git does not ignore; None if Git cannot tell."""
        # The settings of a repository can name programs for Git to run: run none.
        command = ["git", "-c", "core.fsmonitor=false", "-C", str(self.root), "ls-files", "-z", "--cached", "--others"]
        try:
            done = subprocess.run(
                [*command, "--exclude-standard"], capture_output=True, timeout=MAX_LIST_SECONDS, check=True
            )
        except (OSError, subprocess.SubprocessError):
            return None
        names = [name.decode("utf-8", "surrogateescape") for name in done.stdout.split(b"\0") if name]
        return self._bounded(names)

    def _walked(self) -> list[str]:
        """Return the files below the folder that no .gitignore at its root ignores; links are not followed."""
        deadline = time.monotonic() + MAX_LIST_SECONDS
        found: list[str] = []
        os.scandir(self.root).close()  # raises what os.walk would hide
        for folder, folders, names in os.walk(self.root):
            place = Path(folder).relative_to(self.root).as_posix()
            prefix = "" if place == "." else f"{place}/"
            folders[:] = [each for each in folders if each not in NEVER_CODE and not self.ignored(f"{prefix}{each}/")]
            found += [prefix + name for name in names if not self.ignored(prefix + name)]
            if len(found) > MAX_FILES or time.monotonic() > deadline:
                break
        return self._bounded(found)

    def _bounded(self, names: list[str]) -> list[str]:
        names = [name for name in dict.fromkeys(names) if name.isprintable()]
        if len(names) > MAX_FILES:
            self.notices.append(Notice(f"only {MAX_FILES} of {len(names)} files were read"))
        return names[:MAX_FILES]

    def has(self, path: str) -> bool:
        """Return whether a file is part of the repository."""
        return path in self._set

    @cached_property
    def folders(self) -> frozenset[str]:
        """All folders that hold files, at any depth."""
        return frozenset(str(parent) for path in self.files for parent in PurePosixPath(path).parents if parent.name)

    def below(self, folder: str) -> list[str]:
        """Return the files below a folder; an empty name is the root."""
        return [path for path in self.files if path.startswith(f"{folder}/")] if folder else self.files

    def named(self, pattern: str) -> list[str]:
        """Return the files whose name matches a regular expression, those nearest to the root first."""
        wanted = re.compile(pattern)
        found = [path for path in self.files if wanted.fullmatch(path.rpartition("/")[2])]
        return sorted(found, key=lambda path: (path.count("/"), path))

    def text(self, path: str) -> str:
        """Return the content of a text file; empty for one that is binary, too large, unreadable or no file."""
        if path not in self._texts:
            self._texts[path] = self._read(path)
        return self._texts[path]

    def _read(self, path: str) -> str:
        file = self.root / path
        try:
            state = file.stat()
            inside = not file.is_symlink() or file.resolve().is_relative_to(self.root)
            if not stat.S_ISREG(state.st_mode) or not inside:
                return ""
            if state.st_size > min(MAX_FILE_BYTES, self._bytes_left):
                return ""
            content = file.read_bytes()
        except OSError:
            return ""
        self._bytes_left -= len(content)
        encoding = "utf-16" if content[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig"
        text = content.decode(encoding, "replace")
        return "" if "\0" in text else text

    def lines(self, path: str) -> Iterator[tuple[int, str]]:
        """Yield the numbers and lines of a text file."""
        return enumerate(self.text(path).splitlines(), 1)

    def where(self, path: str, pattern: str) -> Source:
        """Return the first line of a file that matches a regular expression, or the file itself."""
        wanted = re.compile(pattern)
        return Source(path, next((number for number, line in self.lines(path) if wanted.search(line)), 0))

    def toml(self, path: str) -> dict[str, Any]:
        """Return the content of a TOML file; empty if it is missing or broken."""
        return self._parsed(path, tomllib.loads)

    def json(self, path: str) -> dict[str, Any]:
        """Return the content of a JSON file; empty if it is missing or broken."""
        return self._parsed(path, json.loads)

    def yaml(self, path: str) -> dict[str, Any]:
        """Return the content of a YAML file; empty if it is missing, broken or no mapping."""
        return self._parsed(path, _yaml)

    def _parsed(self, path: str, parse: Any) -> dict[str, Any]:
        text = self.text(path) if self.has(path) else ""
        try:
            content = parse(text) if text.strip() else {}
            too_many = _expanded(content, {}) > MAX_VALUES
        except (ValueError, yaml.YAMLError, RecursionError) as error:
            reason = str(error).splitlines()[0] if str(error) else type(error).__name__
            notice = Notice(f"cannot be read: {reason}", Source(path))
            if notice not in self.notices:
                self.notices.append(notice)
            return {}
        if too_many:
            self.notices.append(Notice("is left out: its aliases stand for too many values", Source(path)))
            return {}
        return content if isinstance(content, dict) else {}

    @cached_property
    def _ignore_lines(self) -> list[tuple[int, pathspec.GitIgnoreSpec]]:
        """Patterns of the .gitignore at the root, each with its line."""
        try:
            text = (self.root / ".gitignore").read_text("utf-8", "replace")[:MAX_FILE_BYTES]
        except OSError:
            return []
        found: list[tuple[int, pathspec.GitIgnoreSpec]] = []
        for number, line in enumerate(text.splitlines(), 1):
            if line.strip() and not line.startswith("#"):
                try:
                    found.append((number, pathspec.GitIgnoreSpec.from_lines([line])))
                except ValueError:  # a pattern that Git ignores too
                    continue
        return found

    def ignored(self, path: str) -> Source | None:
        """Return the line of .gitignore that ignores a path, or None; a folder's path ends with a slash."""
        found: Source | None = None
        for number, spec in self._ignore_lines:
            result = spec.check_file(path).include
            if result is not None:
                found = Source(".gitignore", number) if result else None
        return found


class Loader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc]
    """YAML's safe loader, which reads tags of applications, such as !Ref or !reset, as their plain values."""


def _expanded(content: Any, sizes: dict[int, float]) -> float:
    """Return how many values a parsed file holds; infinite if one holds itself."""
    if not isinstance(content, (dict, list)):
        return 1
    if id(content) not in sizes:
        sizes[id(content)] = float("inf")
        values = content.values() if isinstance(content, dict) else content
        sizes[id(content)] = 1 + sum(_expanded(each, sizes) for each in values)
    return sizes[id(content)]


def _yaml(text: str) -> Any:
    depth = 0
    for event in yaml.parse(text, Loader):
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if depth > MAX_DEPTH:  # where libyaml's own recursion would end the process
            raise ValueError(f"it is nested more than {MAX_DEPTH} levels deep")
    return yaml.load(text, Loader)


def _untagged(loader: Any, _suffix: str, node: Any) -> Any:
    if isinstance(node, yaml.ScalarNode):
        return loader.construct_scalar(node)
    if isinstance(node, yaml.SequenceNode):
        return loader.construct_sequence(node, deep=True)
    return loader.construct_mapping(node, deep=True)


Loader.add_multi_constructor("!", _untagged)
