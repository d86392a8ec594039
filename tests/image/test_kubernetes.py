"""The manifests of an overlay run as pods: Podman reads them in a container, because no control plane can be had.

Podman applies the security context, the limits, the volumes and the ConfigMaps. What it lacks, the tests do as the
kubelet and the controller of Deployments would: probes from outside, `preStop`, and one pod in place of another.
"""

import copy
import re
import socket
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from tests.conftest import need_program
from tests.deploy.manifests import Resource, kustomize, pod_template
from tests.engine import PATIENCE, attempt, docker
from tests.image import kubelet
from tests.image.conftest import Image
from tests.image.load import Load, load
from tests.relay import relay

pytestmark = [pytest.mark.image, pytest.mark.exhaustive]

HERE = Path(__file__).parent
PODMAN = "slipway-test-podman"
REQUEST = {"inputs": ["user-7"]}

PROPAGATION_SECONDS = 5
"""Time for which nodes still send requests to a pod that ends."""

SLOW_LOAD = """import time
from my_project import components
from my_project.cli.program import main

load_model = components.load_model

def load_slowly(settings):
    end = time.monotonic() + {seconds}
    while time.monotonic() < end:
        sum(range(1000))
    return load_model(settings)

components.load_model = load_slowly
main()"""
"""The command, with a model whose load keeps a CPU busy for some time."""


@dataclass
class Node:
    """A container in which Podman runs the pods of an overlay."""

    container: str
    address: str
    resources: list[Resource]

    def podman(self, *arguments: str, **options: Any) -> str:
        """Run podman, which must succeed, and return its output."""
        return docker(
            "exec", *(["--interactive"] if options else []), self.container, "podman", *arguments, **options
        ).stdout

    def play(self, workload: Resource, port: int | None = None) -> None:
        """Start the pod of a workload, with the ConfigMaps and claims of the overlay."""
        shared = [each for each in self.resources if each["kind"] in ("ConfigMap", "PersistentVolumeClaim")]
        published = [f"--publish={port}:8000"] if port else []
        manifests = yaml.safe_dump_all([_playable(each) for each in [*shared, workload]])
        self.podman("kube", "play", "--quiet", "--network=podman", *published, "-", input=manifests)

    def log(self, name: str) -> str:
        """Return what the API of a pod has logged."""
        done = docker("exec", self.container, "podman", "logs", f"{name}-pod-api")
        return done.stdout + done.stderr

    def url(self, port: int) -> str:
        """Return the address of the pod that publishes a port."""
        return f"http://{self.address}:{port}"


@pytest.fixture(scope="module")
def node(image: Callable[[str], Image], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Node]:
    """Yield a node that has the image and a trained model in the claim `models`."""
    need_program("kubectl")
    project = image("kubernetes")
    archive = tmp_path_factory.mktemp("node") / "image.tar"
    docker("tag", project.name, "slipway-test-kubernetes:latest")
    docker("save", "--output", archive, "slipway-test-kubernetes:latest")
    docker("build", "--quiet", "--tag", PODMAN, "--file", HERE / "podman.dockerfile", HERE)
    container = docker("run", "--detach", "--privileged", PODMAN).stdout.strip()
    try:
        docker("cp", archive, f"{container}:/image.tar")
        address = docker("inspect", "--format", "{{.NetworkSettings.IPAddress}}", container).stdout.strip()
        resources = kustomize(project.project / "deploy/kubernetes/overlays/dev")
        node = Node(container, address, resources)
        node.podman("load", "--quiet", "--input=/image.tar")
        node.play(job(node.resources, "train"))
        assert node.podman("wait", "train-pod-train").strip() == "0", node.podman("logs", "train-pod-train")
        yield node
    finally:
        attempt("rm", "--force", "--volumes", container)
        attempt("image", "rm", "--force", PODMAN, "slipway-test-kubernetes:latest")


def _playable(resource: Resource) -> Resource:
    """Return a resource without what Podman does differently: namespaces and probes inside the container."""
    found = copy.deepcopy(resource)
    found["metadata"].pop("namespace", None)
    if found["kind"] in ("Deployment", "Job"):
        for container in pod_template(found)["spec"]["containers"]:
            container["image"] = f"docker.io/library/{container['image']}:latest"
            for probe in ("startupProbe", "livenessProbe", "readinessProbe"):
                container.pop(probe, None)
    return found


def job(resources: list[Resource], name: str) -> Resource:
    """Return a Job from a CronJob, as `kubectl create job --from` makes it."""
    [cron] = [each for each in resources if each["kind"] == "CronJob" and each["metadata"]["name"] == name]
    return {"apiVersion": "batch/v1", "kind": "Job", **cron["spec"]["jobTemplate"], "metadata": {"name": name}}


def deployment(resources: list[Resource], name: str) -> Resource:
    """Return the Deployment of the API under another name."""
    [found] = [each for each in resources if each["kind"] == "Deployment"]
    renamed = copy.deepcopy(found)
    renamed["metadata"]["name"] = name
    return renamed


def start(node: Node, workload: Resource, port: int) -> str:
    """Start a pod of the API, and return its address when it is ready."""
    node.play(workload, port)
    url = node.url(port)
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        try:
            if httpx.get(f"{url}/ready").status_code == 200:
                return url
        except httpx.TransportError:
            pass
        time.sleep(0.1)
    raise AssertionError(f"never ready: {node.log(workload['metadata']['name'])}")


