"""Services in namespaces of their own reach those that they need, and no others."""

import os
from itertools import permutations
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml

from tests.conftest import need_program
from tests.deploy.manifests import Resource
from tests.deploy.test_manifests import RELEASES
from tests.releases import commit
from tests.workspace.workspace import PROJECT, Workspace, made

pytestmark = pytest.mark.exhaustive

NEEDS: dict[str, list[str]] = {"docs": ["jobs", "ears"], "jobs": [], "ears": ["docs"]}
"""Service -> those that it needs; `ears` is existing code, whose pods may connect anywhere."""


@pytest.fixture(scope="module")
def farm(template: Path, tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """Return a workspace whose services need each other."""
    need_program("docker")
    need_program("kubectl")
    workspace = made(template, tmp_path_factory.mktemp("cluster") / "farm", {"deploy": ["kubernetes"]})
    code = workspace.root / "services/ears/app"
    code.mkdir(parents=True)
    (code / "main.py").write_text("app = None\n")
    existing = ["--data=code_paths=[app]", "--data=torch_version=none"]
    for name, preset, options in (
        ("docs", "custom", PROJECT),
        ("jobs", "custom", PROJECT),
        ("ears", "existing", [*existing, "--data=api_app=app.main:app"]),
    ):
        done = workspace.service(name, preset, *options)
        assert done.returncode == 0, done.stderr
    inventory = workspace.root / "services.yml"
    content = yaml.safe_load(inventory.read_text())
    for name, entry in content["services"].items():
        entry["needs"] = NEEDS[name]
    inventory.write_text(yaml.safe_dump(content, sort_keys=False))
    done = workspace.make("services")
    assert done.returncode == 0, done.stderr
    commit(workspace.root, "Add services")
    return workspace


@pytest.fixture(scope="module", params=["dev", "prod"])
def resources(farm: Workspace, request: pytest.FixtureRequest) -> list[Resource]:
    """Return the manifests of the workspace in each overlay."""
    done = farm.make("k8s-render", f"OVERLAY={request.param}")
    assert done.returncode == 0, done.stderr
    return list(yaml.safe_load_all(done.stdout))


def namespace(name: str, resources: list[Resource]) -> str:
    """Return the namespace of a service."""
    [found] = {each["metadata"]["namespace"] for each in resources if each["kind"] == "Deployment"} & {
        name,
        f"{name}-dev",
    }
    return str(found)


def chosen(selector: Resource, labels: dict[str, str]) -> bool:
    """Return whether a selector of Kubernetes chooses what has these labels."""
    exact = all(labels.get(key) == value for key, value in selector.get("matchLabels", {}).items())
    listed = selector.get("matchExpressions", [])
    assert all(each["operator"] == "In" for each in listed)
    return exact and all(labels.get(each["key"]) in each["values"] for each in listed)


def allowed(resources: list[Resource], of: dict[str, Any], peer: dict[str, Any], kind: str, port: object) -> bool:
    """Return whether the policies of a pod allow a connection in a direction, as Kubernetes defines it."""
    policies = [
        each["spec"]
        for each in resources
        if each["kind"] == "NetworkPolicy"
        and each["metadata"]["namespace"] == of["namespace"]
        and kind in each["spec"]["policyTypes"]
        and chosen(each["spec"]["podSelector"], of["labels"])
    ]
    side = {"Ingress": "from", "Egress": "to"}[kind]
    for rule in [rule for policy in policies for rule in policy.get(kind.lower()) or []]:
        ports = [each["port"] for each in rule.get("ports", [])]
        peers = rule.get(side)
        there = peers is None or any(admits(each, of["namespace"], peer) for each in peers)
        if there and (not ports or port in ports):
            return True
    return not policies


def admits(rule: Resource, namespace: str, peer: dict[str, Any]) -> bool:
    """Return whether an entry of a rule chooses a pod."""
    if "ipBlock" in rule:
        return False  # pods are not meant by addresses
    if "namespaceSelector" in rule:
        there = chosen(rule["namespaceSelector"], {"kubernetes.io/metadata.name": peer["namespace"]})
    else:
        there = namespace == peer["namespace"]
    return there and chosen(rule.get("podSelector", {}), peer["labels"])


def api(name: str, resources: list[Resource]) -> dict[str, Any]:
    """Return the namespace and the labels of the pods of a service's API."""
    where = namespace(name, resources)
    [found] = [
        each
        for each in resources
        if (each["kind"], each["metadata"]["name"]) == ("Deployment", "api") and each["metadata"]["namespace"] == where
    ]
    template = found["spec"]["template"]
    ports = {each["name"]: each["containerPort"] for each in template["spec"]["containers"][0]["ports"]}
    return {"namespace": where, "labels": template["metadata"]["labels"], "ports": ports}


def test_manifests_are_valid_and_nothing_is_there_twice(resources: list[Resource]) -> None:
    names = [(each["kind"], each["metadata"].get("namespace"), each["metadata"]["name"]) for each in resources]
    assert len(names) == len(set(names))
    for each in resources:
        for release in (RELEASES[0], RELEASES[-1]):
            assert kubernetes_validate.validate(each, release, strict=True) == release


def test_services_find_those_that_they_need_as_in_compose(resources: list[Resource]) -> None:
    found = {
        (each["metadata"].get("namespace"), each["metadata"]["name"]): each["spec"]
        for each in resources
        if each["kind"] == "Service"
    }
    for name, needs in NEEDS.items():
        for need in needs:
            alias = found[namespace(name, resources), need]
            assert alias["type"] == "ExternalName"
            service, where, *rest = alias["externalName"].split(".")
            assert rest == ["svc", "cluster", "local"]
            target, pods = found[where, service], api(need, resources)
            assert where == pods["namespace"]
            assert [each["port"] for each in target["ports"]] == [8000]  # http://docs:8000 in Compose
            assert pods["ports"][target["ports"][0]["targetPort"]] == 8000
            assert target["selector"].items() <= pods["labels"].items()


def test_only_those_that_need_a_service_may_connect_to_it(resources: list[Resource]) -> None:
    for caller, callee in permutations(("docs", "jobs", "ears"), 2):
        one, other = api(caller, resources), api(callee, resources)
        connects = allowed(resources, one, other, "Egress", "http") and allowed(
            resources, other, one, "Ingress", "http"
        )
        assert connects == (callee in NEEDS[caller]), (caller, callee)
    names: dict[str, Any] = {"namespace": "kube-system", "labels": {}}
    for caller in ("docs", "ears"):  # a name must be looked up first
        assert allowed(resources, api(caller, resources), names, "Egress", 53)


RECORDER = """#!/bin/sh
case "$1 $2" in
  "config get-contexts") echo staging; exit ;;
  "kustomize "*) exec "$KUBECTL" "$@" ;;
esac
echo "$*" >> "$RECORD"
case "$*" in
  *" -") sed -n 's/^  name: /  /p' >> "$RECORD" ;;
esac
"""
"""Stands in for kubectl, because no control plane can be had: it renders, and records what a cluster would be asked."""


def test_services_are_deployed_by_their_scripts_and_then_connected(farm: Workspace, tmp_path: Path) -> None:
    (tmp_path / "kubectl").write_text(RECORDER)
    (tmp_path / "kubectl").chmod(0o755)
    record = tmp_path / "record"
    given = [f"PATH={tmp_path}:{os.environ['PATH']}", f"RECORD={record}", f"KUBECTL={need_program('kubectl')}"]
    done = farm.make("k8s-apply", "OVERLAY=prod", "CONTEXT=staging", "SERVICE=docs ears", *given)
    assert done.returncode == 0, done.stderr
    asked = record.read_text().splitlines()
    applied = [number for number, line in enumerate(asked) if line == "--context staging apply --filename -"]
    assert asked[applied[0] + 1 :][:6] == [
        "  workspace",
        "  workspace",
        "  jobs",
        "  ears",
        "  api-workspace",
        "  jobs-workspace",
    ]
    assert asked[applied[1] + 1 :] == ["  workspace", "  workspace", "  docs"]
    assert any("apply --filename /" in line for line in asked[: applied[0]])
    assert any("apply --filename /" in line for line in asked[applied[0] : applied[1]])


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["k8s-render", "OVERLAY=staging"], "workspace: docs: deploy.sh: there is no overlay 'staging'"),
        (["k8s-render", "SERVICE=nobody"], "workspace: there is no service nobody in services.yml"),
    ],
)
def test_a_mistake_is_one_line(farm: Workspace, arguments: list[str], sentence: str) -> None:
    done = farm.make(*arguments)
    [said] = [line for line in done.stderr.splitlines() if not line.startswith("make")]
    assert done.returncode != 0 and said.startswith(sentence)
