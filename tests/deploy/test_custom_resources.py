"""Custom resources fit the schemas of their projects, which packages of npm and PyPI carry."""

import copy
import json
import sys
from collections.abc import Iterable
from pathlib import Path

import pytest

from tests.conftest import need, need_program
from tests.deploy.manifests import Resource
from tests.deploy.test_components import TRAINED, train_job
from tests.deploy.test_manifests import CUSTOM
from tests.program import run
from tests.trees import Tree

PACKAGES = {
    "@kubernetes-models/gateway-api": ("2.0.0", "gateway.networking.k8s.io/v1"),
    "@kubernetes-models/keda": ("2.0.0", "keda.sh/v1alpha1"),
    "@kubernetes-models/prometheus-operator": ("6.0.0", "monitoring.coreos.com/v1"),
}
VALIDATE = """
import {readFileSync} from "node:fs";
for (const [path, resource] of JSON.parse(readFileSync(0, "utf8"))) {
  const kinds = await import(path);
  try { new kinds[resource.kind](resource).validate(); } catch (error) { console.log(resource.kind, error.message); }
}
"""

TRAINER = "kubeflow-trainer-api==2.3.0"
TRAINER_VERSION = "trainer.kubeflow.org/v1alpha1"
VALIDATE_TRAINER = """
import json, sys
from kubeflow_trainer_api import models

def lost(given, read, path=""):
    if isinstance(given, dict) and isinstance(read, dict):
        for name in given:
            yield from lost(given[name], read.get(name), f"{path}.{name}")
    elif isinstance(given, list) and isinstance(read, list) and len(given) == len(read):
        for number, value in enumerate(given):
            yield from lost(value, read[number], f"{path}[{number}]")
    elif given != read:
        yield path

for resource in json.load(sys.stdin):
    model = getattr(models, "TrainerV1alpha1" + resource["kind"])
    try:
        read = json.loads(model.from_dict(resource).to_json())
    except ValueError as error:
        print(resource["kind"], error)
    else:  # the models ignore unknown fields
        for path in lost(resource, read):
            print(resource["kind"], "unknown field", path)
"""


def of_versions(overlays: dict[str, list[Resource]], versions: Iterable[str]) -> list[Resource]:
    """Return the resources of these API versions, in all overlays."""
    return [each for resources in overlays.values() for each in resources if each["apiVersion"] in versions]


@pytest.mark.exhaustive
def test_custom_resources_fit_their_schemas(overlays: dict[str, list[Resource]], tmp_path: Path) -> None:
    node, npm = need_program("node"), need_program("npm")
    pins = [f"{name}@{version}" for name, (version, _) in PACKAGES.items()]
    done = run([npm, "install", "--no-save", "--no-audit", "--no-fund", "--prefix", tmp_path, *pins])
    need(done.returncode == 0, f"needs {pins}: {done.stderr}")
    paths = {version: f"{name}/{version}" for name, (_, version) in PACKAGES.items()}
    assert {*paths, TRAINER_VERSION} == set(CUSTOM)
    found = of_versions(overlays, paths)
    assert {each["kind"] for each in found} == {
        *("HTTPRoute", "ScaledObject", "ServiceMonitor", "PodMonitor", "PrometheusRule")
    }

    def problems(resources: list[Resource]) -> str:
        rows = json.dumps([[f"{paths[each['apiVersion']]}/{each['kind']}", each] for each in resources])
        done = run([node, "--input-type=module", "--eval", VALIDATE], cwd=tmp_path, input=rows)
        assert done.returncode == 0, done.stderr
        return done.stdout

    assert problems(found) == ""
    for kind, field, value in (("ScaledObject", "maxReplicaCount", "ten"), ("HTTPRoute", "hostnames", "a.example")):
        wrong = copy.deepcopy(next(each for each in found if each["kind"] == kind))
        wrong["spec"][field] = value
        assert field in problems([wrong])


@pytest.mark.exhaustive
def test_trainings_fit_the_schemas_of_kubeflow_trainer(
    projects: dict[str, Tree], overlays: dict[str, list[Resource]], tmp_path: Path
) -> None:
    done = run(["uv", "pip", "install", "--quiet", f"--target={tmp_path}", TRAINER])
    need(done.returncode == 0, f"needs the package {TRAINER}: {done.stderr.strip()}")
    jobs = [train_job(projects[name]) for name in sorted(TRAINED)]
    runtimes = of_versions(overlays, [TRAINER_VERSION])
    assert {each["kind"] for each in runtimes} == {"TrainingRuntime"}

    def problems(resources: list[Resource]) -> str:
        done = run(
            [sys.executable, "-c", VALIDATE_TRAINER], env={"PYTHONPATH": str(tmp_path)}, input=json.dumps(resources)
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    assert problems([*jobs, *runtimes]) == ""
    wrong = copy.deepcopy(jobs[0])
    wrong["spec"]["trainer"]["numNodes"] = "two"
    assert "numNodes" in problems([wrong])
    wrong = copy.deepcopy(runtimes[0])
    wrong["spec"]["mlPolicy"]["numNode"] = 1
    assert "unknown field .spec.mlPolicy.numNode" in problems([wrong])
