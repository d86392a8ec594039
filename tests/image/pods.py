"""Pods of the manifests of an overlay: Podman runs them in a container, because no control plane can be had.

Podman applies the security context, the limits, the volumes, the ConfigMaps and the Secrets. What it lacks, tests do as
the kubelet and the controller of Deployments would: probes from outside, `preStop`, and one pod in place of another.
"""

import copy
import re
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any

import yaml

from tests.deploy.manifests import Resource, pod_template
from tests.engine import PATIENCE, attempt, docker
from tests.image import kubelet
from tests.image.load import CLIENTS, Client, Load, load
from tests.relay import relay

HERE = Path(__file__).parent
PODMAN = "slipway-test-podman"
PORTS = count(18001)
"""Ports of nodes at which pods are reached."""

PROPAGATION_SECONDS = 5
"""Time for which nodes still send requests to a pod that ends."""

PREDICTION = {"inputs": ["user-7"]}


@dataclass(frozen=True)
class Pod:
    """A pod that was started, with one container."""

    node: "Node"
    workload: Resource
    url: str
    """The address of its port; empty if it has none."""

    @property
    def name(self) -> str:
        """Name of its workload."""
        return str(self.workload["metadata"]["name"])

    @property
    def container(self) -> str:
        """Podman's name of its container."""
        return f"{self.name}-pod-{container_of(self.workload)['name']}"

    def ready(self) -> "Pod":
        """Itself, as soon as its readiness probe succeeds."""
        probe = kubelet.Probe.of(container_of(self.workload)["readinessProbe"])
        deadline = time.monotonic() + PATIENCE
        while not probe.succeeds(self.url):
            assert time.monotonic() < deadline, f"never ready: {self.log()}"
            time.sleep(0.1)
        return self

    def log(self) -> str:
        """Return what its container has logged."""
        done = docker("exec", self.node.container, "podman", "logs", self.container)
        return done.stdout + done.stderr

    @property
    def address(self) -> str:
        """Its address among pods."""
        pod = self.node.podman("pod", "inspect", "--format={{.InfraContainerID}}", f"{self.name}-pod").strip()
        return self.node.podman("inspect", "--format={{.NetworkSettings.Networks.podman.IPAddress}}", pod).strip()

    def run(self, *command: str) -> str:
        """Run a command in its container, which must succeed, and return its output."""
        return self.node.podman("exec", self.container, *command)

    def terminate(self) -> None:
        """Send SIGTERM to its container."""
        self.node.podman("kill", "--signal=TERM", self.container)

    def exit_code(self) -> int:
        """Return the exit code of its container, once that has ended."""
        return int(self.node.podman("wait", self.container))

    def assert_restricted(self) -> None:
        """Check that its container runs as the image's user, without privileges, on a root that it cannot write."""
        inside = self.run("sh", "-c", "id; cat /proc/1/status /proc/mounts")
        assert "uid=1000(app) gid=0(root)" in inside
        assert re.search(r"^CapEff:\s0+$", inside, re.MULTILINE)
        assert re.search(r"^NoNewPrivs:\s1$", inside, re.MULTILINE)
        assert re.search(r"^Seccomp:\s2$", inside, re.MULTILINE)
        assert re.search(r"^\S+ / \S+ ro,", inside, re.MULTILINE)


@dataclass
class Node:
    """A container in which Podman runs pods."""

    container: str
    address: str
    resources: list[Resource]

    def podman(self, *arguments: str, **options: Any) -> str:
        """Run podman, which must succeed, and return its output."""
        return docker(
            "exec", *(["--interactive"] if options else []), self.container, "podman", *arguments, **options
        ).stdout

    def play(self, workload: Resource) -> Pod:
        """Start the pod of a workload, with what pods of its namespace share."""
        near = (None, namespace(workload))
        shared = [
            each
            for each in self.resources
            if each["kind"] in ("ConfigMap", "PersistentVolumeClaim", "Secret") and namespace(each) in near
        ]
        ports = {next(PORTS): each["containerPort"] for each in container_of(workload).get("ports", [])}
        published = [f"--publish={outside}:{inside}" for outside, inside in ports.items()]
        manifests = yaml.safe_dump_all([_playable(each) for each in [*shared, workload]])
        self.podman("kube", "play", "--quiet", "--network=podman", *published, "-", input=manifests)
        return Pod(self, workload, "".join(f"http://{self.address}:{outside}" for outside in ports))


