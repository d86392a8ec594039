"""Build the package of the repository in the working directory from all of its files, as its own build does.

package.py wheel SOURCE FOLDER VERSION [REVISION]   build the wheel of the package in SOURCE into FOLDER
package.py editable SOURCE FOLDER VERSION           copy the repository to FOLDER and install the package in SOURCE
                                                    from there, editable, into the environment in VIRTUAL_ENV

VERSION, a version or the output of `git describe`, and the commit REVISION are for packages whose version comes from
Git tags: the history is not in the build context.
"""

import shutil
import subprocess
import sys
from pathlib import Path

import build_packages
import build_requirements
import source

GENERATED = Path("/opt/generated")
"""Files that the build wrote into the source, such as _version.py. A mounted repository may lack them."""

UNVERSIONED = "0.dev0+unversioned"


def wheel(package: str, folder: Path, version: str, revision: str = "") -> None:
    """Build the wheel. Exits with one line if its version is not the one that the repository's own build gives."""
    by_git = source.versioned_by_git(Path(package))
    if by_git and not version:
        sys.exit(
            "package: the version comes from Git tags, and the history is not in the build context: build with "
            '--build-arg VERSION="$(git describe --tags --long)"'
        )
    wanted = source.release(version) if by_git else ""
    copy = source.copied()
    source.track(copy, wanted or UNVERSIONED)
    settings = source.build_settings(copy / package, version, revision) if by_git else None
    options = build_requirements.options(Path(package))
    run(copy / package, settings, "uv", "build", "--wheel", *options, "--out-dir", folder)
    (built,) = folder.glob("*.whl")
    name, found = built.name.split("-")[:2]
    if by_git and found != wanted:
        sys.exit(f"package: the version of the wheel is {found} instead of {wanted} (VERSION: {version})")
    if name == "UNKNOWN" or found == "0.0.0" and not stated(Path(package), version):
        sys.exit(
            f"package: the build found no name or version and made {built.name}: state them in pyproject.toml, "
            "or confirm them with --build-arg VERSION=0.0.0"
        )


def stated(package: Path, version: str) -> bool:
    """Return whether 0.0.0 is meant: whether the repository or VERSION says it."""
    tool = source.manifest(package).get("tool", {})
    files = [package / each for each in ("setup.py", "setup.cfg", "pyproject.toml")]
    texts = [source.text(each) for each in files if each.is_file()]
    poetry = tool.get("poetry-dynamic-versioning", {}).get("enable")
    return version == "0.0.0" or not poetry and any("0.0.0" in each for each in texts)


def editable(package: str, folder: Path, version: str) -> None:
    """Copy the repository and install its package, editable. Keep the files that this adds to the source."""
    if not version and source.versioned_by_git(Path(package)):
        print(f"package: no VERSION is given: the version is {UNVERSIONED} in development", file=sys.stderr)
    source.copied(folder)
    version = version or UNVERSIONED
    source.track(folder, source.release(version))
    before = set(folder.rglob("*"))
    settings = source.build_settings(folder / package, version)
    tools = ["--build-constraints", build_requirements.FILE] if build_requirements.FILE.is_file() else []
    run(folder / package, settings, "uv", "pip", "install", "--no-deps", *tools, "--editable", ".")
    for path in sorted(set(folder.rglob("*")) - before):
        inside = path.relative_to(folder)
        built = any(part in (".git", "build", "__pycache__") or part.endswith(".egg-info") for part in inside.parts)
        if path.is_file() and not built:
            (GENERATED / inside).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(path, GENERATED / inside)
    shutil.rmtree(folder / ".git")


def run(package: Path, settings: dict[str, str] | None, *command: str | Path) -> None:
    """Run a command of uv; if it fails, print its output and exit with one line."""
    done = subprocess.run(
        command,
        cwd=package,
        env=settings,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    if done.returncode:
        print(done.stdout, file=sys.stderr)
        found = build_packages.needed(done.stdout)
        hint = f": add {' and '.join(found)} to {build_packages.LIST}" if found else ""
        sys.exit(f"package: the build of the package failed; its output is above{hint}")


if __name__ == "__main__":
    action, package, folder, version, *rest = sys.argv[1:]
    (wheel if action == "wheel" else editable)(package, Path(folder).resolve(), version.strip(), *rest)
