"""How many requests a second the default project's API answers with API keys, beside the same without.

One project, two servers at once, of which one knows 1,000 keys and gets the last of them with every request. Runtimes,
texts, clients and turns are those of `benchmarks.serving.against_release`. A ratio is the median over the turns of
without / with keys. Needs what `benchmarks.serving` needs.
"""

import hashlib
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path

from benchmarks import report
from benchmarks.keys import KEYS
from benchmarks.report import Row
from benchmarks.serving import turns
from benchmarks.serving.against_release import RUNTIMES, Side

AT_MOST = 1.02
"""Times the requests a second with keys."""


def main() -> int:
    """Measure and report."""
    options = turns.parser(__doc__).parse_args()
    loaded = report.load()
    rows = []
    print("runtime  workload  clients  answers/s with  lowest  highest  without  lowest  highest")
    with tempfile.TemporaryDirectory() as temporary:
        side = Side(Path(temporary) / "now", "")
        keys = Path(temporary) / "api_keys"
        lines = [f"k{each} sha256:{hashlib.sha256(f'sk-{each}'.encode()).hexdigest()}\n" for each in range(KEYS)]
        keys.write_text("".join(lines))
        for runtime in RUNTIMES:
            with ExitStack() as stack:
                guarded = stack.enter_context(side.serving(runtime, MY_PROJECT_API_KEYS_FILE=str(keys)))
                servers = (guarded, f"sk-{KEYS - 1}"), (stack.enter_context(side.serving(runtime)), "")
                for cell, ratio in turns.compare(runtime, side.project, servers, options.turns, options.seconds):
                    rows.append(Row(f"without_to_with_keys_{cell}", ratio, "x", AT_MOST))
    return report.finish(rows, loaded, options.json)


if __name__ == "__main__":
    sys.exit(main())
