"""Deploy services to Kubernetes, each by its own script into the namespace of its overlay, and connect them.

Names inside a service, such as `api` or `redis`, are those that its code expects; in one namespace they would collide.
A service finds those that it needs as in Compose: by their names, on the ports of their servers.
"""

import shutil
import subprocess
import sys
from dataclasses import dataclass
from typing import Any

import yaml

from . import derive
from .errors import WorkspaceError, last_line
from .inventory import Inventory, Service

SCRIPTS = tuple(f"{folder}/kubernetes/deploy.sh" for folder in ("deploy", "docker", "slipway"))
"""Where a service has its script, if its answer `deploy` has kubernetes."""
NAME = "workspace"
"""Of the Service and the NetworkPolicy by which other namespaces reach a service; no service has this name."""
COMPONENT = "app.kubernetes.io/component"

Resource = dict[str, Any]


@dataclass(frozen=True)
class Deployed:
    """The manifests of a service in an overlay."""

    service: Service
    text: str
    resources: tuple[Resource, ...]

    @property
    def namespace(self) -> str:
        """Return the namespace. Raises WorkspaceError unless there is exactly one."""
        found = {each["metadata"].get("namespace", "") for each in self.resources} - {""}
        if len(found) != 1:
            raise WorkspaceError(f"{self.service.name}: its overlay sets no namespace, or several; set one")
        return found.pop()

    def pods(self, container: str) -> dict[str, str]:
        """Return the labels of the pods that a container of Compose became."""
        component = container.replace("_", "-").rstrip("-")
        for each in self.resources:
            if each["kind"] == "Deployment" and each["metadata"]["labels"].get(COMPONENT) == component:
                labels: dict[str, str] = each["spec"]["selector"]["matchLabels"]
                return labels
        raise WorkspaceError(f"{self.service.name}: its overlay has no Deployment {component}, which others need")


def render(inventory: Inventory, services: list[Service], overlay: str) -> str:
    """Return the manifests of services and of their connections."""
    every = _deployed(inventory, overlay, list(inventory))
    chosen = [every[service.name] for service in _deployable(inventory, services)]
    parts = [each.text.rstrip("\n") for each in chosen]
    return "\n---\n".join([*parts, *(_dumped(connections(inventory, each, every)) for each in chosen)]) + "\n"


def run(inventory: Inventory, services: list[Service], verb: str, overlay: str, context: str) -> None:
    """Run a verb of the services' scripts, and connect the services after `apply`.

    A service that fails stops the others behind it; WorkspaceError names it.
    """
    chosen = _deployable(inventory, services)
    every = _deployed(inventory, overlay, list(inventory)) if verb == "apply" else {}
    for service in chosen:
        print(f"== {service.name}", flush=True)
        done = subprocess.run(["sh", _script(inventory, service), verb, overlay, context], cwd=inventory.root)
        if done.returncode:
            raise WorkspaceError(f"{service.name}: {verb} failed, as said above", code=done.returncode)
        if every and (resources := connections(inventory, every[service.name], every)):
            options = ["--context", context] if context else []
            _kubectl([*options, "apply", "--filename", "-"], yaml.safe_dump_all(resources))


def connections(inventory: Inventory, deployed: Deployed, every: dict[str, Deployed]) -> list[Resource]:
    """Return what connects a service with those that it needs and with those that need it, in its own namespace."""
    service, namespace = deployed.service, deployed.namespace
    needed = [every[name] for name in service.needs if name in every and every[name].service.serves]
    callers = [each for each in every.values() if service.name in each.service.needs]
    resources = [*_doors(inventory, deployed, callers)] if callers and service.serves else []
    for other in needed:
        if any(
            (each["kind"], each["metadata"]["name"]) == ("Service", other.service.name) for each in deployed.resources
        ):
            raise WorkspaceError(f"{service.name} has a Service {other.service.name} of its own; rename the service")
        host = f"{NAME}.{other.namespace}.svc.cluster.local"
        spec = {"type": "ExternalName", "externalName": host}
        resources.append(_resource("v1", "Service", other.service.name, namespace, spec))
    if needed:
        resources += _ways(deployed, needed)
    return resources


