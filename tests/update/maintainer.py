"""A release of the template in which its maintainer changed what maintainers change, one of each."""

import re
from collections.abc import Callable
from pathlib import Path

from tests.releases import commit, git
from tests.update.ownership import is_owners

RELEASE = "1000.0.0"
"""Tag of the maintainer's release: newer than the working tree's."""

FIX = "\n\n# A fix of the maintainer.\n"
SOURCES = "src/{{ package_name }}"
SETTING = '''
    new_setting: int = 1
    """A setting of the next release."""
'''
METRIC = 'NEW_METRIC = Counter("new", "A metric of the next release.")\n'
MIGRATION = '''"""Change nothing."""

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Upgrade to this revision."""


def downgrade() -> None:
    """Downgrade from this revision."""
'''
STUB = '"""Moved to batches.py."""\n\nfrom .batches import *  # noqa: F403\n'
PIN = "f" * 40


def release(template: Path, folder: Path) -> Path:
    """Return a clone of the template with the release."""
    git(template, "clone", "--quiet", template, folder)
    project = folder / "template/project"

    def change(name: str, edit: Callable[[str], str]) -> None:
        path = folder / name
        before = path.read_text("utf-8")
        assert edit(before) != before, name
        path.write_text(edit(before), "utf-8")

    for path in fixed(folder):
        path.write_text(path.read_text("utf-8") + FIX, "utf-8")
    sources = f"template/project/{SOURCES}"
    change(f"{sources}/base_settings.py.jinja", lambda text: re.sub("(?=\n    max_batch_size:)", SETTING, text))
    change(f"{sources}/inference/metrics.py", lambda text: re.sub("(?m)^(?=LOADED = )", METRIC, text))
    (folder / sources / "db/migrations/versions/0004_next.py").write_text(MIGRATION)
    change("template/project/pyproject.toml.jinja", lambda text: text.replace('"rich>=14"', '"rich>=14.1"'))
    batching = folder / sources / "inference/batching.py"
    (batching.parent / "batches.py").write_text(batching.read_text("utf-8"), "utf-8")
    batching.write_text(STUB)
    change("extensions/actions.jinja", lambda text: re.sub(r"(actions/checkout@)\w+", rf"\g<1>{PIN}", text))
    assert (project / "tests/cli/test_program.py.jinja") in fixed(folder)
    commit(folder, "Next", RELEASE)
    return folder


def fixed(template: Path) -> list[Path]:
    """Return the files of the template that the release fixes: all modules that are ours, and a test."""
    sources = template / "template/project" / SOURCES
    modules = (path for path in sorted(sources.rglob("*.py*")) if path.name.endswith((".py", ".py.jinja")))
    ours = (path for path in modules if not is_owners(emitted(template, path)) and path.name != "batching.py")
    # Jinja would take the lines away that part the fix from an included file.
    found = [path for path in ours if not path.read_text("utf-8").rstrip().endswith("-%}")]
    found.append(template / "template/project/tests/cli/test_program.py.jinja")
    existing = template / "template/existing/{{ docker_folder }}"
    found += [existing / "doctor/environment.py", existing / "doctor/__main__.py"]
    return found


def arrives(template: Path, project: Path) -> dict[str, str]:
    """Return the text that an update to the release brings into each file of a project, before that update."""
    package = next((path.name for path in (project / "src").glob("*")), "")
    names = {emitted(template, path).replace("{{ package_name }}", package) for path in fixed(template)}
    names = {name.replace("{{ docker_folder }}", "docker") for name in names}
    texts = {name: FIX for name in names if (project / name).exists()}
    if package:
        assert {Path(name).parent for name in texts} >= set(packages(project)), "some package is not fixed"
        texts |= {
            f"src/{package}/base_settings.py": SETTING,
            f"src/{package}/inference/batches.py": "class Item",
            f"src/{package}/inference/batching.py": STUB,
            "pyproject.toml": '"rich>=14.1"',
            ".github/workflows/ci.yml": f"actions/checkout@{PIN}",
        }
        if (project / "src" / package / "inference/metrics.py").exists():
            texts[f"src/{package}/inference/metrics.py"] = METRIC
        if (project / "src" / package / "db").exists():
            texts[f"src/{package}/db/migrations/versions/0004_next.py"] = MIGRATION
    return texts


def packages(project: Path) -> list[Path]:
    """Return the folders of packages of ours that have modules."""
    found = {path.parent.relative_to(project) for path in (project / "src").rglob("*.py")}
    # `commands` and `migrations` of the package are the owner's.
    own = {path for path in found if path.match("src/*/migrations")}
    return sorted(path for path in found - own if path.name not in ("commands", "versions", "inference"))


def emitted(template: Path, path: Path) -> str:
    """Return the path that a file of the template has in a project, but for the package's name."""
    parts = path.relative_to(template / "template").parts[1:]
    return "/".join("task" if "task_folder" in part else part for part in parts).removesuffix(".jinja")
