"""Run `copier copy` with the answers, after a look at what it would write."""

import ast
import json
import re
import subprocess
import sys
import tempfile
from importlib import metadata
from pathlib import Path
from typing import Any

import yaml

from adopt.findings import Finding
from adopt.template import CLONE

PACKAGE_LISTS = {"system_packages": "packages.txt", "build_packages": "build-packages.txt"}
"""Answers, and the files for the owner that they fill in the folder that the template writes."""


class CopyError(Exception):
    """Copier cannot add the containers; the message is one line."""


def source() -> tuple[str, str]:
    """Return the address of the template that this program belongs to, and the commit.

    Raises:
        CopyError: if the program was installed from something else than a Git repository.
    """
    if (CLONE / "copier.yml").exists():
        return str(CLONE), "HEAD"
    origin = json.loads(metadata.distribution("slipway").read_text("direct_url.json") or "{}")
    commit = origin.get("vcs_info", {}).get("commit_id")
    if commit:
        return f"git+{origin['url']}", commit
    folder = Path(origin.get("url", "").removeprefix("file://"))
    if (folder / "copier.yml").exists():
        return str(folder), "HEAD"
    raise CopyError("the address of the template is unknown; give it with --template")


def command(template: str, reference: str, answers: str, folder: Path) -> list[str]:
    """Return the words of `copier copy` with an answers file."""
    options = ["--defaults", "--data-file", answers, *(["--vcs-ref", reference] if reference else [])]
    return ["copier", "copy", *options, template, str(folder)]


def our_folder(found: dict[str, Finding]) -> str:
    """Return the folder for the template's scripts, which gives way to one of the repository."""
    return "slipway" if "docker" in found["keep"].value else "docker"


def list_packages(folder: Path, found: dict[str, Finding]) -> list[str]:
    """Add system packages to the new files that list them; return the files that were changed."""
    changed: list[str] = []
    for answer, list_name in PACKAGE_LISTS.items():
        name = f"{our_folder(found)}/{list_name}"
        file = folder / name
        if not file.is_file() or not found[answer].value:
            continue
        text = file.read_text("utf-8")
        lines = [f"{package}\n" for package in found[answer].value if package not in text.split()]
        if lines:
            file.write_text(text.rstrip("\n") + "\n" + "".join(lines), "utf-8")
            changed.append(name)
    return changed


def reason(stderr: str) -> str:
    """Return the last line that Copier printed, without the words that Jinja puts around a refusal."""
    last = (stderr.strip().splitlines() or ["no reason given"])[-1]
    refused = re.search(r"has no attribute ('.*'|\".*\")$", last)
    return ast.literal_eval(refused[1]) if refused else last


def copy(template: str, reference: str, answers: dict[str, Any], folder: Path) -> None:
    """Add the containers to a repository.

    Raises:
        CopyError: if Copier refuses the answers, or if a file of the repository is in the way; nothing was written.
    """
    with tempfile.TemporaryDirectory() as place:
        file = Path(place, "answers.yml")
        file.write_text(yaml.safe_dump(answers, sort_keys=False), "utf-8")
        words = [sys.executable, "-m", *command(template, reference, str(file), folder)]
        tried = subprocess.run([*words, "--pretend", "--overwrite"], capture_output=True, text=True)
        if tried.returncode:
            raise CopyError(f"Copier refused the answers: {reason(tried.stderr)}")
        plain = re.sub(r"\x1b\[\d*m", "", tried.stderr)
        clashes = [
            path for path in re.findall(r"(?m)^ *(?:force|overwrite) +(.+)$", plain) if (folder / path).is_file()
        ]
        if clashes:
            raise CopyError(f"your files {', '.join(clashes[:5])} are in the way of new ones; rename them first")
        try:
            done = subprocess.run([*words, "--quiet"], capture_output=True, text=True)
        except KeyboardInterrupt:
            raise CopyError("stopped while copying; `git status` shows what was written") from None
        if done.returncode:
            raise CopyError(f"Copier stopped: {reason(done.stderr)}; `git status` shows what it wrote")