def _doors(inventory: Inventory, deployed: Deployed, callers: list[Deployed]) -> list[Resource]:
    """Return the Service, with the port of Compose, and the NetworkPolicy by which callers reach a service."""
    container, port = derive.server(inventory, deployed.service)
    pods = deployed.pods(container)
    service = {"selector": pods, "ports": [{"name": "http", "port": port, "targetPort": "http"}]}
    policy = {
        "podSelector": {"matchLabels": pods},
        "policyTypes": ["Ingress"],
        "ingress": [{"from": [_namespaces(callers)], "ports": [{"port": "http"}]}],
    }
    return [
        _resource("v1", "Service", NAME, deployed.namespace, service),
        _resource("networking.k8s.io/v1", "NetworkPolicy", NAME, deployed.namespace, policy),
    ]


def _ways(deployed: Deployed, needed: list[Deployed]) -> list[Resource]:
    """Return a policy beside each that restricts the connections of pods: it allows those to needed services."""
    dns = {"ports": [{"port": 53, "protocol": "UDP"}, {"port": 53, "protocol": "TCP"}]}
    return [
        _resource(
            "networking.k8s.io/v1",
            "NetworkPolicy",
            f"{each['metadata']['name']}-{NAME}",
            deployed.namespace,
            {
                "podSelector": each["spec"]["podSelector"],
                "policyTypes": ["Egress"],
                "egress": [{"to": [_namespaces(needed)]}, dns],
            },
        )
        for each in deployed.resources
        if each["kind"] == "NetworkPolicy" and "Egress" in each["spec"]["policyTypes"]
    ]


def _namespaces(services: list[Deployed]) -> Resource:
    """Return the selector of the namespaces of services; Kubernetes labels each one with its name."""
    names = sorted({each.namespace for each in services})
    expression = {"key": "kubernetes.io/metadata.name", "operator": "In", "values": names}
    return {"namespaceSelector": {"matchExpressions": [expression]}}


def _resource(version: str, kind: str, name: str, namespace: str, spec: Resource) -> Resource:
    return {"apiVersion": version, "kind": kind, "metadata": {"name": name, "namespace": namespace}, "spec": spec}


def _dumped(resources: list[Resource]) -> str:
    return str(yaml.safe_dump_all(resources, sort_keys=False)).rstrip("\n")


def _script(inventory: Inventory, service: Service) -> str:
    """Return the script of a service, from the root; empty if it has none."""
    paths = [f"{service.folder}/{path}" for path in SCRIPTS]
    return next((path for path in paths if (inventory.root / path).is_file()), "")


def _deployable(inventory: Inventory, services: list[Service]) -> list[Service]:
    """Return the services that have manifests, and say which ones have none."""
    found = [service for service in services if _script(inventory, service)]
    for service in services:
        if service not in found:
            print(f"{service.name} is not deployed: its answer deploy lacks kubernetes", file=sys.stderr)
    return found


def _deployed(inventory: Inventory, overlay: str, services: list[Service]) -> dict[str, Deployed]:
    """Return service -> manifests of those that have any."""
    found = {}
    for service in services:
        if script := _script(inventory, service):
            done = subprocess.run(["sh", script, "render", overlay], cwd=inventory.root, capture_output=True, text=True)
            if done.returncode:
                raise WorkspaceError(f"{service.name}: {last_line(done.stderr)}")
            resources = tuple(each for each in yaml.safe_load_all(done.stdout) if each)
            found[service.name] = Deployed(service, done.stdout, resources)
    return found


def _kubectl(arguments: list[str], manifests: str) -> None:
    if not shutil.which("kubectl"):
        raise WorkspaceError("kubectl is not installed: see https://kubernetes.io/docs/tasks/tools/")
    done = subprocess.run(["kubectl", *arguments], input=manifests, text=True)
    if done.returncode:
        raise WorkspaceError("kubectl cannot connect the services, as said above", code=done.returncode)
