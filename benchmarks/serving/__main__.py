"""How many requests a second the generated API answers, beside what its users would pick instead.

The default project with torch and with ONNX Runtime in 32 and in 8 bits, a naive FastAPI application, LitServe, BentoML
and `batched` serve all-MiniLM-L6-v2 with its real weights in turn, on the same cores, to the same client, which is the
project's own `bench`. Requests hold one text: of 32 tokens, or of mixed 8 to 128. Closed loops of 1, 16 and 64 clients;
each contestant is restarted in each round, in another order, and medians over the rounds are compared. The ceiling
is the same predictor in a loop, without a server, on what the client leaves of the processors. Then three overloads:
twice as many requests a second as were answered, in an open loop. Needs Linux, make, git, a network or a package cache;
TORCH_INDEX may name a mirror of PyTorch's index.
"""

import json
import math
import os
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from importlib import util
from pathlib import Path
from types import ModuleType
from typing import Any

import httpx

from benchmarks import report
from benchmarks.predict_memory import prepare
from benchmarks.report import Row, say
from tests.answers import TABLE

HERE = Path(__file__).resolve().parent
PEERS = ["fastapi==0.165.0", "uvicorn[standard]==0.54.0", "litserve==0.2.19", "bentoml==1.4.39", "batched==0.1.5"]
OURS = {
    "ours": {"MY_PROJECT_RUNTIME": "torch", "MY_PROJECT_MAX_PADDING": "32"},  # as a project with torch has it
    "ours, fp32": {"MY_PROJECT_RUNTIME": "onnx"},
    "ours, int8": {"MY_PROJECT_RUNTIME": "onnx", "MY_PROJECT_PRECISION": "int8"},
}
"""Settings of each contestant of ours."""
RIVALS = ["naive", "litserve", "bentoml", "batched"]
CONTESTANTS = [*OURS, *RIVALS]
CLIENTS = [1, 16, 64]
WORKLOADS = {"32": (30, 30), "mixed": (6, 126)}
"""Words of the shortest and the longest text; two special tokens come to them."""


def load(file: Path) -> ModuleType:
    """Return a module of the generated project that needs nothing but Python."""
    spec = util.spec_from_file_location(file.stem, file)
    assert spec and spec.loader
    module = util.module_from_spec(spec)
    sys.modules[file.stem] = module
    spec.loader.exec_module(module)
    return module


