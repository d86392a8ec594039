"""How many requests a second the default project's API answers, beside that of an earlier release.

Both projects are made with their defaults and `runtime=onnx`, which brings both runtimes, and serve all-MiniLM-L6-v2
with its real weights: with torch, and with ONNX Runtime in 8 bits. Both servers run at once, and the load goes to them
in turns, so a change of the machine's speed meets both. The client is the working tree's own `bench`: closed loops of
1, 16 and 64 clients, texts of 32 tokens or of mixed 8 to 128. A ratio is the median over the turns of earlier / now.
Needs what `benchmarks.serving` needs.
"""

import os
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from pathlib import Path

import httpx

from benchmarks import report
from benchmarks.predict_memory import prepare
from benchmarks.report import Row, say
from benchmarks.serving.__main__ import CLIENTS, WORKLOADS, load
from tests import releases

AT_MOST = 1.05
"""Times the requests a second of now."""
RUNTIMES = {
    "torch": {"MY_PROJECT_RUNTIME": "torch", "MY_PROJECT_MAX_PADDING": "32"},  # as a project with torch has it
    "int8": {"MY_PROJECT_RUNTIME": "onnx", "MY_PROJECT_PRECISION": "int8"},
}


class Side:
    """A project of one release, with a graph of its own, and the settings that its server needs."""

    def __init__(self, folder: Path, revision: str) -> None:
        """Make and install it, and export the graph."""
        folder.mkdir()
        ours = ("HF_", "MY_PROJECT_")
        settings = {name: value for name, value in os.environ.items() if not name.startswith(ours)}
        self.project = prepare(folder, settings, revision, runtime="onnx")
        weights = next((folder / "weights").glob("*/model"))
        self.environment = settings | {
            "MY_PROJECT_MODEL": str(weights),
            "MY_PROJECT_EXPORTED": str(folder / "exported"),
            "MY_PROJECT_LOG_LEVEL": "warning",
            "HF_HUB_OFFLINE": "1",
        }
        say("exporting ...")
        subprocess.run([self.project / ".venv/bin/my-project", "export"], check=True, env=self.environment)

    def serving(self, runtime: str) -> AbstractContextManager[str]:
        """Yield the route of a ready server."""
        return serving(self.project, self.environment | RUNTIMES[runtime])


@contextmanager
def serving(project: Path, environment: dict[str, str]) -> Iterator[str]:
    """Yield the route of a project's server on a free port, once it is ready."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command: list[str | Path] = [project / ".venv/bin/my-project", "serve", "--port", str(port)]
    with subprocess.Popen(command, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL) as server:
        try:
            deadline = time.monotonic() + 120
            while not answers(f"http://127.0.0.1:{port}/ready"):
                if server.poll() is not None or time.monotonic() > deadline:
                    raise RuntimeError(f"does not serve: {command}")
                time.sleep(0.2)
            yield f"http://127.0.0.1:{port}/predict"
        finally:
            server.terminate()


def answers(address: str) -> bool:
    """Return whether the address answers with status 200."""
    try:
        return httpx.get(address, timeout=60).status_code == 200
    except httpx.TransportError:
        return False


def main() -> int:
    """Measure and report."""
    parser = report.parser(__doc__)
    newest = list(releases.releases().values())[-1]
    parser.add_argument("--revision", default=newest, help=f"commit or tag to compare with ({newest[:10]})")
    parser.add_argument("--turns", type=int, default=5, help="turns of each cell (5)")
    parser.add_argument("--seconds", type=float, default=4, help="time for each turn of a side (4)")
    options = parser.parse_args()
    loaded = report.load()
    rows = []
    print("runtime  workload  clients  answers/s now  lowest  highest  earlier  lowest  highest")
    with tempfile.TemporaryDirectory() as temporary:
        now = Side(Path(temporary) / "now", "")
        earlier = Side(Path(temporary) / "earlier", options.revision)
        sources = now.project / "src/my_project/benchmark"
        generate_load, make_texts = (
            load(sources / "load_generator.py").generate_load,
            load(sources / "inputs.py").make_texts,
        )
        for runtime in RUNTIMES:
            with ExitStack() as stack:
                routes = [stack.enter_context(side.serving(runtime)) for side in (now, earlier)]
                for workload, lengths in WORKLOADS.items():
                    texts = make_texts(256, *lengths)
                    for route in routes:
                        generate_load(route, texts, 16, options.seconds)  # warms caches, and does not count
                    for clients in CLIENTS:
                        rates: tuple[list[float], list[float]] = ([], [])
                        for turn in range(options.turns):
                            for which in (0, 1) if turn % 2 else (1, 0):
                                measured = generate_load(routes[which], texts, clients, options.seconds)
                                rates[which].append(measured.throughput)
                        spread = "  ".join(
                            f"{statistics.median(each):.1f}  {min(each):.1f}  {max(each):.1f}" for each in rates
                        )
                        print(f"{runtime:<7}  {workload:<8}  {clients:>7}  {spread}", flush=True)
                        ratio = statistics.median(before / after for after, before in zip(*rates, strict=True))
                        rows.append(Row(f"earlier_to_now_{runtime}_{workload}_{clients}", ratio, "x", AT_MOST))
    return report.finish(rows, loaded, options.json)


if __name__ == "__main__":
    sys.exit(main())
