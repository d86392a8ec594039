"""Keeps the bytecode of what the code imports, which Python would otherwise compile at every start.

warm.py names FOLDER              prints the modules that the sources in FOLDER import, other than each other
warm.py compile NAMES FOLDER      imports them and writes the bytecode of all that came with them below FOLDER

It is never compared with its source (PEP 552): a reproducible image sets the times of files, and Python would take it
for outdated.
"""

import ast
import importlib
import importlib.util
import py_compile
import re
import sys
from pathlib import Path


def names(folder: Path) -> list[str]:
    """Modules of other people that the sources import, wherever they do."""
    own = {path.name.removesuffix(".py") for path in folder.rglob("*") if path.is_dir() or path.suffix == ".py"}
    found = set()
    for source in folder.rglob("*.py"):
        if any(re.match(r"tests?(_|$|\.py)|conftest", part) for part in source.relative_to(folder).parts):
            continue
        try:
            tree = ast.parse(source.read_bytes())
        except SyntaxError:
            continue
        for node in ast.walk(tree):
            if isinstance(node, ast.Import):
                found.update(alias.name for alias in node.names)
            elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
                found.add(node.module)
    return sorted(name for name in found if name.partition(".")[0] not in own | sys.stdlib_module_names)


def compile_imported(modules: list[str], target: str) -> None:
    """Imports the modules that are there, and compiles everything that was loaded."""
    for name in modules:
        try:
            importlib.import_module(name)
        except BaseException as error:  # it may be missing, or want hardware that a build does not have
            print(f"warm: without {name}: {type(error).__name__}: {error}".splitlines()[0], file=sys.stderr)
    sources = {getattr(module, "__file__", None) or "" for module in list(sys.modules.values())} - {__file__}
    compiled = sorted(source for source in sources if source.startswith("/") and source.endswith(".py"))
    for source in compiled:
        # Below the target as below the root, under the name that traceback and debugger show.
        bytecode = f"{target}{importlib.util.cache_from_source(source)}"
        unchecked = py_compile.PycInvalidationMode.UNCHECKED_HASH
        py_compile.compile(source, bytecode, quiet=2, invalidation_mode=unchecked)
    print(f"warm: {len(compiled)} modules")


if __name__ == "__main__":
    if sys.argv[1] == "names":
        print(*names(Path(sys.argv[2])), sep="\n")
    else:
        compile_imported(Path(sys.argv[2]).read_text("utf-8").split(), sys.argv[3])
