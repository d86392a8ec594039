"""Custom resources fit the schemas of their projects, which npm packages carry."""

import json
from pathlib import Path

import pytest

from tests.conftest import need, need_program
from tests.deploy.manifests import Resource
from tests.deploy.test_manifests import CUSTOM
from tests.program import run

PACKAGES = {
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


@pytest.mark.exhaustive
def test_custom_resources_fit_their_schemas(overlays: dict[str, list[Resource]], tmp_path: Path) -> None:
    node, npm = need_program("node"), need_program("npm")
    pins = [f"{name}@{version}" for name, (version, _) in PACKAGES.items()]
    done = run([npm, "install", "--no-save", "--no-audit", "--no-fund", "--prefix", tmp_path, *pins])
    need(done.returncode == 0, f"needs {pins}: {done.stderr}")
    paths = {version: f"{name}/{version}" for name, (_, version) in PACKAGES.items()}
    found = [each for resources in overlays.values() for each in resources if each["apiVersion"] in CUSTOM]
    assert {each["kind"] for each in found} == {"ScaledObject", "ServiceMonitor", "PodMonitor", "PrometheusRule"}

    def problems(resources: list[Resource]) -> str:
        rows = json.dumps([[f"{paths[each['apiVersion']]}/{each['kind']}", each] for each in resources])
        done = run([node, "--input-type=module", "--eval", VALIDATE], cwd=tmp_path, input=rows)
        assert done.returncode == 0, done.stderr
        return done.stdout

    assert problems(found) == ""
    wrong = json.loads(json.dumps(next(each for each in found if each["kind"] == "ScaledObject")))
    wrong["spec"]["maxReplicaCount"] = "ten"
    assert "maxReplicaCount" in problems([wrong])
