"""Existing code runs as the pods of its manifests: a Job, an API and a worker behind it, and a Job at its times."""

import base64
import re
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from tests.conftest import need_program
from tests.deploy.manifests import Resource, kustomize
from tests.engine import PATIENCE, attempt, build, need_engine
from tests.existing_code.packages import Package
from tests.existing_code.repositories import add_containers
from tests.image.load import CLIENTS
from tests.image.pods import Node, container_of, deployment, job, named, roll_out, started_node
from tests.program import run

pytestmark = [pytest.mark.image, pytest.mark.exhaustive]

SLUG = "slipway-test-existing-pods"
REQUESTS = 8

SERVER = """
import asyncio
import os
from pathlib import Path

from starlette.applications import Starlette
from starlette.responses import JSONResponse
from starlette.routing import Route


async def health(request):
    return JSONResponse({}, 200 if request.headers["host"] == "localhost" else 400)


async def state(request):
    return JSONResponse({path.name: path.read_text() for path in Path("state").iterdir()})


async def variables(request):
    return JSONResponse(dict(os.environ))


async def predict(request):
    print("a request has begun", flush=True)
    await asyncio.sleep(float(request.query_params.get("seconds", 0)))
    return JSONResponse({})


routes = {"/health": health, "/state": state, "/variables": variables, "/predict": predict}
app = Starlette(routes=[Route(path, each, methods=["GET", "POST"]) for path, each in routes.items()])
"""

WORKER = """
import signal
import threading
from pathlib import Path

ended = threading.Event()
signal.signal(signal.SIGTERM, lambda *_: ended.set())
steps = 0
while not ended.wait(0.1):
    steps += 1
    Path("state/steps").write_text(str(steps))
    Path("/tmp/alive").touch()
print(f"{steps} steps", flush=True)
"""

FILES = {
    "requirements.txt": "starlette\nuvicorn\n",
    "server.py": SERVER,
    "worker.py": WORKER,
    "migrate.py": "from pathlib import Path\n\nPath('state/migrated').write_text('yes')\n",
    "report.py": "from pathlib import Path\n\nPath('state/report').write_text(Path('state/migrated').read_text())\n",
}

PROCESSES: dict[str, dict[str, Any]] = {
    "migrate": {"command": "python migrate.py", "once": True},
    "worker": {"command": "python worker.py", "health": "test -e /tmp/alive"},
    "report": {"command": "python report.py", "schedule": "0 2 * * 0"},
}
ENVIRONMENT = {"PRICE": "5 $ or 'six' $HOME # = %", "TOKEN": "of nobody", "SIGNED_WITH": "a {session_secret}"}


@pytest.fixture(scope="module")
def node(template: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Node]:
    """Yield a node that has the image, the Secrets, and what the Job `migrate` wrote."""
    need_engine()
    need_program("kubectl")
    folder = Package(FILES).write(tmp_path_factory.mktemp("theirs") / "theirs")
    done = add_containers(
        template,
        folder,
        requirements_file="requirements.txt",
        code_paths=[name for name in FILES if name.endswith(".py")],
        api_app="server:app",
        health_route="/health",
        processes=PROCESSES,
        environment=ENVIRONMENT,
        output_folders=["state"],
        torch_version="none",
        test_command="",
        deploy=["kubernetes"],
        project_slug=SLUG,
    )
    assert done.returncode == 0, done.stderr
    locked = build(folder, "--target=lock", f"--output={folder}")
    assert locked.returncode == 0, locked.output
    try:
        built = build(folder, f"--tag={SLUG}")
        assert built.returncode == 0, built.output
        resources = kustomize(folder / "docker/kubernetes/base") + stored(folder)  # rollouts as in production
        with started_node(resources, [SLUG], tmp_path_factory.mktemp("node")) as node:
            migration = node.play(named("Job", "migrate", node.resources))
            assert migration.exit_code() == 0, migration.log()
            yield node
    finally:
        attempt("image", "rm", "--force", SLUG)


def stored(folder: Path) -> list[Resource]:
    """Return the Secrets that `deploy.sh secrets dev` makes of a repository's folder `secrets`."""
    assert run(["docker/secrets.sh"], cwd=folder).returncode == 0
    (folder / "secrets/dev.env").write_text("TOKEN=of mine\n")
    sources = {"passwords": "--from-file=secrets/session_secret", "variables": "--from-env-file=secrets/dev.env"}
    create = ["kubectl", "create", "secret", "generic", "--dry-run=client", "--output=yaml"]
    return [yaml.safe_load(run([*create, *each], cwd=folder).stdout) for each in sources.items()]


def test_an_api_runs_restricted_and_reads_its_variables_and_the_claim_of_all(node: Node) -> None:
    report = node.play(job(node.resources, "report"))
    assert report.exit_code() == 0, report.log()
    pod = node.play(deployment(node.resources, "restricted")).ready()
    pod.assert_restricted()
    pod.run("healthcheck")  # the probe of an API without a route
    assert httpx.get(f"{pod.url}/health").status_code == 400  # only probes name the host that it expects
    found = httpx.get(f"{pod.url}/variables").json()
    assert found["PRICE"] == ENVIRONMENT["PRICE"]
    assert found["TOKEN"] == "of mine", "secret variables win"
    password = base64.b64decode(named("Secret", "passwords", node.resources)["data"]["session_secret"]).decode()
    assert found["SIGNED_WITH"] == ENVIRONMENT["SIGNED_WITH"].format(session_secret=password)
    state = httpx.get(f"{pod.url}/state").json()
    assert (state["migrated"], state["report"]) == ("yes", "yes")
    pod.terminate()
    assert pod.exit_code() == 0


def test_requests_that_have_begun_are_answered_after_sigterm(node: Node) -> None:
    pod = node.play(deployment(node.resources, "begun")).ready()
    with ThreadPoolExecutor(max_workers=REQUESTS) as pool:
        url = f"{pod.url}/predict?seconds=5"
        answers = [pool.submit(httpx.post, url, timeout=PATIENCE) for _ in range(REQUESTS)]
        deadline = time.monotonic() + PATIENCE
        while pod.log().count("a request has begun") < REQUESTS:
            assert time.monotonic() < deadline, pod.log()
        pod.terminate()
        assert [each.result().status_code for each in answers] == [200] * REQUESTS
    assert pod.exit_code() == 0


def test_a_rollout_loses_no_request(node: Node) -> None:
    """Clients open a connection for each request: uvicorn closes those that wait for one when it stops."""
    old = node.play(deployment(node.resources, "old")).ready()
    clients = [(pause, keeps) for pause, keeps in CLIENTS if not keeps]
    new, sent = roll_out(old, deployment(node.resources, "new"), clients)
    assert sent.lost == []
    by_old, by_new = (each.log().count('"POST /predict HTTP/1.1" 200') for each in (old, new))
    assert by_old and by_new
    assert by_old + by_new == sent.answered


def test_a_worker_is_healthy_by_its_own_check_and_ends_its_work(node: Node) -> None:
    pod = node.play(named("Deployment", "worker", node.resources))
    check = container_of(pod.workload)["livenessProbe"]["exec"]["command"]
    deadline = time.monotonic() + PATIENCE
    while attempt("exec", node.container, "podman", "exec", pod.container, *check).returncode != 0:
        assert time.monotonic() < deadline, pod.log()
    pod.assert_restricted()
    pod.terminate()
    assert pod.exit_code() == 0
    assert re.search(r"^\d+ steps$", pod.log(), re.MULTILINE), "it ended what it was doing"
