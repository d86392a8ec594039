"""How fast each task answers over HTTP and predicts a file, beside an earlier release, with torch.

For each task, a project of the working tree and one of the release serve the tiny model of the project's own tests at
the same time, and the load goes to them in turns; then both predict the same file, in turns. The network costs next to
nothing, so a ratio shows what the machinery costs. A ratio is the median over the turns of earlier / now, or for a file
of the seconds of now / earlier; those of the processor's time, `cpu`, depend less on what else the machine does. Each
server computes with one thread, because threads that wait for each other take time of the processor, too. Needs what
`benchmarks.serving` needs.
"""

import base64
import json
import os
import re
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path

import httpx

from benchmarks import report
from benchmarks.predict_memory import prepare
from benchmarks.report import Row, say
from benchmarks.serving.__main__ import load
from benchmarks.serving.against_release import AT_MOST, serving
from tests import releases

TASKS = ("feature-extraction", "text-classification", "fill-mask", "text-generation", "image-classification")
CLIENTS = (1, 16)
RECORDS = 3000
"""Records of the file; an image or a continued text takes longer, so it has a tenth of them."""
SLOW = ("text-generation", "image-classification")
MAKE_MODEL = "import sys, pathlib; sys.path.insert(0, 'tests'); import example; example.make_model(pathlib.Path({!r}))"
MASK = "[MASK]"
"""The mask of the tiny model. Releases before v0.7.0 take no other."""
EXAMPLES = "import json; from my_project.components import example_inputs; print(json.dumps(example_inputs(64)))"


class Side:
    """An installed project of one release for one task."""

    def __init__(self, folder: Path, task: str, revision: str) -> None:
        folder.mkdir(parents=True)
        ours = ("HF_", "MY_PROJECT_")
        settings = {name: value for name, value in os.environ.items() if not name.startswith(ours)}
        self.project = prepare(folder, settings, revision, hf_task=task, runtime="torch")
        self.environment = settings | {"MY_PROJECT_LOG_LEVEL": "warning", "HF_HUB_OFFLINE": "1"}
        self.environment["OMP_NUM_THREADS"] = "1"

    def python(self, code: str) -> str:
        """Return the output of a program in the project's environment. Raises CalledProcessError."""
        command = [self.project / ".venv/bin/python", "-W", "ignore", "-c", code]
        done = subprocess.run(
            command, cwd=self.project, env=self.environment, check=True, stdout=subprocess.PIPE, text=True
        )
        return done.stdout

    def predict(self, source: Path) -> tuple[float, float]:
        """Return the seconds, and those of the processor, that predicting a file takes. Raises CalledProcessError."""
        with tempfile.TemporaryDirectory() as temporary:  # an output that is there already would be continued
            target = Path(temporary, "out.jsonl")
            command = [self.project / ".venv/bin/my-project", "predict", "--input", source, "--output", target]
            began, used = time.perf_counter(), children_seconds()
            subprocess.run(command, cwd=self.project, env=self.environment, check=True, stderr=subprocess.PIPE)
            return time.perf_counter() - began, children_seconds() - used


def children_seconds() -> float:
    """Return the processor's time of all processes that this one has waited for, in seconds."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def server_seconds(route: str) -> float:
    """Return the processor's time of the server, in seconds."""
    metrics = httpx.get(route.removesuffix("/predict") + "/metrics", timeout=60).text
    found = re.search(r"^process_cpu_seconds_total (\S+)$", metrics, re.MULTILINE)
    assert found, "its metrics lack process_cpu_seconds_total"
    return float(found[1])


def accepted(route: str, example: str) -> bool:
    """Return whether the server answers an example: a tiny model takes few tokens."""
    return httpx.post(route, json={"inputs": example}, timeout=60).status_code == 200


def source_file(task: str, examples: list[str], folder: Path) -> Path:
    """Return a file of records for `predict`, made of the examples."""
    count = RECORDS // 10 if task in SLOW else RECORDS
    lines = examples
    if task == "image-classification":
        picture = folder / "picture.png"
        picture.write_bytes(base64.b64decode(examples[0]))
        lines = [str(picture)]
    file = folder / f"{task}.txt"
    file.write_text("".join(f"{lines[number % len(lines)]}\n" for number in range(count)), "utf-8")
    return file


def summary(name: str, ratios: list[tuple[float, ...]]) -> list[Row]:
    """Return the medians of ratios of the time and of the processor's time, and print them."""
    medians = [statistics.median(each) for each in zip(*ratios, strict=True)]
    rows = [Row(f"{name}{suffix}", each, "x", AT_MOST) for suffix, each in zip(("", "_cpu"), medians, strict=True)]
    for row in rows:
        say(f"{row.name}: {row.value:.3f}")
    return rows


def main() -> int:
    """Measure and report."""
    parser = report.parser(__doc__)
    oldest = next(iter(releases.releases()))
    parser.add_argument("--release", default=oldest, help=f"release to compare with ({oldest})")
    parser.add_argument("--tasks", nargs="+", default=TASKS, choices=TASKS, help="tasks to measure (all)")
    parser.add_argument("--turns", type=int, default=5, help="turns of each cell (5)")
    parser.add_argument("--seconds", type=float, default=3, help="time for each turn of a side (3)")
    options = parser.parse_args()
    loaded, rows = report.load(), []
    for task in options.tasks:
        with tempfile.TemporaryDirectory() as temporary, ExitStack() as stack:
            folder = Path(temporary)
            now = Side(folder / "now", task, "")
            earlier = Side(folder / "earlier", task, releases.releases()[options.release])
            model = folder / "model"
            now.python(MAKE_MODEL.format(str(model)))
            for side in (now, earlier):
                side.environment["MY_PROJECT_MODEL"] = str(model)
            examples = [each.replace("<mask>", MASK) for each in json.loads(now.python(EXAMPLES))]
            generate = load(now.project / "src/my_project/benchmark/load_generator.py").generate_load
            routes = [
                stack.enter_context(serving(side.project, side.environment | {"MY_PROJECT_MAX_QUEUE": "4096"}))
                for side in (now, earlier)
            ]
            examples = [each for each in examples if all(accepted(route, each) for route in routes)]
            if not examples:
                raise RuntimeError(f"{task}: no example is accepted")
            for route in routes:
                warmed = generate(route, examples, 16, options.seconds)  # warms caches, and does not count
                if warmed.errors:
                    raise RuntimeError(f"{task}: {warmed.errors}")
            for clients in CLIENTS:
                ratios = []
                for turn in range(options.turns):
                    rate, cost = {}, {}
                    for which in (0, 1) if turn % 2 else (1, 0):
                        used = server_seconds(routes[which])
                        result = generate(routes[which], examples, clients, options.seconds)
                        cost[which] = (server_seconds(routes[which]) - used) / result.answered
                        rate[which] = result.throughput
                    ratios.append((rate[1] / rate[0], cost[0] / cost[1]))
                rows += summary(f"{task}_http_{clients}", ratios)
            stack.close()
            source = source_file(task, examples, folder)
            ratios = []
            for turn in range(options.turns):
                seconds = {side: side.predict(source) for side in ((now, earlier) if turn % 2 else (earlier, now))}
                ratios.append(tuple(ours / theirs for ours, theirs in zip(seconds[now], seconds[earlier], strict=True)))
            rows += summary(f"{task}_predict", ratios)
    return report.finish(rows, loaded, options.json)


if __name__ == "__main__":
    sys.exit(main())
