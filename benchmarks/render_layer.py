"""Seconds that the whole render layer takes, and milliseconds for each set of answers.

Runs `pytest tests/render` as a process, timed from its start to its end by the wall clock: it finds the sets of
answers, renders a project for each, and checks all of them. Milliseconds for each set are the whole, checks included,
divided by the number of sets. Tests that fail are reported and make the exit code 1, since the time is then of no use.
"""

import subprocess
import sys
import time

from benchmarks import report
from benchmarks.report import Row, say
from tests import answers

AT_MOST = 90.0
"""Seconds, on 2 cores."""


def main() -> int:
    """Measures and reports."""
    options = report.parser(__doc__).parse_args()
    loaded = report.load()
    say("pytest tests/render ...")
    started = time.perf_counter()
    command = [sys.executable, "-m", "pytest", "--quiet", "--durations=5", "--tb=short", "tests/render"]
    code = subprocess.run(command, cwd=answers.ROOT, stdin=subprocess.DEVNULL, stdout=sys.stderr).returncode
    taken = time.perf_counter() - started
    started = time.perf_counter()
    sets = sum(1 for _ in answers.covering())
    finding = time.perf_counter() - started
    rows = [
        Row("render_layer", taken, "s", AT_MOST),
        Row("finding_answer_sets", finding, "s"),
        Row("answer_sets", sets, "sets"),
        Row("each_set", 1000 * taken / sets, "ms"),
    ]
    if code:
        say(f"pytest ended with exit code {code}")
    return report.finish(rows, loaded, options.json) or min(code, 1)


if __name__ == "__main__":
    sys.exit(main())
