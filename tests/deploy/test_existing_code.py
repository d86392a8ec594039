"""Kubernetes manifests of existing code: each process becomes what it is, and reads what it reads in Compose."""

import itertools
import os
import shutil
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml

from tests.answers import Answer
from tests.conftest import need_program
from tests.deploy.conftest import OVERLAYS
from tests.deploy.manifests import WORKLOADS, Resource, kustomize, pod_template, problems
from tests.deploy.test_deploy_script import record_kubectl
from tests.deploy.test_manifests import RELEASES
from tests.program import run
from tests.trees import Tree, rendered

ENVIRONMENT = {
    "DATABASE_URL": "postgresql+psycopg://app:{database_password}@postgres/app",
    "QUOTED": '"x"',
    "PRICE": "5 $(HOME) or 'six' {x} # = %",
    "EMPTY": "",
    "NUMBER": 7,
}
PROCESSES: dict[str, dict[str, Any]] = {
    "seed": {"command": "python -m app.seed", "once": True, "waits_for": ["migrate"]},
    "migrate": {"command": "alembic upgrade head", "once": True},
    "worker": {"command": "celery -A app worker -n 'a $b $(c)'", "scale": 2, "health": 'test -n "$(find /tmp/a)"'},
    "dash_board": {"command": " ".join(["python"] * 40), "port": 5555, "health": "/healthz", "waits_for": []},
    "report": {"command": "python -m app.report", "schedule": "*/30 6-18 * * MON-FRI"},
    "beat": {"command": "celery -A app beat", "working_folder": "src", "environment": {"A": "$(x)", "B": 1}},
}
SETS: dict[str, dict[str, Answer]] = {
    "system": {
        "api_app": "app.main:app",
        "health_route": "/health",
        "services": ["postgres", "redis"],
        "environment": ENVIRONMENT,
        "processes": PROCESSES,
        "input_folders": ["data", "/srv/in-put"],
        "output_folders": ["models", "cache", "/srv/out"],
        "accelerator": "cu130",
    },
    "api": {"api_app": "app.main:app", "keep": ["docker", "Dockerfile"]},
    "job": {"processes": {"report": PROCESSES["report"]}, "accelerator": "cu130"},
}
"""Answers, beside `preset` and `deploy`."""

GIVEN = frozenset({("Secret", "passwords")})


@pytest.fixture(scope="module")
def trees(template: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Tree]:
    """Return existing code for each set of answers."""
    sets = [{"preset": "existing", "deploy": ["kubernetes"], **answers} for answers in SETS.values()]
    return dict(zip(SETS, rendered(sets, template, tmp_path_factory.mktemp("existing")), strict=True))


def manifests(tree: Tree) -> Path:
    """Return the folder of the manifests."""
    [folder] = tree.path.glob("*/kubernetes")
    return folder


@pytest.fixture(scope="module")
def overlays(trees: dict[str, Tree]) -> dict[str, list[Resource]]:
    """Return the resources of each overlay, by `NAME/OVERLAY`; `gpu` is production with that component."""
    need_program("kubectl")
    found = {
        f"{name}/{overlay}": kustomize(manifests(tree) / "overlays" / overlay)
        for name, tree in trees.items()
        for overlay in OVERLAYS
    }
    for name in ("system", "job"):
        folder = manifests(trees[name]) / "overlays"
        shutil.copytree(folder / "prod", folder / "gpu")
        overlay = folder / "gpu/kustomization.yaml"
        overlay.write_text(overlay.read_text().replace("components:\n", "components:\n  - ../../components/gpu\n"))
        found[f"{name}/gpu"] = kustomize(folder / "gpu")
        shutil.rmtree(folder / "gpu")
    return found


def named(kind: str, name: str, resources: list[Resource]) -> Any:
    """Return the resource of that kind and name."""
    [found] = [each for each in resources if (each["kind"], each["metadata"]["name"]) == (kind, name)]
    return found


def container(kind: str, name: str, resources: list[Resource]) -> Any:
    """Return the only container of a workload."""
    [found] = pod_template(named(kind, name, resources))["spec"]["containers"]
    return found


