"""Manifests fit the schemas of four releases of Kubernetes, and our checks of what those miss catch what they claim."""

import copy
import itertools
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml

from tests.deploy.conftest import OVERLAYS
from tests.deploy.manifests import Resource, containers, kustomize, pod_template, problems
from tests.trees import Tree

RELEASES = ("1.34", "1.35", "1.36", "1.37")

CUSTOM = (
    "gateway.networking.k8s.io/v1",
    "keda.sh/v1alpha1",
    "monitoring.coreos.com/v1",
    "trainer.kubeflow.org/v1alpha1",
)
"""Custom resources, which the schemas of Kubernetes do not have."""

SECRETS = frozenset({("Secret", "passwords"), ("Secret", "trainer-passwords")})
"""What docs/kubernetes.md tells people to create."""


def test_manifests_fit_the_schemas_of_four_releases(overlays: dict[str, list[Resource]]) -> None:
    unique = {yaml.safe_dump(each): each for resources in overlays.values() for each in resources}
    assert len(unique) > 5
    for resource in unique.values():
        if resource["apiVersion"] in CUSTOM:
            continue
        for release in RELEASES:
            assert kubernetes_validate.validate(resource, release, strict=True) == release


def test_manifests_agree_with_each_other(overlays: dict[str, list[Resource]]) -> None:
    for name, resources in overlays.items():
        assert problems(resources, SECRETS) == [], name


def api(resources: list[Resource]) -> Resource:
    """Return the API's pod specification, to change it."""
    [found] = [each for each in resources if each["kind"] == "Deployment" and each["metadata"]["name"] == "api"]
    return pod_template(found)["spec"]


def one(kind: str, resources: list[Resource]) -> Any:
    """Return the first resource of a kind, to change it."""
    return next(each for each in resources if each["kind"] == kind)


def server(resources: list[Resource]) -> Resource:
    return api(resources)["containers"][0]


MISTAKES: dict[str, Callable[[list[Resource]], object]] = {
    "selects {'app": lambda it: one("Deployment", it)["spec"]["selector"]["matchLabels"].update(app="web"),
    "spreads other pods": lambda it: api(it)["topologySpreadConstraints"][0]["labelSelector"].update(
        matchLabels={"app": "web"}
    ),
    "no service account": lambda it: api(it).update(serviceAccountName="missing"),
    "which is no volume": lambda it: server(it)["volumeMounts"].append({"name": "gone", "mountPath": "/gone"}),
    "no container mounts": lambda it: api(it)["volumes"].append({"name": "unused", "emptyDir": {}}),
    "mounts /tmp twice": lambda it: server(it)["volumeMounts"].append({"name": "tmp", "mountPath": "/tmp"}),
    "port name 'Http_1'": lambda it: server(it)["ports"][0].update(name="Http_1"),
    "two ports are called": lambda it: server(it)["ports"].append({"name": "http", "containerPort": 1}),
    "livenessProbe asks port web": lambda it: server(it)["livenessProbe"]["httpGet"].update(port="web"),
    "there is no ConfigMap": lambda it: server(it)["envFrom"][0]["configMapRef"].update(name="gone"),
    "there is no Secret": lambda it: api(it)["volumes"][0].update(secret={"secretName": "gone"}),
    "there is no PersistentVolumeClaim": lambda it: api(it)["volumes"][0].update(
        persistentVolumeClaim={"claimName": "gone"}
    ),
    "may run as root": lambda it: api(it).pop("securityContext"),
    "token of the Kubernetes API": lambda it: api(it).pop("automountServiceAccountToken"),
    "shares a namespace": lambda it: api(it).update(hostNetwork=True),
    "folder of its node": lambda it: api(it)["volumes"][0].update(hostPath={"path": "/"}),
    "may escalate": lambda it: server(it)["securityContext"].pop("allowPrivilegeEscalation"),
    "has capabilities": lambda it: server(it)["securityContext"]["capabilities"].update(add=["SYS_ADMIN"]),
    "may write its root": lambda it: server(it)["securityContext"].pop("readOnlyRootFilesystem"),
    "has no limits": lambda it: server(it)["resources"].pop("limits"),
    "'2 GB' is not a quantity": lambda it: server(it)["resources"]["limits"].update(memory="2 GB"),
    "requests more memory": lambda it: server(it)["resources"]["requests"].update(memory="3Gi"),
    "imagePullPolicy Sometimes": lambda it: server(it).update(imagePullPolicy="Sometimes"),
    "Service api: selects nothing": lambda it: one("Service", it)["spec"]["selector"].update(app="web"),
    "Service api: port web": lambda it: one("Service", it)["spec"]["ports"][0].update(targetPort="web"),
    "NetworkPolicy api: port web": lambda it: one("NetworkPolicy", it)["spec"]["ingress"][0]["ports"][0].update(
        port="web"
    ),
    "PodDisruptionBudget api: selects": lambda it: one("PodDisruptionBudget", it)["spec"]["selector"].update(
        matchLabels={"app": "web"}
    ),
    "scales web": lambda it: one("HorizontalPodAutoscaler", it)["spec"]["scaleTargetRef"].update(name="web"),
    "at least 99": lambda it: one("HorizontalPodAutoscaler", it)["spec"].update(minReplicas=99),
    "two autoscalers": lambda it: it.append(
        one("HorizontalPodAutoscaler", it) | {"metadata": {"name": "other", "namespace": "my-project"}}
    ),
    "is there twice": lambda it: it.append(one("ServiceAccount", it)),
    "HTTPRoute api: leads to web": lambda it: one("HTTPRoute", it)["spec"]["rules"][0]["backendRefs"][0].update(
        name="web"
    ),
    "HTTPRoute api: leads to port 8000": lambda it: one("HTTPRoute", it)["spec"]["rules"][0]["backendRefs"][0].update(
        port=8000
    ),
    "Ingress api: leads to port web": lambda it: one("Ingress", it)["spec"]["rules"][0]["http"]["paths"][0]["backend"][
        "service"
    ].update(port={"name": "web"}),
    "image without a digest": lambda it: api(it)["volumes"][0].update(image={"reference": "weights:1.0.0"}),
    "no DNS label": lambda it: one("ServiceAccount", it)["metadata"].update(name="My_App"),
    "has no namespace": lambda it: one("Service", it)["metadata"].pop("namespace"),
}
"""What the check says -> how to break the manifests so that it must say so. The schemas accept most of these."""


