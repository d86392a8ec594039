"""Kubernetes manifests, rendered by kubectl, and checks of what the schemas of Kubernetes miss."""

import re
from collections import Counter
from collections.abc import Iterator
from decimal import Decimal
from itertools import chain
from pathlib import Path
from typing import Any, TypeAlias

import yaml

from tests.program import run

Resource: TypeAlias = dict[str, Any]
Reference: TypeAlias = tuple[str, str]
"""Kind and name."""

WORKLOADS = ("Deployment", "StatefulSet", "Job", "CronJob", "TrainingRuntime")
NAME = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")
PORT_NAME = re.compile(r"(?=.{1,15}$)(?=.*[a-z])[a-z0-9]+(-[a-z0-9]+)*")
DIGEST = re.compile("@sha256:[0-9a-f]{64}$")
QUANTITY = re.compile(r"(\d+|\d+\.\d+)(m|k|M|G|T|P|E|Ki|Mi|Gi|Ti|Pi|Ei)?")
UNITS = {unit: Decimal(1000) ** power for power, unit in enumerate(["", "k", "M", "G", "T", "P", "E"])}
UNITS |= {f"{unit}i": Decimal(1024) ** power for power, unit in enumerate(["", "K", "M", "G", "T", "P", "E"]) if unit}
UNITS["m"] = Decimal("0.001")
ENUMS = {
    "imagePullPolicy": {"Always", "IfNotPresent", "Never"},
    "pullPolicy": {"Always", "IfNotPresent", "Never"},
    "restartPolicy": {"Always", "OnFailure", "Never"},
    "concurrencyPolicy": {"Allow", "Forbid", "Replace"},
    "whenUnsatisfiable": {"DoNotSchedule", "ScheduleAnyway"},
    "protocol": {"TCP", "UDP", "SCTP"},
    "fsGroupChangePolicy": {"OnRootMismatch", "Always"},
    "unhealthyPodEvictionPolicy": {"IfHealthyBudget", "AlwaysAllow"},
    "pathType": {"Exact", "Prefix", "ImplementationSpecific"},
    "operator": {"Exists", "Equal", "In", "NotIn", "DoesNotExist"},
    "effect": {"NoSchedule", "PreferNoSchedule", "NoExecute"},
    "policyTypes": {"Ingress", "Egress"},
    "accessModes": {"ReadWriteOnce", "ReadOnlyMany", "ReadWriteMany", "ReadWriteOncePod"},
    "medium": {"", "Memory"},
}
"""Field -> its values, for fields whose values the schemas do not check."""


def kustomize(folder: Path) -> list[Resource]:
    """Return the resources of an overlay. Fails with the message of kubectl."""
    done = run(["kubectl", "kustomize", folder])
    assert done.returncode == 0, f"{folder}: {done.stderr}"
    assert not done.stderr, done.stderr  # warnings, such as of a deprecated field
    return list(yaml.safe_load_all(done.stdout))


def pod_template(workload: Resource) -> Resource:
    """Return the template of the pods of a workload: their metadata and specification."""
    spec = workload["spec"]
    if workload["kind"] == "CronJob":
        spec = spec["jobTemplate"]["spec"]
    elif workload["kind"] == "TrainingRuntime":
        [nodes] = spec["template"]["spec"]["replicatedJobs"]
        spec = nodes["template"]["spec"]
    return spec["template"]


def containers(pod: Resource) -> list[Resource]:
    """Return all containers of a pod template."""
    return [*pod["spec"].get("initContainers", []), *pod["spec"]["containers"]]


def size(quantity: object) -> Decimal:
    """Return a quantity such as 500m or 2Gi as a number. Raise ValueError if it is none."""
    found = QUANTITY.fullmatch(str(quantity))
    if not found:
        raise ValueError(f"{quantity!r} is not a quantity")
    return Decimal(found[1]) * UNITS[found[2] or ""]


def problems(resources: list[Resource], given: frozenset[Reference] = frozenset()) -> list[str]:
    """Return what is wrong with the resources of an overlay, one sentence each.

    Args:
        resources: All resources of the overlay.
        given: Kind and name of what they refer to and a person creates, such as Secrets.
    """
    names = [(each["kind"], each["metadata"]["name"]) for each in resources]
    known = frozenset(names) | given
    pods = [pod_template(each) for each in resources if each["kind"] in WORKLOADS]
    found = [f"{kind} {name} is there twice" for (kind, name), count in Counter(names).items() if count > 1]
    for each in resources:
        kind, name = each["kind"], each["metadata"]["name"]
        checks = chain(
            _names(each),
            _fields(each),
            _workload(each, known) if kind in WORKLOADS else (),
            _selection(each, resources, pods),
            _targets(each, known),
            _backends(each, resources),
        )
        found += [f"{kind} {name}: {problem}" for problem in checks]
    scaled = Counter(_scaled(each) for each in resources if each["kind"] in ("HorizontalPodAutoscaler", "ScaledObject"))
    return found + [f"{name} has two autoscalers" for name, count in scaled.items() if count > 1]


