"""Seconds that `copier copy --defaults` takes, beside what Copier itself takes.

Alternates between the default project, made from a clean clone of the working tree, and a template of one question
and one file, both from a local git repository. Each is a process of its own, timed from its start to its end by the
wall clock; the first of each warms the caches, Python's compiled bytecode among them, and does not count.
"""

import os
import statistics
import sys
import tempfile
import time
from pathlib import Path

from benchmarks import report
from benchmarks.report import Row, say
from tests import releases

AT_MOST = 1.0
"""Seconds, median, on 2 cores."""


def minimal(folder: Path) -> Path:
    """A template of one question and one file, in a git repository with one tag."""
    folder.mkdir()
    (folder / "copier.yml").write_text("name:\n  type: str\n  default: someone\n")
    (folder / "greeting.txt.jinja").write_text("Hello {{ name }}\n")
    releases.git(folder, "init", "--quiet")
    releases.commit(folder, "Start", releases.NEWEST)
    return folder


def seconds(template: Path, destination: Path) -> float:
    """Seconds that one copy takes. Raises RuntimeError if it fails."""
    started = time.perf_counter()
    done = releases.copier("copy", "--defaults", template, destination)
    taken = time.perf_counter() - started
    if done.returncode:
        raise RuntimeError(done.stderr)
    return taken


def rows(name: str, taken: list[float], at_most: float | None = None) -> list[Row]:
    """Median and spread of one template's seconds."""
    first, _, third = statistics.quantiles(taken, n=4)
    values = {"lowest": min(taken), "first_quartile": first, "third_quartile": third, "highest": max(taken)}
    spread = [Row(f"{name}_{part}", value, "s") for part, value in values.items()]
    return [Row(f"{name}_median", statistics.median(taken), "s", at_most), *spread]


def main() -> int:
    """Measures and reports."""
    parser = report.parser(__doc__)
    parser.add_argument("--rounds", type=int, default=20, help="copies of each that count, at least 2 (20)")
    options = parser.parse_args()
    if options.rounds < 2:
        parser.error("--rounds: at least 2")
    loaded = report.load()
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        os.environ.pop("PYTHONDONTWRITEBYTECODE", None)  # where it is set, Copier is compiled anew in each process
        os.environ["PYTHONPYCACHEPREFIX"] = str(folder / "bytecode")
        templates = {"default": releases.clone(folder / "template"), "minimal": minimal(folder / "minimal-template")}
        taken: dict[str, list[float]] = {name: [] for name in templates}
        for number in range(options.rounds + 1):
            for name, template in templates.items():
                taken[name].append(seconds(template, folder / f"{name}-{number}"))
            say(f"round {number} of {options.rounds}: " + ", ".join(f"{k} {v[-1]:.2f} s" for k, v in taken.items()))
    default, floor = taken["default"][1:], taken["minimal"][1:]
    ratio = Row("ratio_of_medians", statistics.median(default) / statistics.median(floor), "x")
    return report.finish([*rows("default", default, AT_MOST), *rows("minimal", floor), ratio], loaded, options.json)


if __name__ == "__main__":
    sys.exit(main())
