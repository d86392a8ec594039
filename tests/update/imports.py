"""Whether the modules of a project fit together: every import of a module of its own is resolved without running it."""

import ast
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path


@dataclass(frozen=True)
class Module:
    """A module of a project, read but not run."""

    name: str
    path: Path
    is_package: bool

    @cached_property
    def tree(self) -> ast.Module:
        """Its syntax tree; a SyntaxError if it does not compile."""
        return ast.parse(self.path.read_text("utf-8"), str(self.path))

    @cached_property
    def names(self) -> set[str]:
        """Names that it defines or imports at its top level, `*` for all of another module's."""
        return set(_defined(self.tree.body))

    def imports(self) -> Iterator[tuple[int, str, list[str]]]:
        """Yield the line, the module and the names of each import in it, wherever it stands."""
        package = self.name.split(".") if self.is_package else self.name.split(".")[:-1]
        for node in ast.walk(self.tree):
            if isinstance(node, ast.Import):
                for alias in node.names:
                    yield node.lineno, alias.name, []
            elif isinstance(node, ast.ImportFrom):
                parent = package[: len(package) - node.level + 1] if node.level else []
                module = ".".join([*parent, *([node.module] if node.module else [])])
                yield node.lineno, module, [alias.name for alias in node.names]


@dataclass
class Modules:
    """The modules of a project: its packages below src, and the modules of its tests."""

    project: Path
    found: dict[str, Module] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for folder in ("src", "tests"):
            root = self.project / folder
            for path in sorted(root.rglob("*.py")):
                parts = list(path.relative_to(root).with_suffix("").parts)
                is_package = parts[-1] == "__init__"
                name = ".".join(parts[:-1] if is_package else parts)
                if folder == "tests" and path.name.startswith(("test_", "conftest")):
                    name = f"{folder}/{name}"  # nobody imports them
                self.found[name] = Module(name, path, is_package)

    def unresolved(self) -> list[str]:
        """Return imports of the project's own modules that would fail, and modules that do not compile."""
        missing = []
        for module in self.found.values():
            place = module.path.relative_to(self.project)
            try:
                imports = list(module.imports())
            except SyntaxError as error:
                missing.append(f"{place}:{error.lineno} does not compile: {error.msg}")
                continue
            for line, target, names in imports:
                if target.split(".")[0] not in self.own:
                    continue
                if target not in self.found and not self._is_namespace(target):
                    missing.append(f"{place}:{line} imports {target}, which is no module")
                    continue
                for name in names:
                    if f"{target}.{name}" not in self.found and not self._has(target, name):
                        missing.append(f"{place}:{line} imports {name} of {target}, which has none")
        return missing

    @cached_property
    def own(self) -> set[str]:
        """First parts of the names of the project's modules."""
        return {name.split(".")[0] for name in self.found}

    def _is_namespace(self, name: str) -> bool:
        return any(each.startswith(f"{name}.") for each in self.found)

    def _has(self, name: str, wanted: str, seen: frozenset[str] = frozenset()) -> bool:
        module = self.found.get(name)
        if module is None or name in seen:
            return self._is_namespace(f"{name}.{wanted}")
        if wanted == "*" or wanted in module.names or "__getattr__" in module.names:
            return True
        stars = (target for _, target, names in module.imports() if names == ["*"])
        return any(self._has(target, wanted, seen | {name}) for target in stars)


def _defined(body: list[ast.stmt]) -> Iterator[str]:
    for node in body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            yield node.name
        elif isinstance(node, ast.Import | ast.ImportFrom):
            for alias in node.names:
                yield alias.asname or alias.name.split(".")[0]
        elif isinstance(node, ast.Assign | ast.AnnAssign | ast.AugAssign):
            for target in node.targets if isinstance(node, ast.Assign) else [node.target]:
                yield from (each.id for each in ast.walk(target) if isinstance(each, ast.Name))
        elif isinstance(node, ast.If | ast.Try | ast.With | ast.For | ast.While):
            yield from _defined(node.body)
            yield from _defined(getattr(node, "orelse", []))
            yield from _defined(getattr(node, "finalbody", []))
            for handler in getattr(node, "handlers", []):
                yield from _defined(handler.body)
    yield from ("__doc__", "__name__", "__file__", "__path__")


def unresolved(project: Path) -> list[str]:
    """Return imports of the project's own modules that would fail, and modules that do not compile."""
    return Modules(project).unresolved()