def _names(resource: Resource) -> Iterator[str]:
    if not NAME.fullmatch(resource["metadata"]["name"]):
        yield "the name is no DNS label"
    if resource["kind"] != "Namespace" and "namespace" not in resource["metadata"]:
        yield "has no namespace"


def _fields(value: object, field: str = "") -> Iterator[str]:
    """Check enumerations and quantities, wherever they are."""
    if isinstance(value, dict):
        for name, inner in value.items():
            if field in ("requests", "limits", "capacity") or name in ("sizeLimit", "averageValue"):
                yield from _quantity(name, inner)
            else:
                yield from _fields(inner, name)
        if isinstance(value.get("limits"), dict) and isinstance(value.get("requests"), dict):
            yield from _requests(value["requests"], value["limits"])
    elif isinstance(value, list):
        for inner in value:
            yield from _fields(inner, field)
    elif field in ENUMS and value not in ENUMS[field]:
        yield f"{field} {value} is none of {sorted(ENUMS[field])}"


def _quantity(name: str, value: object) -> Iterator[str]:
    try:
        size(value)
    except ValueError as error:
        yield f"{name}: {error}"


def _requests(requests: Resource, limits: Resource) -> Iterator[str]:
    for name in requests.keys() & limits.keys():
        are_sizes = all(QUANTITY.fullmatch(str(each[name])) for each in (requests, limits))
        if are_sizes and size(requests[name]) > size(limits[name]):
            yield f"requests more {name} than its limit"


def _workload(workload: Resource, known: frozenset[Reference]) -> Iterator[str]:
    pod = pod_template(workload)
    labels = pod["metadata"].get("labels", {})
    selector = workload["spec"].get("selector", {}).get("matchLabels", {})
    if not selector.items() <= labels.items():
        yield f"selects {selector}, its pods have {labels}"
    spec = pod["spec"]
    for spread in spec.get("topologySpreadConstraints", []):
        if not spread["labelSelector"]["matchLabels"].items() <= labels.items():
            yield "spreads other pods than its own"
    if ("ServiceAccount", spec.get("serviceAccountName", "default")) not in known:
        yield f"there is no service account {spec.get('serviceAccountName', 'default')}"
    volumes = {volume["name"]: volume for volume in spec.get("volumes", [])}
    mounted = {mount["name"] for each in containers(pod) for mount in each.get("volumeMounts", [])}
    yield from (f"mounts {name}, which is no volume" for name in mounted - volumes.keys())
    yield from (f"no container mounts the volume {name}" for name in volumes.keys() - mounted)
    for name, volume in volumes.items():
        if "image" in volume and not DIGEST.search(volume["image"]["reference"]):
            yield f"the volume {name} is an image without a digest"
    ports = [port.get("name", "") for each in containers(pod) for port in each.get("ports", [])]
    yield from (f"the port name {name!r} is not valid" for name in ports if not PORT_NAME.fullmatch(name))
    yield from (f"two ports are called {name}" for name, count in Counter(ports).items() if count > 1)
    for each in containers(pod):
        yield from _container(each)
    yield from (f"there is no {kind} {name}" for kind, name in _references(pod) if (kind, name) not in known)
    yield from _restricted(pod)


def _container(container: Resource) -> Iterator[str]:
    paths = Counter(mount["mountPath"] for mount in container.get("volumeMounts", []))
    yield from (f"mounts {path} twice" for path, count in paths.items() if count > 1)
    ports = {value for port in container.get("ports", []) for value in (port.get("name"), port["containerPort"])}
    for probe in ("startupProbe", "livenessProbe", "readinessProbe"):
        port = container.get(probe, {}).get("httpGet", {}).get("port")
        if port is not None and port not in ports:
            yield f"{probe} asks port {port}, which the container does not have"


def _references(pod: Resource) -> Iterator[Reference]:
    """Yield the ConfigMaps, Secrets and claims that a pod cannot start without."""
    kinds = {"configMapRef": "ConfigMap", "configMapKeyRef": "ConfigMap"}
    kinds |= {"secretRef": "Secret", "secretKeyRef": "Secret"}
    for each in containers(pod):
        for source in [*each.get("envFrom", []), *(env.get("valueFrom", {}) for env in each.get("env", []))]:
            for field, kind in kinds.items():
                if field in source and not source[field].get("optional"):
                    yield kind, source[field]["name"]
    for volume in pod["spec"].get("volumes", []):
        if "configMap" in volume and not volume["configMap"].get("optional"):
            yield "ConfigMap", volume["configMap"]["name"]
        if "secret" in volume and not volume["secret"].get("optional"):
            yield "Secret", volume["secret"]["secretName"]
        for source in volume.get("projected", {}).get("sources", []):
            yield "Secret", source["secret"]["name"]
        if "persistentVolumeClaim" in volume:
            yield "PersistentVolumeClaim", volume["persistentVolumeClaim"]["claimName"]


