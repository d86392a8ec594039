"""Time that the generated API takes to rank 32 texts, beside a naive FastAPI application, and how far scores differ.

The model is all-MiniLM-L6-v2 with its real weights and a head of random ones, whose cost is that of a CrossEncoder of
its size. Texts have 8 to 128 words. All servers run at once, and one client asks them in turns, so a change of the
machine's speed meets all. A ratio is the median over the turns of the naive time / ours. The scores are compared with
those of sentence-transformers' CrossEncoder. Needs what `benchmarks.serving` needs.
"""

import json
import os
import random
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import httpx

from benchmarks import report
from benchmarks.predict_memory import call, prepare
from benchmarks.report import Row, say
from benchmarks.serving.__main__ import PEERS, load

HERE = Path(__file__).resolve().parent
TEXTS = 32
TIMES_NAIVE = 2.0
"""Times as fast as the naive application that each runtime must be at least."""
MAX_DIFFERENCE = 1e-4
"""Largest difference of a score from CrossEncoder's, in 32 bits."""
LIBRARY = "sentence-transformers==6.2.0"
RUNTIMES = {
    "torch": {"MY_PROJECT_RUNTIME": "torch", "MY_PROJECT_MAX_PADDING": "32"},
    "fp32": {"MY_PROJECT_RUNTIME": "onnx"},
    "int8": {"MY_PROJECT_RUNTIME": "onnx", "MY_PROJECT_PRECISION": "int8"},
}
MAKE_MODEL = """
import sys, torch
from transformers import AutoModelForSequenceClassification, AutoTokenizer

torch.manual_seed(0)
network = AutoModelForSequenceClassification.from_pretrained(sys.argv[1], num_labels=1)
network.classifier.weight.data.mul_(10)
network.save_pretrained(sys.argv[2])
AutoTokenizer.from_pretrained(sys.argv[1]).save_pretrained(sys.argv[2])
"""
SCORE = """
import json, sys
from sentence_transformers import CrossEncoder

body = json.load(open(sys.argv[2]))
scores = CrossEncoder(sys.argv[1], device="cpu").predict([(body["query"], text) for text in body["texts"]])
print(json.dumps(scores.tolist()))
"""


@contextmanager
def serving(command: list[str | Path], environment: dict[str, str], port: int, body: Any) -> Iterator[str]:
    """Yield the route of a server that ranks."""
    route = f"http://127.0.0.1:{port}/rerank"
    with subprocess.Popen(command, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL) as server:
        try:
            deadline = time.monotonic() + 300
            while not ranks(route, body):
                if server.poll() is not None or time.monotonic() > deadline:
                    raise RuntimeError(f"does not serve: {command}")
                time.sleep(0.2)
            yield route
        finally:
            server.terminate()


def ranks(route: str, body: Any) -> bool:
    """Return whether the route answers with status 200."""
    try:
        return httpx.post(route, json=body, timeout=60).status_code == 200
    except httpx.TransportError:
        return False


def free_port() -> int:
    """Return a port that nobody listens on."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
        return port


def main() -> int:
    """Measure and report."""
    parser = report.parser(__doc__)
    parser.add_argument("--turns", type=int, default=15, help="requests to each server (15)")
    options = parser.parse_args()
    loaded = report.load()
    rows = []
    with tempfile.TemporaryDirectory() as temporary, ExitStack() as stack:
        folder = Path(temporary)
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("HF_", "MY_PROJECT_"))}
        project = prepare(folder, kept, hf_task="text-ranking", runtime="onnx")
        python, model = project / ".venv/bin/python", folder / "ranker"
        call([python, "-c", MAKE_MODEL, next((folder / "weights").glob("*/model")), model], folder, kept)
        make_texts = load(project / "src/my_project/benchmark/inputs.py").make_texts
        bodies = [{"query": make_texts(1, 6, 8, seed)[0], "texts": make_texts(TEXTS, seed=seed)} for seed in range(8)]
        (folder / "body.json").write_text(json.dumps(bodies[0]))
        libraries = [f"--with={LIBRARY}", *(f"--with={each}" for each in PEERS[:2])]
        run = ["uv", "run", "--quiet", "--project", str(project), *libraries, "python"]
        scored = subprocess.run(
            [*run, "-c", SCORE, model, folder / "body.json"], env=kept, check=True, capture_output=True, text=True
        )
        expected: list[float] = json.loads(scored.stdout)

        settings = kept | {"MY_PROJECT_MODEL": str(model), "MY_PROJECT_EXPORTED": str(folder / "exported")}
        settings |= {"MY_PROJECT_LOG_LEVEL": "warning", "MY_PROJECT_CACHE_SIZE": "0"}
        say("exporting ...")
        call([project / ".venv/bin/my-project", "export"], folder, settings)
        routes = {}
        for runtime, chosen in RUNTIMES.items():
            port = free_port()
            command: list[str | Path] = [project / ".venv/bin/my-project", "serve", "--port", str(port)]
            routes[runtime] = stack.enter_context(serving(command, settings | chosen, port, bodies[0]))
        port = free_port()
        naive = [*run, str(HERE / "naive_rerank.py"), str(port), str(model)]
        routes["naive"] = stack.enter_context(serving(list(naive), kept, port, bodies[0]))

        for runtime in ("torch", "fp32"):
            found = {each["index"]: each["score"] for each in httpx.post(routes[runtime], json=bodies[0]).json()}
            gap = max(abs(found[index] - score) for index, score in enumerate(expected))
            rows.append(Row(f"difference_from_cross_encoder_{runtime}", gap * 1e6, "millionths", MAX_DIFFERENCE * 1e6))
        seconds: dict[str, list[float]] = {name: [] for name in routes}
        for turn in range(options.turns):
            for name in random.Random(turn).sample(list(routes), len(routes)):
                began = time.perf_counter()
                httpx.post(routes[name], json=bodies[turn % len(bodies)], timeout=120).raise_for_status()
                seconds[name].append(time.perf_counter() - began)
        print("server  median ms  lowest  highest")
        for name, each in seconds.items():
            spread = "  ".join(f"{value * 1e3:.0f}" for value in (statistics.median(each), min(each), max(each)))
            print(f"{name:<6}  {spread}")
        for runtime in RUNTIMES:
            pairs = zip(seconds[runtime], seconds["naive"], strict=True)
            ratio = statistics.median(ours / naive for ours, naive in pairs)
            rows.append(Row(f"{runtime}_to_naive", ratio, "x", 1 / TIMES_NAIVE))
    return report.finish(rows, loaded, options.json)


if __name__ == "__main__":
    sys.exit(main())
