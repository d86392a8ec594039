"""A job that takes more memory than its worker has: the kernel kills it, it fails finally, and other jobs go on."""

import re
from pathlib import Path

import httpx
import pytest

from tests.conftest import need
from tests.engine import docker, need_engine, outcome
from tests.installed import Make, Project
from tests.project.customers import local_settings, make_key, until
from tests.project.test_checks import BUCKET
from tests.project.test_redis import redis

pytestmark = pytest.mark.project

MEMORY = "800m"

ATTEMPTS = 2

HUNGRY = """#!{python}
from datetime import timedelta
from pydantic import BaseModel, ConfigDict
from my_project import job_types
from my_project.cli.program import main
from my_project.jobs import store, worker
from my_project.jobs.types import JobType

class Nothing(BaseModel):
    model_config = ConfigDict(extra="forbid")

class HungryJob(JobType[Nothing]):
    name, arguments = "hungry", Nothing

    def run(self, arguments, context):
        held = []
        while True:
            held.append(b"x" * 10_000_000)

store.LEASE_DURATION = worker.LEASE_DURATION = timedelta(seconds=6)
job_types.JOB_TYPES.append(HungryJob())
main()
"""
"""The project's command with a kind of job that takes all memory, and leases that expire soon."""

BASE = "debian:trixie-slim"
"""Image of a container that runs a program of this machine."""


class Hungry(Project):
    """A project with that kind of job."""

    @property
    def command(self) -> str:
        """The command with that kind of job."""
        return self.environment["HUNGRY_COMMAND"]


@pytest.fixture
def project(make_project: Make, tmp_path: Path) -> Project:
    """Return a platform with that kind of job."""
    need_engine()
    project = make_project(**BUCKET)
    command = tmp_path / "hungry"
    command.write_text(HUNGRY.replace("{python}", str(project.path / ".venv/bin/python")))
    command.chmod(0o755)
    seen = outcome(BASE, "test", "-x", f"/host{command}", options=("--volume=/:/host",))
    need(seen.returncode == 0, "needs a Docker engine that has the files of this machine")
    return Hungry(project.path, project.environment | {"HUNGRY_COMMAND": str(command)})


def test_a_job_that_takes_all_memory_fails_finally_and_others_go_on(
    make_project: Make, project: Project, tmp_path: Path
) -> None:
    compose = (project.path / "compose.yaml").read_text()
    [image] = set(re.findall(r"image: (redis:.*)", compose))
    with redis(image) as broker:
        settings = local_settings(project, tmp_path) | {
            "MY_PROJECT_BROKER": broker,
            "MY_PROJECT_JOB_ATTEMPTS": str(ATTEMPTS),
        }
        headers = make_key(project, "ann", settings)
        options = [f"--env={name}={value}" for name, value in settings.items()]
        options += ["--network=host", "--volume=/:/host", f"--memory={MEMORY}", f"--memory-swap={MEMORY}", "--init"]
        with project.served(**settings) as server:
            run_worker = ("chroot", "/host", "sh", "-c", f"cd '{project.path}' && exec '{project.command}' worker")
            name = docker("run", "--detach", *options, BASE, *run_worker).stdout.strip()
            try:
                check(server.url, headers, name)
            finally:
                docker("rm", "--force", name)


def check(url: str, headers: dict[str, str], worker: str) -> None:
    """Submit the job that takes all memory, and others before and after it."""
    with httpx.Client(base_url=url, headers=headers, timeout=60) as client:

        def submit(kind: str, **arguments: str) -> str:
            answer = client.post("/jobs", json={"kind": kind, "arguments": arguments})
            assert answer.status_code == 202, answer.text
            return answer.headers["Location"]

        def end(address: str) -> tuple[str, int, str | None]:
            job = until(lambda: (found := client.get(address).json())["finished_at"] and found, "ended", 120)
            return job["state"], job["failures"], job["error"]

        assert client.put("/files/in.jsonl", content=b'{"text": "user-1"}\n').status_code == 201
        hungry = submit("hungry")
        until(lambda: client.get(hungry).json()["started_at"], "begun")
        other = submit("predict", source="in.jsonl", target="first.jsonl")
        assert end(other) == ("succeeded", 0, None)
        assert client.get(hungry).json()["state"] != "succeeded"
        assert end(hungry) == ("failed", ATTEMPTS, "the worker died while it ran the job")
        assert end(submit("predict", source="in.jsonl", target="last.jsonl")) == ("succeeded", 0, None)
    assert docker("inspect", "--format={{.State.Running}}", worker).stdout.strip() == "true"
    log = docker("logs", worker)
    assert (log.stdout + log.stderr).count("signal 9 (SIGKILL)") >= ATTEMPTS, "killed by the kernel, not by Python"
