"""The source of the repository: its text files in any encoding, and a copy for builds, which write beside it."""

import codecs
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

try:
    import tomllib
except ModuleNotFoundError:  # in Python 3.10, whose pip has the same parser
    from pip._vendor import tomli as tomllib

HERE = Path(__file__).resolve().parent
NUMBER = re.compile(
    r"(?:^|.*?[^0-9a-z.+!])v?(?P<release>(?:\d+!)?\d+(?:\.\d+)*)"
    r"(?:[-_.]?(?P<phase>a|b|c|rc|alpha|beta|pre|preview)[-_.]?(?P<candidate>\d*))?"
    r"(?:-(?P<implicit>\d+)|[-_.]?(?:post|rev|r)[-_.]?(?P<post>\d*))?"
    r"(?:[-_.]?dev[-_.]?(?P<dev>\d*))?(?:\+(?P<local>[a-z0-9]+(?:[-_.][a-z0-9]+)*))?"
)
"""A version (PEP 440) in lower case, at the end of a tag such as v1.2 or name-1.2."""

DESCRIBED = re.compile(r"(.*?)(?:-(\d+)-(g[0-9a-f]+))?(-dirty)?")
"""Output of `git describe`: a tag, the number of commits after it, and the last one."""

PHASES = {"alpha": "a", "beta": "b", "c": "rc", "pre": "rc", "preview": "rc"}
FROM_GIT = re.compile(
    r"(setuptools|vcs|git|hatch|poetry|uv|flit)?-?(scm|vcs|versioning|git-versioning|dynamic-versioning|dunamai)"
    r"|versioneer|versioningit|pbr"
)
"""Build requirements that take the version from Git tags, by their normalized names."""


def text(path: Path) -> str:
    r"""Return the text of a file with \n as line breaks: UTF-8 or UTF-16 with or without a mark, otherwise Latin-1."""
    raw = path.read_bytes()
    if raw.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        found = raw.decode("utf-16", "replace")
    else:
        raw = raw.replace(b"\0", b"")  # UTF-16 without a mark, or appended to another file by PowerShell
        try:
            found = raw.decode("utf-8-sig")
        except UnicodeDecodeError:
            found = raw.decode("latin-1")
    return re.sub(r"\r\n?", "\n", found)


def manifest(folder: Path) -> dict[str, Any]:
    """Return the content of a folder's pyproject.toml; empty if there is none."""
    path = folder / "pyproject.toml"
    try:
        return tomllib.loads(text(path)) if path.is_file() else {}
    except tomllib.TOMLDecodeError as error:
        sys.exit(f"{path}: {error}")


def pdm_groups(content: dict[str, Any]) -> dict[str, list[str]]:
    """Return the groups for development that PDM keeps in a table of its own."""
    return content.get("tool", {}).get("pdm", {}).get("dev-dependencies", {})


def normalized(requirement: str) -> str:
    """Return the name of the distribution that a requirement asks for, as indexes write it."""
    found = re.match(r"\s*([\w.-]*)", requirement)
    return re.sub(r"[-_.]+", "-", found[1] if found else "").lower()


def name(folder: Path) -> str:
    """Return the normalized name of the package in a folder; empty if pyproject.toml does not say it."""
    content = manifest(folder)
    poetry = content.get("tool", {}).get("poetry", {})
    return normalized(content.get("project", {}).get("name") or poetry.get("name") or "")


def versioned_by_git(folder: Path) -> bool:
    """Return whether the version of the package comes from Git tags."""
    content = manifest(folder)
    tool = content.get("tool", {})
    needed = {normalized(each) for each in content.get("build-system", {}).get("requires", [])}
    if "version" in content.get("project", {}) or tool.get("setuptools", {}).get("dynamic", {}).get("version"):
        return False
    if {"hatchling"} <= needed and tool.get("hatch", {}).get("version", {}).get("source", "regex") in ("regex", "code"):
        return False
    if tool.get("pdm", {}).get("version", {}).get("source") == "scm" or any(map(FROM_GIT.fullmatch, needed)):
        return True
    setup = [folder / each for each in ("setup.py", "setup.cfg") if (folder / each).is_file()]
    return any(re.search(r"use_scm_version|setuptools_scm|versioneer|\bpbr\b", text(each)) for each in setup)


