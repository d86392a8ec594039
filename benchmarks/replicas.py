"""What a second and a third replica of the API bring behind the proxy: answers per second, and how long they take.

The default project runs in containers as in production: HTTPS by Caddy, which gives each request to the replica that
has the fewest. Weights are those of all-MiniLM-L6-v2 with ONNX Runtime, texts have 8 to 128 tokens. A replica may use
half of a core, so that enough is left for the proxy and for the client, which is the project's own `bench`. Each round
measures every number of replicas, in another order. Needs a Docker engine with limits of CPU; TORCH_INDEX may name a
mirror of PyTorch's index.
"""

import os
import statistics
import sys
import tempfile
from pathlib import Path

import httpx

from benchmarks import report
from benchmarks.images import build, docker, hub_with_minilm
from benchmarks.report import Row, say
from benchmarks.serving.__main__ import WORKLOADS, load
from tests import releases, stand_ins
from tests.answers import TABLE
from tests.engine import attempt
from tests.system import System

REPLICAS = (1, 2, 3)
CORES = 0.5
"""Of a replica, at most."""
CLIENTS_PER_REPLICA = 8
SLUG = "slipway-benchmark-replicas"
LIMITS = f"services: {{api: {{cpus: {CORES}}}}}\n"


def main() -> int:
    """Start, measure and report."""
    parser = report.parser(__doc__)
    parser.add_argument("--rounds", type=int, default=5, help="rounds (5)")
    parser.add_argument("--seconds", type=float, default=10, help="time of each measurement (10)")
    options = parser.parse_args()
    loaded = report.load()
    with tempfile.TemporaryDirectory() as temporary, hub_with_minilm(Path(temporary, "weights")) as (hub, _):
        folder = Path(temporary, "project")
        template = releases.clone(Path(temporary, "template"))
        index = os.environ.get("TORCH_INDEX") or TABLE["index"]
        releases.copied(template, releases.NEWEST, folder, {"project_slug": SLUG, "torch_index": index})
        (folder / ".env").write_text("HTTP_PORT=0\nHTTPS_PORT=0\n")
        (folder / "limits.yaml").write_text(LIMITS)
        say("building ...")
        stand_ins.ensure("caddy:2.11-alpine")
        docker("build", "--target=lock", "--output=.", ".", cwd=folder)
        build(folder, hub.endpoint, SLUG)
        system = System(folder, "compose.yaml", "compose.tls.yaml", "limits.yaml")
        try:
            rates, slowest = measure(system, options.rounds, options.seconds)
        finally:
            system.down()
            attempt("image", "rm", "--force", SLUG)
    rows = []
    for count in REPLICAS:
        rows.append(Row(f"{count}_per_second", statistics.median(rates[count]), "1/s"))
        rows.append(Row(f"{count}_p99", statistics.median(slowest[count]), "ms"))
    for count in REPLICAS[1:]:
        ratios = [many / one for many, one in zip(rates[count], rates[1], strict=True)]
        rows.append(Row(f"{count}_to_one", statistics.median(ratios), "x"))
    return report.finish(rows, loaded, options.json)


def measure(system: System, rounds: int, seconds: float) -> tuple[dict[int, list[float]], dict[int, list[float]]]:
    """Return the answers per second, and the 99th percentile of the latency in ms, of each round by replicas."""
    package = releases.package(system.folder)
    generate = load(package / "benchmark/load_generator.py").generate_load
    inputs = load(package / "benchmark/inputs.py").make_texts(256, *WORKLOADS["mixed"])
    rates: dict[int, list[float]] = {count: [] for count in REPLICAS}
    slowest: dict[int, list[float]] = {count: [] for count in REPLICAS}
    for number in range(rounds):
        for count in REPLICAS[:: -1 if number % 2 else 1]:
            system.up(f"--scale=api={count}")
            port = system.compose("port", "proxy", "443").stdout.rpartition(":")[2].strip()
            trust(system)
            url = f"https://localhost:{port}"
            httpx.get(f"{url}/ready", timeout=30).raise_for_status()
            clients = CLIENTS_PER_REPLICA * count
            generate(f"{url}/predict", inputs, clients, 3)  # until the proxy knows all replicas; it does not count
            result = generate(f"{url}/predict", inputs, clients, seconds)
            if result.errors:
                raise RuntimeError(f"{count} replicas: {result.errors}")
            rates[count].append(result.throughput)
            slowest[count].append(result.p99)
            say(f"round {number + 1}, {count} replicas: {result.throughput:.1f} per second, p99 {result.p99:.0f} ms")
    return rates, slowest


def trust(system: System) -> None:
    """Let this process trust the local authority of the proxy."""
    authority = system.folder / "authority.crt"
    authority.write_text(
        system.compose("exec", "-T", "proxy", "cat", "/data/caddy/pki/authorities/local/root.crt").stdout
    )
    os.environ["SSL_CERT_FILE"] = str(authority)


if __name__ == "__main__":
    sys.exit(main())
