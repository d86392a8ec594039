"""What each attack of tests/attack costs another client and the server.

Runs that layer of the tests: projects for texts and for images are served with tiny models, an attacker sends what the
test sends, and a neighbour sends one small request after the other. Figures: the 99th percentile of the neighbour's
times beside that without an attack, and the peak of the server's memory above that at rest. Attacker, neighbour and
server share the cores. Needs what `tests/attack` needs, and Linux.
"""

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from benchmarks import report
from benchmarks.report import Row
from tests.attack.neighbour import FIGURES, MAX_MEMORY_BYTES, MAX_SLOWDOWN


def main() -> int:
    """Measure and report."""
    parser = report.parser(__doc__)
    parser.add_argument("tests", nargs="*", default=["tests/attack"], help="files or tests of the layer (all)")
    options = parser.parse_args()
    loaded = report.load()
    with tempfile.TemporaryDirectory() as temporary:
        file = Path(temporary) / "figures.jsonl"
        command = [sys.executable, "-m", "pytest", "--quiet", *options.tests]
        done = subprocess.run(command, env=os.environ | {FIGURES: str(file)}, stdout=sys.stderr, check=False)
        measured = [json.loads(line) for line in file.read_text("utf-8").splitlines()] if file.exists() else []
    rows = []
    for each in measured:
        rows.append(Row(f"{each['test']}_p99", each["attacked"] / each["quiet"], "x", MAX_SLOWDOWN))
        rows.append(Row(f"{each['test']}_memory", each["bytes"] / 1e6, "MB", MAX_MEMORY_BYTES / 1e6))
    return report.finish(rows, loaded, options.json) or done.returncode


if __name__ == "__main__":
    sys.exit(main())