def release(version: str) -> str:
    """Return a version, or the output of `git describe`, as PEP 440 writes it; after a tag, as setuptools-scm does.

    Exits with one line if it is neither.
    """
    described = DESCRIBED.fullmatch(version)
    tag, distance, commit, dirty = described.groups() if described else ("", None, None, None)
    if not (found := NUMBER.fullmatch(tag.lower())):
        sys.exit(f"VERSION: {version} is neither a version nor the output of `git describe`; pass one such as 1.2.3")
    number = found["release"]
    if found["phase"]:
        number += f"{PHASES.get(found['phase'], found['phase'])}{int(found['candidate'] or 0)}"
    if found["implicit"] or found["post"] is not None:
        number += f".post{int(found['implicit'] or found['post'] or 0)}"
    if found["dev"] is not None:
        number += f".dev{int(found['dev'] or 0)}"
    local = [re.sub("[-_]", ".", found["local"])] if found["local"] else []
    if distance and int(distance):
        if found["dev"] is None:
            number = re.sub(r"\d+$", lambda last: str(int(last[0]) + 1), number) + f".dev{distance}"
        local.append(commit)
    return number + "".join(f"+{'.'.join(each)}" for each in [local + (["dirty"] if dirty else [])] if each)


def copied(folder: Path | None = None) -> Path:
    """Copy the repository in the working directory to an empty folder, by default a temporary one, and return that.

    Leaves out this folder of scripts: setuptools would take it for a package.
    """
    folder = folder or Path(tempfile.mkdtemp(), "source")
    root = str(Path.cwd())

    def ours(parent: str, names: list[str]) -> set[str]:
        return {each for each in names if each == ".git" or parent == root and Path(root, each) == HERE}

    shutil.copytree(root, folder, symlinks=True, ignore=ours, dirs_exist_ok=True)
    return folder


def track(copy: Path, version: str) -> None:
    """Make a copy of the repository in the working directory a Git repository, with the version as its tag.

    Build tools ask Git which files belong to the source: those that Git tracks, and all that .gitignore does not name.
    """
    settings = {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1"}
    for each in ("AUTHOR", "COMMITTER"):
        settings |= {f"GIT_{each}_NAME": "build", f"GIT_{each}_EMAIL": "build"}
        settings[f"GIT_{each}_DATE"] = "2000-01-01T00:00:00Z"

    def git(*arguments: str, given: str = "", **more: str) -> str:
        command = ["git", "-C", str(copy), *arguments]
        environment = {**os.environ, **settings, **more}
        done = subprocess.run(command, input=given, env=environment, check=True, stdout=subprocess.PIPE, text=True)
        return done.stdout

    git("init", "--quiet")
    git("add", "--all")
    index = Path.cwd() / ".git/index"  # the only file of .git in the build context
    if index.is_file():
        tracked = git("ls-files", "-z", GIT_INDEX_FILE=str(index)).split("\0")
        there = [each for each in tracked if each and os.path.lexists(copy / each)]
        git("add", "--force", "--pathspec-from-file=-", "--pathspec-file-nul", given="\0".join(there))
    git("commit", "--quiet", "--allow-empty", "--message=Source")
    for tag in (version, f"v{version}"):
        git("tag", "--annotate", f"--message={tag}", tag)


def build_settings(folder: Path, version: str, revision: str = "") -> dict[str, str]:
    """Return the environment that tells the build of a folder's package what Git would tell: its version and commit.

    The version may be the output of `git describe`.
    """
    described = DESCRIBED.fullmatch(version)
    version = release(version)
    needed = {normalized(each) for each in manifest(folder).get("build-system", {}).get("requires", [])}
    own = name(folder).replace("-", "_").upper()
    # Only for this package where that can be said: a build requirement may have a version from Git, too.
    suffix = f"_FOR_{own}" if own and "setuptools-scm" in needed else ""
    settings = {
        **os.environ,
        f"SETUPTOOLS_SCM_PRETEND_VERSION{suffix}": version,
        "PBR_VERSION": version,
        "PDM_BUILD_SCM_VERSION": version,
        "POETRY_DYNAMIC_VERSIONING_BYPASS": version,
        "UV_DYNAMIC_VERSIONING_BYPASS": version,
    }
    if commit := described and described[3] or revision and f"g{revision[:9]}":
        settings[f"SETUPTOOLS_SCM_PRETEND_METADATA{suffix}"] = '{node = "' + commit + '"}'
    return settings