def container_of(workload: Resource) -> dict[str, Any]:
    """Return the container of a workload's pod."""
    container: dict[str, Any]
    [container] = pod_template(workload)["spec"]["containers"]
    return container


def stop(node: Node, name: str) -> int:
    """Send SIGTERM to a pod's container, and return its exit code."""
    node.podman("kill", "--signal=TERM", f"{name}-pod-api")
    return int(node.podman("wait", f"{name}-pod-api"))


def test_a_pod_runs_restricted_and_answers(node: Node) -> None:
    url = start(node, deployment(node.resources, "restricted"), 18001)
    answer = httpx.post(f"{url}/predict", json=REQUEST)
    assert answer.status_code == 200, answer.text
    inside = node.podman("exec", "restricted-pod-api", "sh", "-c", "id; cat /proc/1/status; touch /root-is-writable; :")
    assert "uid=1000(app) gid=0(root)" in inside
    assert re.search(r"^CapEff:\s0+$", inside, re.MULTILINE)
    assert re.search(r"^NoNewPrivs:\s1$", inside, re.MULTILINE)
    assert re.search(r"^Seccomp:\s2$", inside, re.MULTILINE)
    assert "root-is-writable" not in node.podman("exec", "restricted-pod-api", "ls", "/")
    assert stop(node, "restricted") == 0


def test_a_request_that_has_begun_is_answered_after_sigterm(node: Node) -> None:
    url = start(node, deployment(node.resources, "begun"), 18002)
    body = b'{"inputs": ["user-7"]}'
    with socket.create_connection((node.address, 18002), timeout=PATIENCE) as connection:
        head = f"POST /predict HTTP/1.1\r\nHost: api\r\nContent-Length: {len(body)}\r\n"
        head += "Content-Type: application/json\r\n\r\n"
        connection.sendall(head.encode() + body[:5])
        assert httpx.get(f"{url}/health").status_code == 200  # the server has read what was sent before
        node.podman("kill", "--signal=TERM", "begun-pod-api")
        with pytest.raises(httpx.TransportError):
            for _ in range(PATIENCE * 10):
                httpx.get(f"{url}/health")
                time.sleep(0.1)
        connection.sendall(body[5:])
        assert connection.recv(100).startswith(b"HTTP/1.1 200")
    assert int(node.podman("wait", "begun-pod-api")) == 0


def test_probes_do_not_restart_a_pod_whose_weights_load_slowly(node: Node) -> None:
    slow = deployment(node.resources, "slow")
    container = container_of(slow)
    liveness = kubelet.Probe.of(container["livenessProbe"])
    seconds = (liveness.failures + 1) * liveness.period_seconds
    container["args"] = ["python", "-c", SLOW_LOAD.format(seconds=seconds), "serve"]
    mistaken = copy.deepcopy(container)
    mistaken["livenessProbe"]["httpGet"]["path"] = container["readinessProbe"]["httpGet"]["path"]
    node.play(slow, 18003)
    with kubelet.probed(container, node.url(18003)) as watch, kubelet.probed(mistaken, node.url(18003)) as other:
        assert watch.ready.wait(PATIENCE), node.log("slow")
        assert watch.restarted_by == ""
        assert other.restarted_by == "livenessProbe", "a probe that asks whether the model is loaded"
    assert stop(node, "slow") == 0


def roll_out(node: Node, old: Resource, new: Resource, port: int) -> Load:
    """Exchange the only pod of a Deployment for one of another generation, as its controller does, under load.

    The new one gets requests once it is ready, and only then the old one ends. Nodes send it requests for some seconds
    more, and over connections that are open they go on.
    """
    assert old["spec"]["strategy"]["rollingUpdate"] == {"maxUnavailable": 0, "maxSurge": 1}
    old_name, new_name = (each["metadata"]["name"] for each in (old, new))
    first, second = start(node, old, port), node.url(port + 1)
    with relay(first) as service, load(service.port, REQUEST) as sent, ThreadPoolExecutor() as pool:
        node.play(new, port + 1)
        with kubelet.probed(container_of(new), second) as watch:
            assert watch.ready.wait(PATIENCE), node.log(new_name)

            def stop_within(seconds: int) -> None:
                node.podman("stop", f"--time={seconds}", f"{old_name}-pod-api")

            ending = pool.submit(kubelet.end, pod_template(old)["spec"], stop_within)
            time.sleep(PROPAGATION_SECONDS)
            service.address = second
            ending.result()
            assert watch.ready.is_set() and not watch.restarted_by
            time.sleep(PROPAGATION_SECONDS)  # of requests to the new one alone
    assert node.podman("wait", f"{old_name}-pod-api").strip() == "0", "ended by itself, within its grace period"
    return sent


def test_a_rollout_loses_no_request(node: Node) -> None:
    old, new = (deployment(node.resources, name) for name in ("old", "new"))
    sent = roll_out(node, old, new, 18004)
    assert sent.lost == []
    by_old, by_new = (node.log(name).count('"path": "/predict", "status": 200') for name in ("old", "new"))
    assert by_old and by_new
    assert by_old + by_new == sent.answered


def test_a_pod_that_does_not_wait_in_prestop_loses_requests(node: Node) -> None:
    old, new = (deployment(node.resources, name) for name in ("hasty", "next"))
    del container_of(old)["lifecycle"]
    assert roll_out(node, old, new, 18006).lost
