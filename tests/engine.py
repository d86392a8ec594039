"""A Docker engine, driven as people drive it: builds, images and containers."""

import base64
import fcntl
import gzip
import json
import os
import re
import subprocess
import tarfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any, NamedTuple, TypeVar

import httpx

from tests.conftest import need, need_program
from tests.program import run
from tests.releases import git

T = TypeVar("T")

PATIENCE = 300
"""Seconds until something that ought to happen counts as never happening."""


def need_engine() -> None:
    """Skip the test where there is no Docker engine."""
    need_program("docker")
    found = run(["docker", "version", "--format", "{{.Server.Version}}"])
    need(found.returncode == 0, f"needs a running Docker engine: {found.stderr.strip()}")


def address() -> str:
    """Return the address of this machine for builds and containers."""
    gateway = "{{(index .IPAM.Config 0).Gateway}}"
    return os.environ.get("ENGINE_HOST") or docker("network", "inspect", "bridge", "--format", gateway).stdout.strip()


def docker(*arguments: str | Path, **options: Any) -> subprocess.CompletedProcess[str]:
    """Run docker, which must succeed."""
    done = attempt(*arguments, **options)
    assert done.returncode == 0, f"docker {arguments}: {done.stdout[-4000:]}{done.stderr[-4000:]}"
    return done


def attempt(*arguments: str | Path, **options: Any) -> subprocess.CompletedProcess[str]:
    """Run docker, without the settings of whoever runs the tests; never raise for its exit code."""
    foreign = ("HF_", "MY_PROJECT_", "COMPOSE_", "BUILDKIT_")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(foreign)}
    options["env"] = kept | options.pop("environment", {})
    return run(["docker", *arguments], **{"timeout": 600, **options})


class Build(NamedTuple):
    """What happened in a build: the steps that ran rather than came from the cache, and the bytes it was sent."""

    returncode: int
    ran: list[str]
    sent: int
    output: str


def build(folder: Path, *arguments: str | Path, **options: Any) -> Build:
    """Build the Dockerfile of a folder; never raise for the exit code."""
    done = attempt("build", "--progress=rawjson", *arguments, folder, **options)
    steps: dict[str, tuple[str, bool]] = {}
    sent: dict[str, int] = {}
    output: list[str] = []
    for line in done.stderr.splitlines():
        if not line.startswith("{"):
            output.append(line)
            continue
        said = json.loads(line)
        for step in said.get("vertexes") or []:
            if step.get("completed"):
                steps[step["digest"]] = (step["name"], step.get("cached", False))
        for status in said.get("statuses") or []:
            if status["id"] == "transferring context:":
                sent[status["vertex"]] = status.get("current", 0)
        output += [base64.b64decode(each["data"]).decode() for each in said.get("logs") or []]
    instruction = re.compile(r"\[(?!internal)[^]]+\] (?!FROM )")
    ran = [name for name, cached in steps.values() if instruction.match(name) and not cached]
    return Build(done.returncode, ran, sum(sent.values()), "\n".join(output) + done.stdout)


@contextmanager
def cache_kept() -> Iterator[None]:
    """Hold off the cleanup of the engine's cache with a lock on the file in ENGINE_LOCK."""
    with Path(os.environ.get("ENGINE_LOCK", os.devnull)).open() as file:
        fcntl.flock(file, fcntl.LOCK_SH)
        yield


def reproduced(folder: Path, *arguments: str | Path) -> str:
    """Build the image of a commit with that commit's time, and return its digest."""
    metadata = folder.parent / f"{folder.name}.json"
    done = build(
        folder,
        *arguments,
        f"--metadata-file={metadata}",
        f"--output=type=oci,dest={folder.parent / f'{folder.name}.tar'},rewrite-timestamp=true,"
        "compression=uncompressed,force-compression=true",
        "--provenance=false",
        environment={"SOURCE_DATE_EPOCH": git(folder, "log", "-1", "--format=%ct").strip()},
    )
    assert done.returncode == 0, done.output
    return json.loads(metadata.read_text())["containerimage.digest"]


def layers(image: str) -> list[str]:
    """Digests of an image's file system layers, the lowest first."""
    return json.loads(docker("image", "inspect", "--format", "{{json .RootFS.Layers}}", image).stdout)


