"""Convert a conda environment to pip requirements: `conda_requirements.py environment.yml`.

Prints the requirements, and on stderr the packages that it omits because pip cannot install them. Parses only the
subset of YAML that such files use: a list below `dependencies:`, with a nested list below `pip:`.
"""

import re
import sys
from collections.abc import Iterator
from pathlib import Path

from source import text

NAMES = {
    "faiss": "faiss-cpu",
    "huggingface_hub": "huggingface-hub",
    "matplotlib-base": "matplotlib",
    "msgpack-python": "msgpack",
    "opencv": "opencv-python-headless",
    "py-opencv": "opencv-python-headless",
    "py-xgboost": "xgboost",
    "pytables": "tables",
    "pytorch": "torch",
    "pytorch-cpu": "torch",
    "pytorch-gpu": "torch",
    "tensorflow-gpu": "tensorflow",
}
"""conda package name -> name on the Python Package Index, where they differ."""

NOT_ON_PYPI = re.compile(
    r"python|pip|setuptools|wheel|_?openmp.*|_libgcc_mutex|blas|libblas|mkl|nomkl|openblas|libgomp|llvm-openmp"
    r"|cuda.*|cudatoolkit|cudnn|nccl|pytorch-(cuda|mutex)|.*-compiler|compilers|gcc.*|gxx.*|clang.*|cmake|make|ninja|git|ffmpeg"
)


def items(content: str) -> Iterator[tuple[str, bool]]:
    """Yield each listed item, and whether it is a pip requirement."""
    inside, pip, depth = False, False, 0
    for raw in content.splitlines():
        line = re.sub(r"(^|\s)#.*", "", raw).rstrip()
        if re.match(r"[^\s-]", line):
            inside = line.startswith("dependencies:")
        elif inside and (found := re.match(r"(\s*)-\s+(.*)", line)):
            item = found[2].strip("\"'")
            if item == "pip:":
                pip, depth = True, len(found[1])
                continue
            pip = pip and len(found[1]) > depth
            yield item, pip


def converted(item: str) -> str:
    """Return conda's `channel::name=1.2=build` as a pip requirement; empty if it is not a Python package."""
    found = re.match(r"(?:\S*::)?([\w.-]+)(?:\[.*\])?\s*(.*)", item)
    if not found or NOT_ON_PYPI.fullmatch(found[1]):
        return ""
    name, version = found.groups()
    if version.startswith("="):  # conda's = matches a prefix
        exact = version.startswith("==")
        version = version.lstrip("=").partition("=")[0].rstrip("*").rstrip(".")
        version = f"=={version}" if exact else f"=={version}.*"
    elif version[:1].isdigit():
        version = f"=={version.split()[0]}"
    return NAMES.get(name, name) + version


def main() -> None:
    """Print the requirements."""
    for item, pip in items(text(Path(sys.argv[1]))):
        requirement = item if pip else converted(item)
        if requirement:
            print(requirement)
        else:
            print(f"omitted, not a Python package: {item}", file=sys.stderr)


if __name__ == "__main__":
    main()