class Arena:
    """The environments of the contestants, which all use the same weights."""

    def __init__(self, folder: Path) -> None:
        settings = {name: value for name, value in os.environ.items() if not name.startswith(("HF_", "MY_PROJECT_"))}
        self.project = prepare(folder, settings, runtime="onnx")
        weights = next((folder / "weights").glob("*/model"))
        self.environment = settings | {
            "WEIGHTS": str(weights),
            "MY_PROJECT_MODEL": str(weights),
            "MY_PROJECT_EXPORTED": str(folder / "exported"),
            "MY_PROJECT_LOG_LEVEL": "warning",  # as the others log
            "HF_HUB_OFFLINE": "1",
            "BENTOML_DO_NOT_TRACK": "true",
            "BENTOML_HOME": str(folder / "bentoml"),
            "PYTHONPATH": str(HERE),
        }
        say("exporting ...")
        subprocess.run([self.project / ".venv/bin/my-project", "export"], check=True, env=self.environment)
        self._peers = folder / "peers/bin"
        say("installing the peers ...")
        frozen = ["uv", "pip", "freeze", "--python", self.project / ".venv/bin/python", "--exclude-editable"]
        same = subprocess.run(frozen, check=True, stdout=subprocess.PIPE, text=True).stdout.splitlines()
        torch = [line for line in same if line.partition("=")[0] in ("torch", "transformers", "tokenizers", "numpy")]
        index = f"{settings.get('TORCH_INDEX') or TABLE['index']}/cpu"
        subprocess.run(["uv", "venv", "--quiet", "--python", "3.11", self._peers.parent], check=True)
        install = ["uv", "pip", "install", "--quiet", "--python", self._peers / "python", "--extra-index-url", index]
        subprocess.run([*install, "--index-strategy", "unsafe-best-match", *torch, *PEERS], check=True)

    def command(self, name: str, port: int) -> list[str | Path]:
        """Return what serves on the port."""
        if name in OURS:
            return [self.project / ".venv/bin/my-project", "serve", "--port", str(port)]
        if name == "bentoml":
            return [self._peers / "bentoml", "serve", "bentoml_service:Api", "--port", str(port)]
        file = {"naive": "naive.py", "litserve": "litserve_api.py", "batched": "batched_api.py"}[name]
        return [self._peers / "python", HERE / file, str(port)]

    @contextmanager
    def serving(self, name: str) -> Iterator[tuple[str, int]]:
        """Yield the route and the process of a ready server; end all its processes."""
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        route = f"http://127.0.0.1:{port}/predict"
        process = subprocess.Popen(
            self.command(name, port),
            cwd=HERE,
            env=self.environment | OURS.get(name, {}),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        try:
            deadline = time.monotonic() + 120
            while not self._answers(route):
                if process.poll() is not None or time.monotonic() > deadline:
                    raise RuntimeError(f"{name} does not serve: {self.command(name, port)}")
                time.sleep(0.2)
            yield route, process.pid
        finally:
            os.killpg(process.pid, signal.SIGTERM)  # BentoML's workers are ended by it alone
            with suppress(subprocess.TimeoutExpired):
                process.wait(timeout=10)
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)  # LitServe's outlive it by far
            process.wait()

    @staticmethod
    def _answers(route: str) -> bool:
        try:
            return httpx.post(route, json={"inputs": "A happy dog."}, timeout=60).status_code == 200
        except httpx.TransportError:
            return False

    def ceiling(self, name: str, workload: str) -> float:
        """Texts a second that a predictor of ours computes in a loop, tokens included, at the best size of batches."""
        shortest, longest = WORKLOADS[workload]
        code = f"""
import time
from my_project import components
from my_project.benchmark.inputs import make_texts
from my_project.schemas import Parameters
texts, best = make_texts(256, {shortest}, {longest}), 0
for tokens in (256, 512, 1024, 2048):
    model = components.load_model(components.get_settings().model_copy(update={{"max_batch_tokens": tokens}}))
    model.predict(texts[:16], Parameters())
    began = time.perf_counter()
    model.predict(texts, Parameters())
    best = max(best, len(texts) / (time.perf_counter() - began))
print(best)
"""
        command = [self.project / ".venv/bin/python", "-c", code]
        return float(
            subprocess.run(command, env=self.environment | OURS[name], check=True, stdout=subprocess.PIPE).stdout
        )


def resident(pid: int) -> float:
    """Megabytes that the process holds in memory."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmRSS:")) * 1024 / 1e6


def show(cells: dict[tuple[str, int, str], list[Any]]) -> dict[tuple[str, int, str], float]:
    """Print each cell's medians and spread; return the throughputs."""
    medians = {}
    print("workload  clients  contestant  answers/s  lowest  highest   p50 ms   p99 ms  errors")
    for (workload, clients, name), loads in sorted(cells.items()):
        rates = [load.throughput for load in loads]
        p50, p99 = (statistics.median(getattr(load, each) or math.nan for load in loads) for each in ("p50", "p99"))
        errors = sum(sum(load.errors.values()) for load in loads)
        medians[workload, clients, name] = statistics.median(rates)
        print(
            f"{workload:<8} {clients:>8}  {name:<11} {statistics.median(rates):>10.1f} {min(rates):>7.1f} "
            f"{max(rates):>8.1f} {p50:>8.1f} {p99:>8.1f} {errors:>7}"
        )
    return medians


