"""The S3 server that projects are given, SeaweedFS, as a program of this machine."""

import os
import random
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import httpx

from tests.conftest import need_program
from tests.engine import PATIENCE

KEY = "0123456789abcdef"


@dataclass
class Seaweed:
    """A running server."""

    endpoint: str
    data: Path
    credentials: Path

    @property
    def settings(self) -> dict[str, str]:
        """What leads botocore to it."""
        return {
            "AWS_ENDPOINT_URL_S3": self.endpoint,
            "AWS_DEFAULT_REGION": "us-east-1",
            "AWS_MAX_ATTEMPTS": "1",
            "AWS_SHARED_CREDENTIALS_FILE": str(self.credentials),
        }

    def held(self) -> int:
        """Bytes that it has on its disk."""
        return sum(path.stat().st_size for path in self.data.rglob("*.dat"))


@contextmanager
def seaweed(folder: Path, *options: str) -> Iterator[Seaweed]:
    """Run SeaweedFS with its data in a folder until the block ends."""
    data = folder / "data"
    data.mkdir(parents=True, exist_ok=True)
    credentials = folder / "credentials"
    credentials.write_text(f"[default]\naws_access_key_id = app\naws_secret_access_key = {KEY}")
    ports = dict(zip(["master", "volume", "filer", "s3"], _free_ports(4), strict=True))
    command = [need_program("weed"), "-logtostderr", "server", f"-dir={data}", "-ip=127.0.0.1", "-volume.max=0", "-s3"]
    command += ["-master.telemetry=false", "-master.volumeSizeLimitMB=64", "-s3.port.iceberg=0", "-s3.port.lance=0"]
    command += [f"-{part}.port={port}" for part, port in ports.items()]
    environment = os.environ | {"AWS_ACCESS_KEY_ID": "app", "AWS_SECRET_ACCESS_KEY": KEY}
    with (folder / "log").open("a") as log:
        process = subprocess.Popen([*command, *options], env=environment, stdout=log, stderr=log)
        try:
            running = Seaweed(f"http://127.0.0.1:{ports['s3']}", data, credentials)
            _await(running.endpoint, process, folder / "log")
            yield running
        finally:
            process.kill()
            process.wait()


def _await(endpoint: str, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        try:
            if httpx.get(f"{endpoint}/healthz").status_code == 200:
                return
        except httpx.TransportError:  # not listening yet
            pass
        assert process.poll() is None, log.read_text()[-4000:]
        time.sleep(0.1)
    raise AssertionError(log.read_text()[-4000:])


def _free_ports(count: int) -> list[int]:
    """Ports of which those 10,000 above are free too, where its parts talk to each other."""
    found: list[int] = []
    while len(found) < count:
        port = random.randrange(20_000, 30_000)
        with suppress(OSError), socket.create_server(("127.0.0.1", port)):
            socket.create_server(("127.0.0.1", port + 10_000)).close()
            found.append(port)
    return found
