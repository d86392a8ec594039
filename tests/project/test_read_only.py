"""A project whose data folder is mounted read-only: predictions go on, jobs and files say why they do not."""

import json
import shlex
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.conftest import need, need_program
from tests.installed import Make, Project
from tests.program import run
from tests.project.customers import local_settings, make_key, until
from tests.project.test_checks import BUCKET

pytestmark = pytest.mark.project

MOUNT = "mount --bind {0} {0} && mount -o remount,ro,bind {0} && exec {1} {2}"


@pytest.fixture
def read_only(make_project: Make, tmp_path: Path) -> Project:
    """Return a platform whose command sees the folder `data` of the test read-only."""
    project = make_project(**BUCKET)
    data = tmp_path / "data"
    data.mkdir()
    inside = MOUNT.format(shlex.quote(str(data)), shlex.quote(project.command), '"$@"')
    namespace = [need_program("unshare"), "--mount", "--map-root-user", "sh", "-c"]
    probe = run([*namespace, MOUNT.format(shlex.quote(str(data)), "touch", shlex.quote(f"{data}/probe"))])
    need("Read-only file system" in probe.stderr, f"needs mount namespaces: {probe.stderr}")
    command = tmp_path / "command"
    command.write_text(f'#!/bin/sh\nexec {shlex.join([*namespace, inside])} sh "$@"\n')
    command.chmod(0o755)
    return ReadOnly(project.path, project.environment | {"READ_ONLY_COMMAND": str(command)})


class ReadOnly(Project):
    """A project whose command runs with the mount."""

    @property
    def command(self) -> str:
        """The command with the mount."""
        return self.environment["READ_ONLY_COMMAND"]


@pytest.mark.parametrize("is_new", [True, False], ids=["empty", "used before"])
def test_predictions_go_on_while_the_data_folder_is_read_only(
    make_project: Make, read_only: Project, tmp_path: Path, is_new: bool
) -> None:
    project = make_project(**BUCKET)
    settings = local_settings(project, tmp_path)
    headers = make_key(project, "ann", settings)
    if not is_new:
        with project.served(**settings) as server:
            assert httpx.put(f"{server.url}/files/a.txt", content=b"a", headers=headers).status_code == 201

    with (
        read_only.served(**settings) as server,
        httpx.Client(base_url=server.url, headers=headers, timeout=60) as client,
    ):

        def ready() -> dict[str, Any] | None:
            answer = client.get("/ready")
            return answer.json() if answer.status_code == 200 else None

        degraded = until(ready, "ready", 30)["degraded"]
        assert set(degraded) == {"jobs", "files"}
        assert degraded["jobs"][0] == "the database cannot be written: jobs.sqlite or its folder is read-only"
        assert degraded["jobs"][1].endswith("Read-only file system")
        body = json.dumps({"arguments": {"source": "a.txt", "target": "b.jsonl"}}).encode()
        for method, path, content in [
            ("POST", "/jobs", body),
            ("GET", "/jobs", None),
            ("PUT", "/files/b.txt", b"b"),
            ("GET", "/files", None),
            ("DELETE", "/files/a.txt", None),
        ]:
            answer = client.request(method, path, content=content, headers={"Content-Type": "application/json"})
            assert answer.status_code in (503, 507), f"{method} {path}: {answer.status_code} {answer.text}"
            assert answer.status_code == 507 or answer.headers["Retry-After"].isdecimal()
            assert str(tmp_path) not in answer.text and ".part" not in answer.text and "probe" not in answer.text
            assert client.post("/predict", json={"inputs": ["user-1"]}).status_code == 200
        assert "model_info" in client.get("/metrics").text
    log = "".join(server.log)
    assert [line.split(": ", 1)[1].rstrip() for line in server.log if " ERROR " in line] == [
        "jobs and files are not available: the database cannot be written: jobs.sqlite or its folder is read-only"
    ]
    assert "Traceback" not in log
    assert log.count("querying for jobs failed") == 1, "said once, not each second"
