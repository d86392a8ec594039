"""A small package index on this machine, in which every wheel is an empty stub.

It serves wheels as PyTorch's own index does: a simple repository (PEP 503) of its own for each accelerator, with hashes
and without the default registry's packages. What a wheel is for (version, platform, requirements) is as real as a
resolver can tell; there is just nothing in it.
"""

import base64
import hashlib
import io
import re
import sys
import zipfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from http.server import BaseHTTPRequestHandler
from itertools import product
from typing import Any
from urllib.parse import quote, unquote, urlsplit

from tests.local_server import LocalServer

LINUX_X86_64 = "manylinux_2_28_x86_64"
LINUX_AARCH64 = "manylinux_2_28_aarch64"
WINDOWS = "win_amd64"
MACOS = "macosx_11_0_arm64"
PYTHONS = ("3.11", "3.12", "3.13", "3.14")


@dataclass(frozen=True)
class Wheel:
    """A wheel without code, at one of the server's repositories: ``whl/cpu`` holds what is for the CPU."""

    repository: str
    name: str
    version: str
    platform: str
    python: str = "3.11"
    requires: tuple[str, ...] = ()

    @property
    def tag(self) -> str:
        """What it runs on, as in its file's name."""
        interpreter = "cp" + self.python.replace(".", "")
        return f"{interpreter}-{interpreter}-{self.platform}"

    @property
    def filename(self) -> str:
        """Name of the file."""
        return f"{self.name.replace('-', '_')}-{self.version}-{self.tag}.whl"

    @cached_property
    def data(self) -> bytes:
        """The file: a module with nothing in it, and the same bytes each time."""
        module, version = self.name.replace("-", "_"), self.version
        folder = f"{module}-{version}.dist-info"
        metadata = [
            "Metadata-Version: 2.1",
            f"Name: {self.name}",
            f"Version: {version}",
            "Requires-Python: >=3.10",
            *(f"Requires-Dist: {requirement}" for requirement in self.requires),
        ]
        wheel = ["Wheel-Version: 1.0", "Generator: slipway", "Root-Is-Purelib: false", f"Tag: {self.tag}"]
        files = {
            f"{module}/__init__.py": f'__version__ = "{version}"\n',
            f"{folder}/METADATA": "\n".join(metadata) + "\n",
            f"{folder}/WHEEL": "\n".join(wheel) + "\n",
        }
        record = f"{folder}/RECORD"
        lines = [f"{name},sha256={_record_hash(text)},{len(text.encode())}" for name, text in files.items()]
        files[record] = "\n".join([*lines, f"{record},,"]) + "\n"
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w") as archive:
            for name, text in files.items():
                archive.writestr(zipfile.ZipInfo(name), text)
        return buffer.getvalue()

    @cached_property
    def sha256(self) -> str:
        """The hash that the index gives, and a lock must hold."""
        return hashlib.sha256(self.data).hexdigest()


def _record_hash(text: str) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).rstrip(b"=").decode()


def torch_wheels(version: str = "2.13.0", pythons: Iterable[str] = PYTHONS) -> Iterator[Wheel]:
    """Yield the wheels of one torch that PyTorch's index holds: for the CPU, for CUDA 13.0 and for ROCm 7.2.

    The builds for the CPU have the local version ``+cpu``, except on macOS. Those for CUDA exist for Arm, too, and
    require NVIDIA's packages on any Linux, as the real ones do since 2.11; of these packages only the smallest is
    required here. It comes from the default registry, torch's other requirements likewise.
    """
    cuda, rocm = "nvidia-nvtx==13.0.85 ; sys_platform == 'linux'", "triton-rocm==3.7.0 ; sys_platform == 'linux'"
    builds = [
        ("whl/cpu", "+cpu", (LINUX_X86_64, LINUX_AARCH64, WINDOWS), ()),
        ("whl/cpu", "", (MACOS,), ()),
        ("whl/cu130", "+cu130", (LINUX_X86_64, LINUX_AARCH64, WINDOWS), (cuda,)),
        ("whl/rocm7.2", "+rocm7.2", (LINUX_X86_64,), (rocm,)),
    ]
    for repository, local, platforms, requires in builds:
        for platform, python in product(platforms, pythons):
            yield Wheel(repository, "torch", version + local, platform, python, ("filelock", *requires))
    for python in pythons:
        yield Wheel("whl/rocm7.2", "triton-rocm", "3.7.0", LINUX_X86_64, python)


class StubIndex(LocalServer):
    """The server: a context manager that listens on a free port of 127.0.0.1 until it is left."""

    def __init__(self, wheels: Iterable[Wheel]) -> None:
        """Take a port; ``wheels`` are the files to serve."""
        super().__init__(Handler)
        self.files = {f"/{wheel.repository}/{wheel.filename}": wheel for wheel in wheels}
        self.requests: list[str] = []

    def downloaded(self) -> list[str]:
        """Return the wheels that were asked for, as repository and file name, in order."""
        return [path.removeprefix("/") for path in self.requests if path in self.files]

    def page(self, path: str) -> bytes | None:
        """Return the page of a project at ``/<repository>/<project>/``: a link to each of its wheels, with its hash."""
        repository, _, project = path.strip("/").rpartition("/")
        links = [
            f'<a href="{quote(name)}#sha256={wheel.sha256}">{wheel.filename}</a><br/>'
            for name, wheel in self.files.items()
            if wheel.repository == repository and wheel.name == re.sub(r"[-_.]+", "-", project).lower()
        ]
        return f"<!DOCTYPE html><html><body>{''.join(links)}</body></html>".encode() if links else None

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing of clients that went away."""
        if not isinstance(sys.exc_info()[1], ConnectionError):
            super().handle_error(request, client_address)


class Handler(BaseHTTPRequestHandler):
    """Answers one request per connection."""

    protocol_version = "HTTP/1.1"
    server: StubIndex

    def do_GET(self) -> None:
        """Record a request and answer with a wheel, with a project's page, or that there is none."""
        path = unquote(urlsplit(self.path).path)
        self.server.requests.append(path)
        wheel = self.server.files.get(path)
        body = wheel.data if wheel else self.server.page(path)
        self.send_response(404 if body is None else 200)
        self.send_header("Content-Type", "application/octet-stream" if wheel else "text/html")
        self.send_header("Content-Length", str(len(body or b"")))
        self.send_header("Cache-Control", "no-cache")  # the next run's server may have the same port
        self.send_header("Connection", "close")
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(body or b"")

    do_HEAD = do_GET

    def log_message(self, format: str, *args: Any) -> None:
        """Print nothing."""