def _restricted(pod: Resource) -> Iterator[str]:
    """Check the pod security standard `restricted`, and what it does not ask for: a read-only root and resources."""
    spec = pod["spec"]
    security = spec.get("securityContext", {})
    if security.get("runAsNonRoot") is not True:
        yield "may run as root"
    if security.get("seccompProfile", {}).get("type") != "RuntimeDefault":
        yield "has no seccomp profile"
    if spec.get("automountServiceAccountToken") is not False:
        yield "has a token of the Kubernetes API"
    if any(spec.get(field) for field in ("hostNetwork", "hostPID", "hostIPC")):
        yield "shares a namespace of its node"
    if any("hostPath" in volume for volume in spec.get("volumes", [])):
        yield "mounts a folder of its node"
    for each in containers(pod):
        own = each.get("securityContext", {})
        if own.get("allowPrivilegeEscalation") is not False:
            yield f"container {each['name']} may escalate privileges"
        if own.get("capabilities") != {"drop": ["ALL"]}:
            yield f"container {each['name']} has capabilities"
        if own.get("readOnlyRootFilesystem") is not True:
            yield f"container {each['name']} may write its root"
        for field in ("requests", "limits"):
            if not {"cpu", "memory"} <= each.get("resources", {}).get(field, {}).keys():
                yield f"container {each['name']} has no {field} of CPU and memory"


def _selection(resource: Resource, resources: list[Resource], pods: list[Resource]) -> Iterator[str]:
    """Check what selects pods or Services by labels, and the ports that it names there."""
    spec = resource.get("spec", {})
    kind = resource["kind"]
    selector: Resource = {}
    ports: list[object] = []
    selectable: list[Resource] = pods
    if kind == "Service" and spec.get("type") != "ExternalName":
        selector, ports = (
            {"matchLabels": spec["selector"]},
            [port.get("targetPort", port["port"]) for port in spec["ports"]],
        )
    elif kind == "NetworkPolicy":
        selector = spec["podSelector"]
        ports = [port["port"] for rule in spec.get("ingress", []) for port in rule.get("ports", [])]
    elif kind == "PodDisruptionBudget":
        selector = spec["selector"]
    elif kind == "PodMonitor":
        selector, ports = spec["selector"], [each["port"] for each in spec["podMetricsEndpoints"]]
    elif kind == "ServiceMonitor":
        selector, ports = spec["selector"], [each["port"] for each in spec["endpoints"]]
        selectable = [each for each in resources if each["kind"] == "Service"]
    else:
        return
    selected = [each for each in selectable if selects(selector, each["metadata"].get("labels", {}))]
    if not selected:
        yield f"selects nothing with {selector}"
    opened = {port for each in selected for port in _ports(each)}
    yield from (f"port {port} does not exist" for port in ports if port not in opened)


def selects(selector: Resource, labels: dict[str, str]) -> bool:
    """Return whether a selector with labels and expressions of the operator In matches these labels."""
    expressions = selector.get("matchExpressions", [])
    assert all(each["operator"] == "In" for each in expressions)
    return selector.get("matchLabels", {}).items() <= labels.items() and all(
        labels.get(each["key"]) in each["values"] for each in expressions
    )


def _ports(target: Resource) -> set[object]:
    """Return names and numbers of the ports of a pod template or a Service."""
    if target.get("kind") == "Service":
        return {value for port in target["spec"]["ports"] for value in (port.get("name"), port["port"])}
    opened = [port for each in containers(target) for port in each.get("ports", [])]
    return {value for port in opened for value in (port.get("name"), port["containerPort"])}


def _scaled(resource: Resource) -> str:
    target = resource["spec"]["scaleTargetRef"]
    return f"{target.get('kind', 'Deployment')} {target['name']}"


def _targets(resource: Resource, known: frozenset[Reference]) -> Iterator[str]:
    """Check what a resource names: the workload that it scales."""
    if resource["kind"] in ("HorizontalPodAutoscaler", "ScaledObject"):
        target = resource["spec"]["scaleTargetRef"]
        if (target.get("kind", "Deployment"), target["name"]) not in known:
            yield f"scales {target['name']}, which does not exist"
        low = resource["spec"].get("minReplicas", resource["spec"].get("minReplicaCount", 1))
        high = resource["spec"].get("maxReplicas", resource["spec"].get("maxReplicaCount"))
        if low > high:
            yield f"has at least {low} and at most {high} replicas"


def _backends(resource: Resource, resources: list[Resource]) -> Iterator[str]:
    """Check the Services that a route from outside leads to, and their ports."""
    if resource["kind"] not in ("Ingress", "HTTPRoute"):
        return
    backends: list[tuple[str, object]] = []
    for rule in resource["spec"]["rules"]:
        for path in rule.get("http", {}).get("paths", []):
            service = path["backend"]["service"]
            backends.append((service["name"], service["port"].get("name", service["port"].get("number"))))
        backends += [(each["name"], each["port"]) for each in rule.get("backendRefs", [])]
    services = {each["metadata"]["name"]: _ports(each) for each in resources if each["kind"] == "Service"}
    for name, port in backends:
        if name not in services:
            yield f"leads to {name}, which is no Service"
        elif port not in services[name]:
            yield f"leads to port {port}, which {name} does not have"
