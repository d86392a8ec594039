"""Seconds that `copier copy --defaults` and an update that changes nothing take, beside what Copier itself takes.

In turns, from local git repositories: a copy of the default project, made from a clean clone of the working tree; an
update of such a project; and a copy of a template of one question and one file. Each is a process of its own, timed
from its start to its end by the wall clock; the first of each warms the caches, Python's compiled bytecode among them,
and does not count.
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

COPY_AT_MOST = 2.5
"""Times a copy of the minimal template, of medians."""
UPDATE_AT_MOST = 3.0
"""Times a copy of the default project, of medians."""


def minimal(folder: Path) -> Path:
    """Return a template of one question and one file, in a git repository with one tag."""
    folder.mkdir()
    (folder / "copier.yml").write_text("name:\n  type: str\n  default: someone\n")
    (folder / "greeting.txt.jinja").write_text("Hello {{ name }}\n")
    releases.git(folder, "init", "--quiet")
    releases.commit(folder, "Start", releases.NEWEST)
    return folder


def seconds(*arguments: str | Path, cwd: Path | None = None) -> float:
    """Seconds that one run of copier takes. Raises RuntimeError if it fails."""
    started = time.perf_counter()
    done = releases.copier(*arguments, cwd=cwd)
    taken = time.perf_counter() - started
    if done.returncode:
        raise RuntimeError(done.stderr)
    return taken


def rows(name: str, taken: list[float]) -> list[Row]:
    """Median and spread of one command's seconds."""
    first, _, third = statistics.quantiles(taken, n=4)
    values = {"lowest": min(taken), "first_quartile": first, "third_quartile": third, "highest": max(taken)}
    spread = [Row(f"{name}_{part}", value, "s") for part, value in values.items()]
    return [Row(f"{name}_median", statistics.median(taken), "s"), *spread]


def main() -> int:
    """Measures and reports."""
    parser = report.parser(__doc__)
    parser.add_argument("--rounds", type=int, default=20, help="runs of each that count, at least 2 (20)")
    options = parser.parse_args()
    if options.rounds < 2:
        parser.error("--rounds: at least 2")
    loaded = report.load()
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        os.environ.pop("PYTHONDONTWRITEBYTECODE", None)  # where it is set, Copier is compiled anew in each process
        os.environ["PYTHONPYCACHEPREFIX"] = str(folder / "bytecode")
        template, smallest = releases.clone(folder / "template"), minimal(folder / "minimal-template")
        project = releases.copied(template, releases.NEWEST, folder / "project")
        taken: dict[str, list[float]] = {"copy": [], "minimal": [], "update": []}
        for number in range(options.rounds + 1):
            taken["copy"].append(seconds("copy", "--defaults", template, folder / f"copy-{number}"))
            taken["minimal"].append(seconds("copy", "--defaults", smallest, folder / f"minimal-{number}"))
            taken["update"].append(seconds("update", "--defaults", cwd=project))
            say(f"round {number} of {options.rounds}: " + ", ".join(f"{k} {v[-1]:.2f} s" for k, v in taken.items()))
    counted = {name: values[1:] for name, values in taken.items()}
    copy, smallest_copy, update = (statistics.median(counted[name]) for name in ("copy", "minimal", "update"))
    ratios = [
        Row("copy_to_minimal", copy / smallest_copy, "x", COPY_AT_MOST),
        Row("update_to_copy", update / copy, "x", UPDATE_AT_MOST),
    ]
    return report.finish([row for name in counted for row in rows(name, counted[name])] + ratios, loaded, options.json)


if __name__ == "__main__":
    sys.exit(main())
