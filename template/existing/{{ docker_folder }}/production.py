"""Put what the wheel lacks into the production image, and check that it has what its commands run.

production.py copy WHEEL FOLDER PATH...
    copy those files and folders of the repository in the working directory to FOLDER that the wheel holds nothing of
production.py check FOLDER SITE REPOSITORY NAME=LINE...
    fail if a command line runs a file that FOLDER lacks, or a module of REPOSITORY that is neither there nor in SITE
"""

import shutil
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path


def copy(wheel: Path, folder: Path, paths: list[str]) -> None:
    """Copy the paths that the wheel holds nothing of."""
    with zipfile.ZipFile(wheel) as archive:
        held = {name: archive.read(name) for name in archive.namelist() if not name.endswith("/")}
    for path in map(Path, paths):
        if not path.exists():
            sys.exit(f"production: code_paths names {path}, which is not in the repository: correct the answer")
        if any(_is_held(file, held) for file in ([path] if path.is_file() else path.rglob("*"))):
            continue
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        if path.is_dir():
            shutil.copytree(path, folder / path, dirs_exist_ok=True)
        else:
            shutil.copy(path, folder / path)


def _is_held(file: Path, held: dict[str, bytes]) -> bool:
    """Return whether the wheel has a file, at the end of the path that the repository has it at."""
    ends = ("/".join(file.parts[start:]) for start in range(len(file.parts)))
    return file.is_file() and any(end in held and held[end] == file.read_bytes() for end in ends)


def check(folder: Path, site: Path, repository: Path, lines: list[str]) -> None:
    """Exit with one line for the first command that the image cannot run."""
    for line in lines:
        name, _, command = line.partition("=")
        for what in lacking(command.split(), folder, site, repository):
            needed = f"the command {name} runs {what}, which the production image lacks"
            sys.exit(f"production: {needed}: add it to code_paths")


def lacking(words: list[str], folder: Path, site: Path, repository: Path) -> Iterator[str]:
    """Yield each script and module of a command line that the image lacks."""
    for before, word in zip(["", *words], words, strict=False):
        is_script = word.endswith((".py", ".sh")) and "=" not in word and not word.startswith(("/", "-"))
        if is_script and not (folder / word).exists():
            yield word
        top = word.partition(".")[0]
        if before == "-m" and _has(repository, top) and not (_has(folder, top) or _has(site, top)):
            yield top


def _has(folder: Path, module: str) -> bool:
    return (folder / module).is_dir() or (folder / f"{module}.py").is_file()


if __name__ == "__main__":
    action, *rest = sys.argv[1:]
    if action == "copy":
        copy(Path(rest[0]), Path(rest[1]), rest[2:])
    else:
        check(Path(rest[0]), Path(rest[1]), Path(rest[2]), rest[3:])