def main() -> int:
    """Measures and reports."""
    parser = report.parser(__doc__)
    parser.add_argument("--rounds", type=int, default=3, help="times that each contestant is started (3)")
    parser.add_argument("--seconds", type=float, default=8, help="time for each cell (8)")
    parser.add_argument("--overload", type=float, default=60, help="seconds of the overload (60)")
    options = parser.parse_args()
    loaded = report.load()
    cells: dict[tuple[str, int, str], list[Any]] = {}
    ceilings: dict[str, list[float]] = {name: [] for name in OURS}
    left: dict[str, list[float]] = {name: [] for name in OURS}
    memory: dict[str, list[float]] = {name: [] for name in OURS}
    with tempfile.TemporaryDirectory() as temporary:
        arena = Arena(Path(temporary))
        sources = arena.project / "src/my_project"
        generate_load = load(sources / "benchmark/load_generator.py").generate_load
        make_texts = load(sources / "benchmark/inputs.py").make_texts
        for number in range(options.rounds):
            for name, found in ceilings.items():
                found.append(arena.ceiling(name, "mixed"))
            turn = CONTESTANTS[number % len(CONTESTANTS) :] + CONTESTANTS[: number % len(CONTESTANTS)]
            for name in turn:
                say(f"round {number + 1} of {options.rounds}: {name}")
                with arena.serving(name) as (route, process):
                    if name in OURS:
                        memory[name].append(resident(process))
                    spent = 0.0
                    for workload, lengths in WORKLOADS.items():
                        texts = make_texts(256, *lengths)
                        generate_load(route, texts, 4, 1)
                        for clients in CLIENTS:
                            spent = time.process_time()
                            measured = generate_load(route, texts, clients, options.seconds)
                            cells.setdefault((workload, clients, name), []).append(measured)
                    if name in OURS:  # of the last cell, which is compared with the ceiling
                        spent = (time.process_time() - spent) / options.seconds / (os.cpu_count() or 1)
                        left[name].append(1 - spent)
        medians = show(cells)
        capacity = medians["mixed", 64, "ours"]
        say(f"overload: {2 * capacity:.0f} requests a second for {options.overload:g} s")
        with arena.serving("ours") as (route, process):
            held = [resident(process)]
            floods: list[Any] = []
            for _ in range(3):  # the first adds buffers, which the others use again; what those add grows
                texts = make_texts(256, *WORKLOADS["mixed"])
                floods.append(generate_load(route, texts, 1024, options.overload, 2 * capacity))
                held.append(resident(process))
            alive = httpx.get(route.replace("/predict", "/ready"), timeout=60).status_code
    print(json.dumps({"overloads": [vars(flood) for flood in floods], "resident_mb": held}))
    best = {
        (workload, clients): max(medians[workload, clients, name] for name in RIVALS)
        for workload in WORKLOADS
        for clients in CLIENTS
    }
    alone = {name: statistics.median(load.p50 for load in cells["32", 1, name]) for name in ("ours", "naive")}
    rows = [
        *(
            Row(f"best_peer_to_ours_{workload}_{clients}", peer / medians[workload, clients, "ours"], "x", 1.0)
            for (workload, clients), peer in best.items()
        ),
        Row("best_peer_to_ours_mixed_64_wide", best["mixed", 64] / capacity, "x", 1 / 1.3),
        Row("alone_p50_to_naive", alone["ours"] / alone["naive"], "x", 1.05),
        *(
            Row(
                f"naive_to_int8_{workload}_{clients}",
                medians[workload, clients, "naive"] / medians[workload, clients, "ours, int8"],
                "x",
                1 / 4,
            )
            for workload, clients in best
        ),
        *(
            Row(
                f"naive_to_fp32_{workload}_1",
                medians[workload, 1, "naive"] / medians[workload, 1, "ours, fp32"],
                "x",
                0.5,
            )
            for workload in WORKLOADS
        ),
        *(
            Row(
                f"ceiling_to_{name}_mixed_64",
                statistics.median(found) * statistics.median(left[name]) / medians["mixed", 64, name],
                "x",
                1 / 0.85,
            )
            for name, found in ceilings.items()
        ),
        *(Row(f"left_by_the_client_of_{name}", statistics.median(found), "x") for name, found in left.items()),
        *(
            Row(
                f"memory_{name}_to_torch", statistics.median(memory[name]) / statistics.median(memory["ours"]), "x", 0.4
            )
            for name in list(OURS)[1:]
        ),
        Row(
            "overload_other_than_503",
            sum(n for flood in floods for what, n in flood.errors.items() if what != "503"),
            "",
            0,
        ),
        Row("overload_p99", max(flood.p99 or math.inf for flood in floods) / 1000, "s", 30),
        Row("overload_added", held[1] - held[0], "MB"),
        *(Row(f"overload_growth_{number}", held[number] - held[number - 1], "MB", 20) for number in (2, 3)),
        Row("overload_not_ready_after", int(alive != 200), "", 0),
    ]
    return report.finish(rows, loaded, options.json)


if __name__ == "__main__":
    sys.exit(main())
