"""Seconds that `copier copy --defaults` and an update that changes nothing take, beside what Copier itself takes.

In turns, from local git repositories: a copy of the default project, made from a clean clone of the working tree; the
same of the last release; an update of such a project; and a copy of a template of one question and one file. Each is a
process of its own, timed from its start to its end by the wall clock; the first of each warms the caches, Python's
compiled bytecode among them, and does not count.
"""

import os
import statistics
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from benchmarks import report
from benchmarks.report import Row, say
from tests import releases

COPY_AT_MOST = 2.5
"""Times a copy of the minimal template, of medians."""
UPDATE_AT_MOST = 3.0
"""Times a copy of the default project, of medians."""
SERIES = ("copy", "release", "minimal", "update")
"""What is timed: the working tree's default project, the last release's, a minimal template, and an update."""


def minimal(folder: Path) -> Path:
    """Return a template of one question and one file, in a git repository with one tag."""
    folder.mkdir()
    (folder / "copier.yml").write_text("name:\n  type: str\n  default: someone\n")
    (folder / "greeting.txt.jinja").write_text("Hello {{ name }}\n")
    releases.git(folder, "init", "--quiet")
    releases.commit(folder, "Start", releases.NEWEST)
    return folder


@dataclass(frozen=True)
class Taken:
    """What one run of Copier takes, with the programs that it starts, in seconds."""

    wall: float
    cpu: float


def taken_by(*arguments: str | Path, cwd: Path | None = None) -> Taken:
    """Time one run of Copier. Raises RuntimeError if it fails."""
    before, started = os.times(), time.perf_counter()
    done = releases.copier(*arguments, cwd=cwd)
    wall, after = time.perf_counter() - started, os.times()
    if done.returncode:
        raise RuntimeError(done.stderr)
    cpu = sum(getattr(after, name) - getattr(before, name) for name in ("children_user", "children_system"))
    return Taken(wall, cpu)


def measure(rounds: int) -> dict[str, list[Taken]]:
    """Return what each round takes for each of SERIES; a first round does not count."""
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        os.environ.pop("PYTHONDONTWRITEBYTECODE", None)  # where it is set, each process compiles Copier again
        os.environ["PYTHONPYCACHEPREFIX"] = str(folder / "bytecode")
        template, smallest = releases.clone(folder / "template"), minimal(folder / "minimal-template")
        last = list(releases.releases())[-1]
        project = releases.copied(template, releases.NEWEST, folder / "project")
        taken: dict[str, list[Taken]] = {name: [] for name in SERIES}
        for number in range(rounds + 1):
            taken["copy"].append(taken_by("copy", "--defaults", template, folder / f"copy-{number}"))
            taken["release"].append(
                taken_by("copy", "--defaults", "--vcs-ref", last, template, folder / f"last-{number}")
            )
            taken["minimal"].append(taken_by("copy", "--defaults", smallest, folder / f"minimal-{number}"))
            taken["update"].append(taken_by("update", "--defaults", cwd=project))
            say(f"round {number} of {rounds}: " + ", ".join(f"{k} {v[-1].wall:.2f} s" for k, v in taken.items()))
    return {name: values[1:] for name, values in taken.items()}


def ratios(taken: dict[str, list[Taken]], clock: Literal["wall", "cpu"]) -> dict[str, float]:
    """Return ratios of the medians by name. CPU time hardly depends on what else is running."""
    median = {name: statistics.median(getattr(run, clock) for run in taken[name]) for name in SERIES}
    return {
        "copy_to_minimal": median["copy"] / median["minimal"],
        "copy_to_last_release": median["copy"] / median["release"],
        "update_to_copy": median["update"] / median["copy"],
    }


def rows(name: str, taken: list[float]) -> list[Row]:
    """Return median and spread of one command's seconds."""
    first, _, third = statistics.quantiles(taken, n=4)
    values = {"lowest": min(taken), "first_quartile": first, "third_quartile": third, "highest": max(taken)}
    spread = [Row(f"{name}_{part}", value, "s") for part, value in values.items()]
    return [Row(f"{name}_median", statistics.median(taken), "s"), *spread]


def main() -> int:
    """Measure and report."""
    parser = report.parser(__doc__)
    parser.add_argument("--rounds", type=int, default=20, help="runs of each that count, at least 2 (20)")
    options = parser.parse_args()
    if options.rounds < 2:
        parser.error("--rounds: at least 2")
    loaded = report.load()
    taken = measure(options.rounds)
    limits = {"copy_to_minimal": COPY_AT_MOST, "update_to_copy": UPDATE_AT_MOST}
    found = [Row(name, ratio, "x", limits.get(name)) for name, ratio in ratios(taken, "wall").items()]
    found += [Row(f"{name}_cpu", ratio, "x") for name, ratio in ratios(taken, "cpu").items()]
    spread = [row for name, values in taken.items() for row in rows(name, [each.wall for each in values])]
    return report.finish(spread + found, loaded, options.json)


if __name__ == "__main__":
    sys.exit(main())