def exists(image: str) -> bool:
    """Whether there is an image of this name."""
    return attempt("image", "inspect", image).returncode == 0


@dataclass
class Export:
    """An image as a file that anybody could have: its manifests, configurations and layers."""

    file: Path
    layers: list[dict[str, int]] = field(default_factory=list)
    """Of each layer, the lowest first, its regular files and their sizes."""

    @classmethod
    def of(cls, image: str, file: Path) -> "Export":
        """Export an image to a file and list what is in it."""
        docker("save", "--output", file, image)
        export = cls(file)
        with tarfile.open(file) as archive:
            manifest = json.load(_member(archive, "manifest.json"))[0]
            for name in manifest["Layers"]:
                with tarfile.open(fileobj=_member(archive, name), mode="r|*") as layer:
                    export.layers.append({f"/{each.name}": each.size for each in layer if each.isreg()})
        return export

    def holding(self, text: str) -> list[str]:
        """Return the parts of the image that hold a text in their unpacked bytes."""
        found = []
        with tarfile.open(self.file) as archive:
            for member in archive:
                if member.isreg() and _holds(_member(archive, member.name), text.encode()):
                    found.append(member.name)
        return found


def _member(archive: tarfile.TarFile, name: str) -> IO[bytes]:
    member = archive.extractfile(name)
    assert member, name
    return member


def _holds(stream: IO[bytes], needle: bytes) -> bool:
    packed = stream.read(2) == b"\x1f\x8b"
    stream.seek(0)
    reader: Any = gzip.GzipFile(fileobj=stream) if packed else stream
    kept = b""
    while chunk := reader.read(2**22):
        if needle in kept + chunk:
            return True
        kept = chunk[-len(needle) :]
    return False


class Container(NamedTuple):
    """A running container and its API's address."""

    name: str
    url: str
    started: float

    def log(self) -> list[str]:
        """Return the output, line by line."""
        done = docker("logs", self.name)
        return (done.stdout + done.stderr).splitlines()

    def exit_code(self) -> int:
        """Return the exit code, once the container has ended."""
        return int(docker("wait", self.name).stdout)

    def until(self, holds: Callable[[], T | None], what: str) -> T:
        """Return the first true result of `holds`; fail once the container has ended or PATIENCE is over."""
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            try:
                if answer := holds():
                    return answer
            except httpx.TransportError:  # not listening yet
                running = docker("inspect", "--format", "{{.State.Running}}", self.name).stdout.strip()
                assert running == "true", "\n".join(self.log())
            time.sleep(0.05)
        raise AssertionError(f"never {what}: {self.log()}")

    def ready(self) -> "Container":
        """Itself, as soon as it is ready."""
        self.until(lambda: httpx.get(f"{self.url}/ready").status_code == 200, "ready")
        return self

    def healthy(self) -> bool:
        """Whether the engine's own check finds it well; waits for that."""
        told = ["events", f"--since={self.started:.9f}", f"--until={time.time() + PATIENCE:.0f}"]
        only = [f"--filter=container={self.name}", "--filter=event=health_status", "--format={{.Action}}"]
        with subprocess.Popen(["docker", *told, *only], stdout=subprocess.PIPE, text=True) as events:
            assert events.stdout
            healthy = any(line.strip() == "health_status: healthy" for line in events.stdout)
            events.terminate()
        return healthy


@contextmanager
def started(image: str, *options: str, command: tuple[str, ...] = (), port: int = 8000) -> Iterator[Container]:
    """Yield a container with a published port; remove it at the end."""
    now = time.time()
    name = docker("run", "--detach", f"--publish=127.0.0.1::{port}", *options, image, *command).stdout.strip()
    try:
        found = docker("port", name, f"{port}/tcp").stdout.split()
        yield Container(name, f"http://{found[0]}", now)
    finally:
        attempt("rm", "--force", "--volumes", name)


def outcome(image: str, *command: str, options: tuple[str, ...] = (), **more: Any) -> subprocess.CompletedProcess[str]:
    """Return the output and the exit code of a command in a new container."""
    return attempt("run", "--rm", *options, image, *command, **more)
