"""How many requests a second the default project's API answers, beside that of an earlier release.

Both projects are made with their defaults and `runtime=onnx`, which brings both runtimes, and serve all-MiniLM-L6-v2
with its real weights: with torch, and with ONNX Runtime in 8 bits. Both servers run at once, and the load goes to them
in turns, so a change of the machine's speed meets both. The client is the working tree's own `bench`: closed loops of
1, 16 and 64 clients, texts of 32 tokens or of mixed 8 to 128. A ratio is the median over the turns of earlier / now.
Needs what `benchmarks.serving` needs.
"""

import os
import socket
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
from benchmarks.serving import turns
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

    def serving(self, runtime: str, **settings: str) -> AbstractContextManager[str]:
        """Yield the route of a ready server with these settings."""
        return serving(self.project, self.environment | RUNTIMES[runtime] | settings)


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
    parser = turns.parser(__doc__)
    newest = list(releases.releases().values())[-1]
    parser.add_argument("--revision", default=newest, help=f"commit or tag to compare with ({newest[:10]})")
    options = parser.parse_args()
    loaded = report.load()
    rows = []
    print("runtime  workload  clients  answers/s now  lowest  highest  earlier  lowest  highest")
    with tempfile.TemporaryDirectory() as temporary:
        now = Side(Path(temporary) / "now", "")
        earlier = Side(Path(temporary) / "earlier", options.revision)
        for runtime in RUNTIMES:
            with ExitStack() as stack:
                servers = (
                    (stack.enter_context(now.serving(runtime)), ""),
                    (stack.enter_context(earlier.serving(runtime)), ""),
                )
                for cell, ratio in turns.compare(runtime, now.project, servers, options.turns, options.seconds):
                    rows.append(Row(f"earlier_to_now_{cell}", ratio, "x", AT_MOST))
    return report.finish(rows, loaded, options.json)


if __name__ == "__main__":
    sys.exit(main())
