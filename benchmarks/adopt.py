"""Time and precision of `adopt`: seconds for a repository of 2,000 files, and answers that are right.

The repository holds 1,200 modules of the standard library of at most 12 kB, and 800 files of text and data. Precision
is counted over the shapes of tests/adopt: those that the rules were written with, and those that were held out. Trivial
answers, where nothing was to be found and nothing was, are left out of the second figure.
"""

import shutil
import statistics
import subprocess
import sys
import sysconfig
import tempfile
import time
from collections import defaultdict
from pathlib import Path

from benchmarks.report import Row, finish, load, parser, say
from tests.adopt.corpus import Mark, marks, shapes
from tests.releases import ROOT, git

MODULES = 1_200
OTHERS = 800
MAX_MODULE_BYTES = 12_000
RUNS = 5
WITHIN_SECONDS = 2.0
RIGHT_PERCENT, SURE_PERCENT = 90.0, 98.0


def large(folder: Path) -> Path:
    """Write the repository of 2,000 files."""
    library = Path(sysconfig.get_path("stdlib"))
    modules = (file for file in sorted(library.rglob("*.py")) if "site-packages" not in file.parts)
    chosen = [file for file in modules if file.stat().st_size <= MAX_MODULE_BYTES][:MODULES]
    for number, file in enumerate(chosen):
        target = folder / f"package_{number // 40}" / f"{file.stem}_{number}.py"
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(file, target)
    for number in range(OTHERS):
        target = folder / f"data_{number // 100}" / f"{number}.{('json', 'md', 'csv', 'yaml')[number % 4]}"
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text('{"a": 1}\n' * 20 if number % 4 else '{"path": "data"}\n')
    (folder / "requirements.txt").write_text("requests\nnumpy\n")
    git(folder, "init", "--quiet")
    git(folder, "add", "--all")
    return folder


def seconds(folder: Path) -> list[float]:
    """Return the time of the whole command, with the start of Python, for some runs."""
    taken: list[float] = []
    for _ in range(RUNS):
        start = time.perf_counter()
        subprocess.run([sys.executable, "-m", "adopt", "--print", folder], cwd=ROOT, check=True, capture_output=True)
        taken.append(time.perf_counter() - start)
    return taken


def compared(held_out: bool) -> list[Mark]:
    """Return every answer for every shape."""
    found: list[Mark] = []
    for shape in shapes(held_out):
        with tempfile.TemporaryDirectory() as folder:
            found += marks(shape, shape.write(Path(folder, shape.name)))
    return found


def percent(chosen: list[Mark]) -> float:
    """Return how many of the answers are right."""
    return 100 * sum(mark.right for mark in chosen) / max(1, len(chosen))


def main() -> int:
    """Measure, and return the exit code."""
    options = parser(__doc__).parse_args()
    before = load()
    rows: list[Row] = []
    with tempfile.TemporaryDirectory() as place:
        say("timing a repository of 2,000 files")
        taken = seconds(large(Path(place, "large")))
    rows.append(Row("seconds for 2,000 files, median", statistics.median(taken), "s", WITHIN_SECONDS))
    rows.append(Row("seconds for 2,000 files, best", min(taken), "s"))
    for held_out, name in ((False, "written with"), (True, "held out")):
        say(f"comparing the answers for shapes {name}")
        found = compared(held_out)
        told = [mark for mark in found if not mark.trivial]
        for title, chosen, least in (
            ("wrong answers", found, RIGHT_PERCENT),
            ("wrong answers, not trivial", told, RIGHT_PERCENT),
            ("wrong answers called sure", [mark for mark in found if mark.sureness == "sure"], SURE_PERCENT),
        ):
            rows.append(Row(f"{title}, {name} ({len(chosen)})", 100 - percent(chosen), "%", 100 - least))
        by_answer: dict[str, list[Mark]] = defaultdict(list)
        for mark in told:
            by_answer[mark.answer].append(mark)
        rows += [
            Row(f"wrong, {name}: {answer} ({len(chosen)})", 100 - percent(chosen), "%")
            for answer, chosen in by_answer.items()
        ]
    return finish(rows, before, options.json)


if __name__ == "__main__":
    sys.exit(main())
