"""`make k8s-…`: one line for each mistake, and the order of a deployment."""

import os
import subprocess
from pathlib import Path

import pytest

from tests.conftest import need_program
from tests.program import run
from tests.trees import Tree

CONTEXTS = """
apiVersion: v1
kind: Config
clusters: [{name: c, cluster: {server: "http://127.0.0.1:9"}}]
users: [{name: u, user: {}}]
contexts: [{name: staging, context: {cluster: c, user: u}}]
"""

RECORDER = """#!/bin/sh
case "$1 $2" in
  "config get-contexts") echo staging; exit ;;
  "kustomize "*) exec "$KUBECTL" "$@" ;;
esac
shift 2 # --context NAME
echo "$*" >> "$RECORD"
case "$*" in
  *"get job"*) echo "$JOB_CONDITION" ;;
  *"get deployments"*) echo deployment.apps/api ;;
esac
"""
"""Stands in for kubectl, because no control plane can be had: it renders, and records what a cluster would be asked."""


def make(tree: Tree, verb: str, *variables: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run a verb of the Makefile in a project."""
    command = [need_program("make"), "--silent", f"k8s-{verb}", *variables]
    return run(command, cwd=tree.path, env=os.environ | environment)


@pytest.fixture
def configuration(tmp_path: Path) -> str:
    """Return a configuration of kubectl with one context, whose cluster does not answer."""
    (tmp_path / "kubeconfig").write_text(CONTEXTS)
    return str(tmp_path / "kubeconfig")


@pytest.mark.parametrize(
    ("verb", "variables", "sentence"),
    [
        ("apply", ["CONTEXT=production"], "there is no context 'production'; the contexts are: staging"),
        ("diff", [], "kubectl has no current context; set CONTEXT to one of: staging"),
        ("wait", ["CONTEXT=staging"], "the cluster of context 'staging' does not answer"),
        ("render", ["OVERLAY=staging"], "there is no overlay 'staging'; the overlays are: all dev prod"),
        ("rollback", ["OVERLAY=../base"], "there is no overlay '../base'; the overlays are: all dev prod"),
    ],
)
def test_a_mistake_is_one_line(
    projects: dict[str, Tree],
    overlays: object,
    configuration: str,
    verb: str,
    variables: list[str],
    sentence: str,
) -> None:
    done = make(projects["api"], verb, *variables, KUBECONFIG=configuration)
    said = [line for line in done.stderr.splitlines() if not line.startswith("make: ")]
    assert said == [f"deploy.sh: {sentence}"]
    assert done.returncode != 0


def test_render_shows_the_manifests(projects: dict[str, Tree]) -> None:
    done = make(projects["api"], "render", "OVERLAY=prod")
    assert done.returncode == 0, done.stderr
    assert "kind: Deployment" in done.stdout


@pytest.fixture
def recorder(tmp_path: Path) -> dict[str, str]:
    """Return the environment in which kubectl is the recorder."""
    program = tmp_path / "bin/kubectl"
    program.parent.mkdir()
    program.write_text(RECORDER)
    program.chmod(0o755)
    path = f"{program.parent}:{os.environ['PATH']}"
    return {"PATH": path, "KUBECTL": need_program("kubectl"), "RECORD": str(tmp_path / "record")}


def asked(recorder: dict[str, str]) -> list[str]:
    """Return what the cluster was asked, without the names of files."""
    lines = Path(recorder["RECORD"]).read_text().splitlines()
    return [line.split(" --filename")[0].removeprefix("--namespace my-project ") for line in lines]


def test_the_migration_ends_before_anything_is_rolled_out(projects: dict[str, Tree], recorder: dict[str, str]) -> None:
    done = make(projects["platform"], "apply", "OVERLAY=prod", "CONTEXT=staging", **recorder, JOB_CONDITION="Complete")
    assert done.returncode == 0, done.stderr
    version, deleted, first, waited, looked, everything = asked(recorder)
    assert version.startswith("version")
    assert deleted == "delete job migrate --ignore-not-found"
    assert first == "apply" and "notin (api, worker, train)" in Path(recorder["RECORD"]).read_text().splitlines()[2]
    assert waited.startswith("wait job/migrate") and looked.startswith("get job/migrate")
    assert everything == "apply" and "selector" not in Path(recorder["RECORD"]).read_text().splitlines()[5]


def test_nothing_is_rolled_out_after_a_failed_migration(projects: dict[str, Tree], recorder: dict[str, str]) -> None:
    done = make(projects["platform"], "apply", "OVERLAY=prod", "CONTEXT=staging", **recorder, JOB_CONDITION="Failed")
    assert done.returncode != 0
    assert "deploy.sh: the job migrate failed: nothing was rolled out" in done.stderr
    assert asked(recorder).count("apply") == 1


def test_passwords_are_no_arguments(projects: dict[str, Tree], recorder: dict[str, str]) -> None:
    done = make(projects["platform"], "secrets", "OVERLAY=prod", "CONTEXT=staging", **recorder)
    assert done.returncode == 0, done.stderr
    passwords = [path.read_text() for path in (projects["platform"].path / "secrets").iterdir()]
    record = Path(recorder["RECORD"]).read_text()
    assert "--from-file=secrets/database_password" in record
    assert not any(password in record for password in passwords)
