"""`make k8s-…`: one line for each mistake, and the order of a deployment."""

import os
import shutil
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
  *"get deployments"*) [ ! -e "$DEPLOYMENTS" ] || cat "$DEPLOYMENTS" ;;
  *"get secret passwords"*) [ -z "${NO_PASSWORDS:-}" ] ;;
  *"get scaledobjects"*) [ -n "${KEDA:-}" ] ;;
  "apply "*) echo "deployment.apps/api ${APPLIED:-unchanged}" ;;
  *" apply "*) echo "secret/passwords ${APPLIED:-unchanged}" ;;
esac
"""
"""Stands in for kubectl, because no control plane can be had: it renders, and records what a cluster would be asked."""


KEDA = """
apiVersion: kustomize.config.k8s.io/v1beta1
kind: Kustomization
namespace: my-project
resources: [../../base]
components: [../../components/keda]
"""


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
    """Return variables with which kubectl is the recorder."""
    return record_kubectl(tmp_path)


def record_kubectl(folder: Path) -> dict[str, str]:
    """Put the recorder into a folder in place of kubectl, and return the variables that it needs."""
    program = folder / "bin/kubectl"
    program.parent.mkdir()
    program.write_text(RECORDER)
    program.chmod(0o755)
    path = f"{program.parent}:{os.environ['PATH']}"
    files = {name.upper(): str(folder / name) for name in ("record", "deployments")}
    return {"PATH": path, "KUBECTL": need_program("kubectl"), **files}


def asked(recorder: dict[str, str]) -> list[str]:
    """Return what the cluster was asked, without the names of files."""
    lines = Path(recorder["RECORD"]).read_text().splitlines()
    return [line.split(" --filename")[0].removeprefix("--namespace my-project ") for line in lines]


def deployed(recorder: dict[str, str], *rows: str) -> None:
    """Let the cluster have Deployments: their names, revisions, and revisions before the last release."""
    Path(recorder["DEPLOYMENTS"]).write_text("".join(f"{row}\n" for row in rows))


def test_the_migration_ends_before_anything_is_rolled_out(projects: dict[str, Tree], recorder: dict[str, str]) -> None:
    done = make(projects["platform"], "apply", "OVERLAY=prod", "CONTEXT=staging", **recorder, JOB_CONDITION="Complete")
    assert done.returncode == 0, done.stderr
    version, passwords, deleted, first, waited, looked, *_, everything = asked(recorder)
    assert version.startswith("version")
    assert passwords == "get secret passwords"
    assert deleted == "delete job migrate --ignore-not-found"
    lines = Path(recorder["RECORD"]).read_text().splitlines()
    assert first == "apply" and "notin (api, worker, train)" in lines[3]
    assert waited.startswith("wait job/migrate") and looked.startswith("get job/migrate")
    assert everything == "apply" and "selector" not in lines[-1]


def test_without_passwords_nothing_is_started(projects: dict[str, Tree], recorder: dict[str, str]) -> None:
    done = make(projects["platform"], "apply", "OVERLAY=prod", "CONTEXT=staging", **recorder, NO_PASSWORDS="yes")
    assert done.returncode != 0
    assert "deploy.sh: the Secret passwords is missing: run the verb secrets first" in done.stderr
    assert "apply" not in asked(recorder)


def test_the_difference_leaves_out_the_job_that_cannot_be_changed(
    projects: dict[str, Tree], recorder: dict[str, str]
) -> None:
    done = make(projects["platform"], "diff", "OVERLAY=prod", "CONTEXT=staging", **recorder)
    assert done.returncode == 0, done.stderr
    assert Path(recorder["RECORD"]).read_text().endswith("--selector app.kubernetes.io/component notin (migrate)\n")


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
    assert "--from-file=database_password=secrets/database_password" in record
    assert not any(password in record for password in passwords)
    assert "restart" not in record, "they are as before"


def test_a_cluster_may_have_passwords_of_its_own_and_pods_start_again_with_them(
    projects: dict[str, Tree], recorder: dict[str, str]
) -> None:
    folder = projects["platform"].path / "secrets/prod"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "database_password").write_text("of the managed one")
    deployed(recorder, "api 3 2")
    try:
        for overlay in ("prod", "dev"):
            done = make(
                projects["platform"],
                "secrets",
                f"OVERLAY={overlay}",
                "CONTEXT=staging",
                **recorder,
                APPLIED="configured",
            )
            assert done.returncode == 0, done.stderr
    finally:
        shutil.rmtree(folder)
    prod, dev = [line for line in asked(recorder) if "generic passwords" in line]
    assert "database_password=secrets/prod/database_password" in prod and "=secrets/broker_password" in prod
    assert "database_password=secrets/database_password" in dev
    assert sum("rollout restart deployment --selector" in line for line in asked(recorder)) == 2


def test_a_rollback_leaves_alone_what_the_last_release_did_not_change(
    projects: dict[str, Tree], recorder: dict[str, str]
) -> None:
    deployed(recorder, "api      7   <none>", "worker   3   2")
    options = ("OVERLAY=prod", "CONTEXT=staging")
    done = make(projects["platform"], "apply", *options, **recorder, JOB_CONDITION="Complete")
    assert done.returncode == 0, done.stderr
    assert not [line for line in asked(recorder) if line.startswith("annotate")], "applied again: no other release"
    done = make(projects["platform"], "apply", *options, **recorder, JOB_CONDITION="Complete", APPLIED="configured")
    assert done.returncode == 0, done.stderr
    assert [line for line in asked(recorder) if line.startswith("annotate")] == [
        "annotate deployment/api --overwrite revision-before-apply=7",
        "annotate deployment/worker --overwrite revision-before-apply=3",
    ]
    deployed(recorder, "api 8 7", "worker 3 3", "new 1 <none>", "old 5 <none>")
    done = make(projects["platform"], "rollback", *options, **recorder)
    assert done.returncode == 0, done.stderr
    assert [line for line in asked(recorder) if line.startswith("rollout undo")] == [
        "rollout undo deployment/api --to-revision=7",
        "rollout undo deployment/old",
    ]
    assert "worker stays: the last release did not change it" in done.stdout
    assert asked(recorder)[-4:] == [
        f"annotate deployment/{name} --overwrite revision-before-apply={revision}"
        for name, revision in [("api", 8), ("worker", 3), ("new", 1), ("old", 5)]
    ]


@pytest.mark.parametrize("verb", ["wait", "rollback"])
def test_a_cluster_without_the_project_is_one_line(
    projects: dict[str, Tree], recorder: dict[str, str], verb: str
) -> None:
    done = make(projects["platform"], verb, "OVERLAY=prod", "CONTEXT=staging", **recorder)
    assert done.returncode != 0
    assert "the namespace 'my-project' has no Deployment of my-project: run the verb apply first" in done.stderr


@pytest.mark.parametrize(
    ("overlay", "keda", "deleted"),
    [
        ("prod", "yes", ["delete scaledobject api worker --ignore-not-found"]),
        ("prod", "", []),
        ("scaled", "yes", ["delete horizontalpodautoscaler api --ignore-not-found"]),
    ],
)
def test_the_other_autoscaler_goes_before_everything_is_applied(
    projects: dict[str, Tree], recorder: dict[str, str], overlay: str, keda: str, deleted: list[str]
) -> None:
    folder = projects["platform"].path / "deploy/kubernetes/overlays/scaled"
    folder.mkdir(exist_ok=True)
    (folder / "kustomization.yaml").write_text(KEDA)
    options = (f"OVERLAY={overlay}", "CONTEXT=staging")
    try:
        done = make(projects["platform"], "apply", *options, **recorder, JOB_CONDITION="Complete", KEDA=keda)
    finally:
        shutil.rmtree(folder)
    assert done.returncode == 0, done.stderr
    lines = asked(recorder)
    found = [number for number, line in enumerate(lines) if "scale" in line and line.startswith("delete")]
    assert [lines[number] for number in found] == deleted
    assert all(lines.index("apply") < number < len(lines) - 1 for number in found)