def test_manifests_are_valid_and_agree_with_each_other(overlays: dict[str, list[Resource]]) -> None:
    unique = {yaml.safe_dump(each): each for resources in overlays.values() for each in resources}
    for resource, release in itertools.product(unique.values(), (RELEASES[0], RELEASES[-1])):
        assert kubernetes_validate.validate(resource, release, strict=True) == release
    for name, resources in overlays.items():
        assert problems(resources, GIVEN) == [], name


def test_each_process_becomes_what_it_is(overlays: dict[str, list[Resource]]) -> None:
    kinds = {"Deployment", "Job", "CronJob", "Service", "PersistentVolumeClaim"}
    found = {(each["kind"], each["metadata"]["name"]) for each in overlays["system/prod"] if each["kind"] in kinds}
    assert found == {
        *(("Deployment", name) for name in ("api", "worker", "dash-board", "beat")),
        *(("Job", name) for name in ("migrate", "seed")),
        ("CronJob", "report"),
        *(("Service", name) for name in ("api", "dash-board", "postgres", "redis")),
        *(("PersistentVolumeClaim", name) for name in ("data", "srv-in-put", "models", "folder-cache", "srv-out")),
    }
    resources = overlays["system/prod"]
    assert named("CronJob", "report", resources)["spec"]["schedule"] == PROCESSES["report"]["schedule"]
    assert named("Deployment", "beat", resources)["spec"]["strategy"] == {"type": "Recreate"}
    assert named("Deployment", "worker", resources)["spec"]["replicas"] == 2
    assert named("Deployment", "worker", overlays["system/dev"])["spec"]["replicas"] == 1
    # Processes address each other as in Compose.
    for name, port in {"api": 8000, "dash-board": 5555}.items():
        assert named("Service", name, resources)["spec"]["ports"] == [
            {"name": "http", "port": port, "targetPort": "http"}
        ]
    for name in ("postgres", "redis"):
        assert named("Service", name, resources)["spec"]["type"] == "ExternalName"
        assert named("Deployment", name, overlays["system/dev"])


def test_commands_and_variables_arrive_as_they_were_given(overlays: dict[str, list[Resource]]) -> None:
    """Kubernetes expands $(NAME) in arguments and variables, where $$ is a $, and nothing in ConfigMaps."""
    resources = overlays["system/prod"]
    [settings] = [each["data"] for each in resources if each["kind"] == "ConfigMap"]
    assert settings == {name: str(value) for name, value in ENVIRONMENT.items()}
    worker = container("Deployment", "worker", resources)
    assert [word.replace("$$", "$") for word in worker["args"]] == ["celery", "-A", "app", "worker", "-n", "a $b $(c)"]
    assert "$(" not in worker["args"][-1].replace("$$", "")
    beat = container("Deployment", "beat", resources)
    assert beat["workingDir"] == "/app/src"
    assert beat["env"] == [{"name": "A", "value": "$$(x)"}, {"name": "B", "value": "1"}]
    assert container("Deployment", "api", resources)["args"] == ["serve"]
    for each in resources:
        if each["kind"] in WORKLOADS:
            [process] = pod_template(each)["spec"]["containers"]
            assert process["envFrom"][0]["configMapRef"]["name"].startswith("settings-")
            assert process["envFrom"][1] == {"secretRef": {"name": "variables", "optional": True}}


def test_probes_make_the_check_of_the_process(overlays: dict[str, list[Resource]]) -> None:
    resources = overlays["system/prod"]
    for name, route in {"api": "/health", "dash-board": "/healthz"}.items():
        process = container("Deployment", name, resources)
        for probe in ("startupProbe", "livenessProbe", "readinessProbe"):
            asked = process[probe]["httpGet"]
            assert (asked["path"], asked["port"]) == (route, "http")
            assert asked["httpHeaders"] == [{"name": "Host", "value": "localhost"}]  # as in Compose
    worker = container("Deployment", "worker", resources)
    check = ["entrypoint", "sh", "-c", PROCESSES["worker"]["health"]]
    assert worker["startupProbe"]["exec"]["command"] == worker["livenessProbe"]["exec"]["command"] == check
    assert "readinessProbe" not in worker  # nothing sends it requests
    for kind, name in (("Deployment", "beat"), ("Job", "migrate"), ("CronJob", "report")):
        assert not [field for field in container(kind, name, resources) if field.endswith("Probe")]
    assert container("Deployment", "api", overlays["api/prod"])["readinessProbe"]["exec"] == {
        "command": ["healthcheck"]
    }