@pytest.mark.parametrize(("sentence", "mistake"), MISTAKES.items(), ids=MISTAKES)
def test_a_mistake_is_found(
    overlays: dict[str, list[Resource]], sentence: str, mistake: Callable[[list[Resource]], object]
) -> None:
    resources = copy.deepcopy(overlays["api/all"])
    mistake(resources)
    found = problems(resources, SECRETS)
    assert any(sentence in each for each in found), found


def test_the_port_and_the_time_to_stop_are_those_of_compose(
    projects: dict[str, Tree], overlays: dict[str, list[Resource]]
) -> None:
    for name, tree in projects.items():
        compose = (tree.path / "compose.yaml").read_text()
        pod = api(overlays[f"{name}/prod"])
        [container] = pod["containers"]
        grace = pod["terminationGracePeriodSeconds"] - container["lifecycle"]["preStop"]["sleep"]["seconds"]
        assert f"stop_grace_period: {grace}s" in compose
        assert f':{container["ports"][0]["containerPort"]}"]' in compose
        assert f"EXPOSE {container['ports'][0]['containerPort']}" in (tree.path / "Dockerfile").read_text()


def test_no_probe_ends_a_pod_whose_model_loads_slowly(overlays: dict[str, list[Resource]]) -> None:
    """Only /ready waits for the model, and only the readiness probe may ask it: it takes requests away, no more."""
    for name, resources in overlays.items():
        for workload in resources:
            if workload["kind"] != "Deployment":
                continue
            for container in containers(pod_template(workload)):
                for probe in ("startupProbe", "livenessProbe"):
                    assert container.get(probe, {}).get("httpGet", {}).get("path") != "/ready", name


def test_alerts_are_those_of_prometheus_beside_compose(
    projects: dict[str, Tree], overlays: dict[str, list[Resource]]
) -> None:
    compared = 0
    for name, tree in projects.items():
        rules = {each["metadata"]["name"]: each for each in overlays[f"{name}/all"] if each["kind"] == "PrometheusRule"}
        files = tree.path.glob("deploy/monitoring/prometheus/alerts/*.yml")
        beside_compose = {path.stem: yaml.safe_load(path.read_text()) for path in files}
        assert {rule: each["spec"] for rule, each in rules.items()} == beside_compose, name
        compared += len(rules)
    assert compared


def test_one_autoscaler_sizes_each_workload(overlays: dict[str, list[Resource]]) -> None:
    kinds: dict[str, list[str]] = {
        "api/prod": ["HorizontalPodAutoscaler"],
        "api/dev": [],
        "platform/all": ["ScaledObject", "ScaledObject"],
    }
    for overlay, expected in kinds.items():
        scalers = ("HorizontalPodAutoscaler", "ScaledObject")
        assert [each["kind"] for each in overlays[overlay] if each["kind"] in scalers] == expected


def test_an_overlay_outlives_a_change_of_answers(projects: dict[str, Tree], tmp_path: Path) -> None:
    """Updates replace the base and the components, and never the overlays."""
    for before, after in itertools.permutations(["api", "platform", "bucket", "custom"], 2):
        folder = tmp_path / f"{before} to {after}"
        shutil.copytree(projects[after].path / "deploy/kubernetes", folder)
        shutil.rmtree(folder / "overlays")
        shutil.copytree(projects[before].path / "deploy/kubernetes/overlays", folder / "overlays")
        for overlay in OVERLAYS:
            assert kustomize(folder / "overlays" / overlay)