@contextmanager
def started_node(resources: list[Resource], images: list[str], folder: Path) -> Iterator[Node]:
    """Yield a node for the pods of manifests, which has their images; archives of those go into the folder."""
    docker("build", "--quiet", "--tag", PODMAN, "--file", HERE / "podman.dockerfile", HERE)
    container = docker("run", "--detach", "--privileged", PODMAN).stdout.strip()
    try:
        address = docker("inspect", "--format", "{{.NetworkSettings.IPAddress}}", container).stdout.strip()
        node = Node(container, address, resources)
        for image in images:
            docker("save", "--output", folder / "image.tar", f"{image}:latest")
            docker("cp", folder / "image.tar", f"{container}:/image.tar")
            node.podman("load", "--quiet", "--input=/image.tar")
        yield node
    finally:
        attempt("rm", "--force", "--volumes", container)
        attempt("image", "rm", "--force", PODMAN)


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


def namespace(resource: Resource) -> str | None:
    """Return the namespace of a resource; None if its manifest names none."""
    found: str | None = resource["metadata"].get("namespace")
    return found


def named(kind: str, name: str, resources: list[Resource]) -> Resource:
    """Return the resource of that kind and name."""
    [found] = [each for each in resources if (each["kind"], each["metadata"]["name"]) == (kind, name)]
    return found


def job(resources: list[Resource], name: str) -> Resource:
    """Return a Job from a CronJob, as `kubectl create job --from` makes it."""
    found = named("CronJob", name, resources)
    metadata = {"name": name, "namespace": namespace(found)}
    return {"apiVersion": "batch/v1", "kind": "Job", **found["spec"]["jobTemplate"], "metadata": metadata}


def deployment(resources: list[Resource], name: str) -> Resource:
    """Return the Deployment of the API under another name."""
    renamed = copy.deepcopy(named("Deployment", "api", resources))
    renamed["metadata"]["name"] = name
    return renamed


def container_of(workload: Resource) -> dict[str, Any]:
    """Return the container of a workload's pod."""
    container: dict[str, Any]
    [container] = pod_template(workload)["spec"]["containers"]
    return container


def roll_out(old: Pod, workload: Resource, clients: list[Client] = CLIENTS) -> tuple[Pod, Load]:
    """Exchange the only pod of a Deployment for one of another generation, as its controller does, under load.

    The new one gets requests once it is ready, and only then the old one ends. Nodes send it requests for some seconds
    more, and over connections that are open they go on.
    """
    assert old.workload["spec"]["strategy"]["rollingUpdate"] == {"maxUnavailable": 0, "maxSurge": 1}
    with relay(old.url) as service, load(service.port, PREDICTION, clients) as sent, ThreadPoolExecutor() as pool:
        new = old.node.play(workload)
        with kubelet.probed(container_of(workload), new.url) as watch:
            assert watch.ready.wait(PATIENCE), new.log()

            def stop_within(seconds: int) -> None:
                old.node.podman("stop", f"--time={seconds}", old.container)

            ending = pool.submit(kubelet.end, pod_template(old.workload)["spec"], stop_within)
            time.sleep(PROPAGATION_SECONDS)
            service.address = new.url
            ending.result()
            assert watch.ready.is_set() and not watch.restarted_by
            time.sleep(PROPAGATION_SECONDS)  # of requests to the new one alone
    assert old.exit_code() == 0, "ended by itself, within its grace period"
    return new, sent