def test_folders_are_claims_and_inputs_are_read_only(overlays: dict[str, list[Resource]]) -> None:
    mounts = container("Job", "migrate", overlays["system/prod"])["volumeMounts"]
    places = {each["mountPath"]: (each["name"], each.get("readOnly", False)) for each in mounts}
    assert (
        places.items()
        >= {
            "/app/data": ("data", True),
            "/srv/in-put": ("srv-in-put", True),
            "/app/models": ("models", False),
            "/app/cache": ("folder-cache", False),
            "/srv/out": ("srv-out", False),
            "/run/secrets": ("passwords", True),
        }.items()
    )
    modes = {overlay: named("PersistentVolumeClaim", "models", overlays[f"system/{overlay}"]) for overlay in OVERLAYS}
    assert modes["dev"]["spec"]["accessModes"] == ["ReadWriteOnce"]
    assert modes["prod"]["spec"]["accessModes"] == ["ReadWriteMany"]


def test_the_process_that_answers_or_else_all_get_a_gpu(overlays: dict[str, list[Resource]]) -> None:
    for name, expected in {"system": [("Deployment", "api")], "job": [("CronJob", "report")]}.items():
        workloads = [each for each in overlays[f"{name}/gpu"] if each["kind"] in WORKLOADS]
        with_gpu = [
            (each["kind"], each["metadata"]["name"])
            for each in workloads
            if pod_template(each)["spec"].get("tolerations")
            and pod_template(each)["spec"]["containers"][0]["resources"]["limits"]["nvidia.com/gpu"] == 1
        ]
        assert with_gpu == expected


def test_jobs_end_in_their_order_before_anything_is_rolled_out(trees: dict[str, Tree], tmp_path: Path) -> None:
    environment = {**os.environ, **record_kubectl(tmp_path), "JOB_CONDITION": "Complete"}
    record = Path(environment["RECORD"])
    tree = trees["system"]
    script = [manifests(tree) / "deploy.sh"]
    done = run([*script, "apply", "prod", "staging"], cwd="/", env=environment)
    assert done.returncode == 0, done.stderr
    asked = record.read_text().splitlines()
    assert [line.split()[3] for line in asked if " wait job/" in line] == ["job/migrate", "job/seed"]
    first, last = [line for line in asked if line.startswith("apply")]
    assert "notin (api, worker, dash-board, report, beat)" in first
    assert asked[-1] == last and "--selector" not in last
    (tree.path / "secrets").mkdir(exist_ok=True)
    (tree.path / "secrets/prod.env").write_text("TOKEN=hf_secret\n")
    done = run([*script, "secrets", "prod", "staging"], cwd="/", env=environment)
    assert done.returncode == 0, done.stderr
    said = record.read_text()
    assert "generic variables --from-env-file=secrets/prod.env" in said and "hf_secret" not in said
    assert "--from-file=database_password=secrets/database_password" in said
    assert "--from-file=broker_password=secrets/broker_password" in said


def test_code_with_jobs_alone_has_nothing_to_wait_for(trees: dict[str, Tree], tmp_path: Path) -> None:
    environment = {**os.environ, **record_kubectl(tmp_path)}
    for name, code in {"job": 0, "system": 1}.items():
        for verb in ("wait", "rollback"):
            done = run([manifests(trees[name]) / "deploy.sh", verb, "prod", "staging"], cwd="/", env=environment)
            assert done.returncode == code, done.stderr
            assert ("has no Deployment" in done.stderr) == bool(code)


def test_an_overlay_outlives_a_change_of_answers(trees: dict[str, Tree], tmp_path: Path) -> None:
    """Updates replace the base and the components, and never the overlays; they delete files that no answer brings."""
    written = [sorted(path.name for path in manifests(tree).glob("overlays/*/*")) for tree in trees.values()]
    assert written == [written[0]] * len(written)
    for before, after in itertools.permutations(SETS, 2):
        folder = tmp_path / f"{before} to {after}"
        shutil.copytree(manifests(trees[after]), folder)
        shutil.rmtree(folder / "overlays")
        shutil.copytree(manifests(trees[before]) / "overlays", folder / "overlays")
        for overlay in OVERLAYS:
            assert kustomize(folder / "overlays" / overlay)
