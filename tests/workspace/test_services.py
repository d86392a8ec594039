"""Make services in a workspace, and read its Compose model as Docker Compose does."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.conftest import need_program
from tests.program import run
from tests.releases import assert_clean, commit, git
from tests.workspace.workspace import PROJECT, Workspace, made

REPOSITORY = Path(__file__).resolve().parent.parent / "existing/api-string"
EXISTING = ["--data=api_app=moldash.asgi:app", "--data=code_paths=[moldash]", "--data=torch_version=none"]


@pytest.fixture(scope="module")
def farm(template: Path, tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """Return a workspace with a small project, existing code and a platform; tests only read it or copy it."""
    need_program("docker")
    workspace = made(template, tmp_path_factory.mktemp("workspace") / "farm", {"deploy": ["ghcr"]})
    shutil.copytree(REPOSITORY, workspace.root / "services/legacy")
    for name, preset, options in (
        ("docs", "custom", PROJECT),
        ("legacy", "existing", EXISTING),
        ("jobs", "platform", [*PROJECT, "--data=services=[postgres,bucket]"]),
    ):
        done = workspace.service(name, preset, *options)
        assert done.returncode == 0, done.stderr
    commit(workspace.root, "Add services")
    return workspace


@pytest.fixture
def copy(farm: Workspace, tmp_path: Path) -> Workspace:
    """Return a copy of the workspace that a test may change."""
    shutil.copytree(farm.root, tmp_path / "farm", symlinks=True)
    return Workspace(tmp_path / "farm")


@pytest.fixture(scope="module")
def scratch(farm: Workspace, tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """Return a copy of the workspace for mistakes, which change services.yml and nothing else."""
    folder = tmp_path_factory.mktemp("scratch") / "farm"
    shutil.copytree(farm.root, folder, symlinks=True)
    (folder / "services/full").mkdir()
    (folder / "services/full/notes.txt").write_text("mine")
    commit(folder, "Write notes")
    return Workspace(folder)


def refused(workspace: Workspace, done: subprocess.CompletedProcess[str], words: list[str]) -> None:
    """Assert that a command failed with one line of these words; make adds its own."""
    assert done.returncode != 0
    said = [line for line in done.stderr.splitlines() if not line.startswith("make")]
    assert len(said) == 1, said
    assert all(word in said[0] for word in words), said
    assert "dict object" not in said[0]  # Jinja's words around a refused answer


@pytest.fixture
def ten(copy: Workspace) -> Workspace:
    """Return a workspace with ten services: seven are like `docs`, as a service that somebody moved into its folder."""
    for number in range(7):
        folder = copy.root / f"services/docs-{number}"
        shutil.copytree(copy.root / "services/docs", folder)
        for file in (folder / "compose.yaml", folder / "compose.override.yaml", folder / ".copier-answers.yml"):
            file.write_text(re.sub(r"\bdocs\b", folder.name, file.read_text()))
        done = copy.service(folder.name)
        assert done.returncode == 0, done.stderr
    return copy


def named(model: dict[str, Any], kind: str) -> dict[str, set[str]]:
    """Return, of each service of the workspace, what its containers use of a kind."""
    used: dict[str, set[str]] = {}
    for name, container in model["services"].items():
        owner = min((each for each in SERVICES if name.startswith(f"{each}-")), key=lambda each: -len(each), default="")
        values = {
            "images": [container["image"]],
            "volumes": [each["source"] for each in container.get("volumes", []) if each["type"] == "volume"],
            "networks": [network for network in container["networks"] if network not in SHARED],
            "ports": [each["published"] for each in container.get("ports", []) if each.get("published") != "0"],
            "names": [container.get("container_name", name)],
        }
        if owner:
            used.setdefault(owner, set()).update(values[kind])
    return used


SERVICES = ("docs", "legacy", "jobs", *(f"docs-{number}" for number in range(7)))
SHARED = ("services", "postgres", "redis", "bucket")


def test_ten_services_share_nothing_by_accident(ten: Workspace) -> None:
    model = ten.model()
    infrastructure = {"postgres:17-trixie", "redis:8-trixie"}
    for kind in ("images", "volumes", "networks", "ports", "names"):
        used = named(model, kind)
        assert set(used) == set(SERVICES), kind
        everything = [value for values in used.values() for value in values - infrastructure]
        assert everything
        assert len(everything) == len(set(everything)), (kind, used)
    published = [port["published"] for each in model["services"].values() for port in each.get("ports", [])]
    assert len(published) - 1 == len(set(published)) == 2 + len(SERVICES)  # 443 is published for TCP and for UDP


def test_every_service_has_its_place_behind_the_proxy(ten: Workspace) -> None:
    model = ten.model()
    routes = (ten.root / "generated/services.caddy").read_text()
    found = dict(re.findall(r"handle_path (/\S+)/\* \{\n\t\timport service (\S+) 8000 \1\n", routes))
    assert found == {f"/{name}": name for name in SERVICES}
    aliases = {
        alias
        for container in model["services"].values()
        for alias in (container["networks"].get("services") or {}).get("aliases", [])
    }
    assert aliases == set(SERVICES)
    assert "services" in model["services"]["proxy"]["networks"]


def test_infrastructure_is_shared_and_each_service_has_its_own_database(farm: Workspace) -> None:
    model = farm.model()
    containers = model["services"]
    assert {"postgres", "redis", "bucket"} <= set(containers)
    assert not [name for name in containers if name.startswith("jobs-") and name.endswith(("postgres", "redis"))]
    settings = containers["jobs-worker"]["environment"]
    assert settings["JOBS_DATABASE"] == "postgresql+psycopg://jobs@postgres/jobs"
    assert settings["JOBS_BROKER"] == "redis://redis/1"
    assert settings["JOBS_STORAGE"] == "s3://jobs/files"
    files = {name: Path(each["file"]) for name, each in model["secrets"].items() if "file" in each}
    assert files["jobs-database_password"] == farm.root / "secrets/jobs.database_password"
    for name in ("jobs-api", "jobs-worker", "jobs-migrate"):
        assert containers[name]["depends_on"]["jobs-database"]["condition"] == "service_completed_successfully"
        assert containers[name]["depends_on"]["redis"]["condition"] == "service_healthy"
    assert set(containers["docs-api"]["networks"]).isdisjoint({"postgres", "redis", "bucket"})
    assert (farm.root / "generated/bucket.env").read_text() == "UNTRAINED=\nTRAINED=jobs\n"


def test_containers_of_a_service_find_each_other_by_their_own_names(farm: Workspace) -> None:
    containers = farm.model()["services"]
    for name in ("api", "worker", "migrate"):
        assert name in containers[f"jobs-{name}"]["networks"]["jobs-inside"]["aliases"]


def test_paths_and_variables_of_a_service_stay_its_own(copy: Workspace) -> None:
    (copy.root / "services/docs/.env").write_text("SHM_SIZE=3g\n")
    containers = copy.model()["services"]
    assert containers["docs-api"]["shm_size"] == str(3 * 2**30)
    assert containers["legacy-api"]["shm_size"] == str(2**30)
    assert containers["docs-api"]["build"]["context"] == str(copy.root / "services/docs")
    assert "SHM_SIZE" not in (copy.root / "generated/docs.yaml").read_text().replace("${SHM_SIZE:-1g}", "")


def test_limits_hold_for_the_code_of_services(copy: Workspace) -> None:
    (copy.root / ".env").write_text("DOCS_MEMORY=3g\n")
    text = (copy.root / "services.yml").read_text()
    (copy.root / "services.yml").write_text(text.replace("memory: 2g", "memory: 1g").replace("cpus: 2}", "cpus: 1.5}"))
    assert copy.make("services").returncode == 0
    containers = copy.model()["services"]
    assert containers["docs-api"]["mem_limit"] == str(3 * 2**30)
    assert containers["legacy-api"]["mem_limit"] == str(2**30)
    assert containers["legacy-api"]["cpus"] == 1.5
    assert all(int(each.get("mem_limit", 0)) > 0 for each in containers.values())


def test_a_service_in_development_has_its_code_mounted(copy: Workspace) -> None:
    (copy.root / ".env").write_text("DOCS_MODE=.dev\n")
    containers = copy.model()["services"]
    mounted = {each["source"] for each in containers["docs-api"]["volumes"] if each["type"] == "bind"}
    assert mounted == {str(copy.root / "services/docs")}
    assert containers["docs-api"]["image"] == "farm-docs-dev"
    assert containers["legacy-api"]["image"] == "farm-legacy"


def test_a_service_with_a_profile_starts_on_demand(copy: Workspace) -> None:
    _change(copy, {"profile": "heavy"})
    assert copy.make("services").returncode == 0
    done = subprocess.run(
        ["docker", "compose", "config", "--services"], cwd=copy.root, capture_output=True, text=True, check=True
    )
    assert "docs-api" not in done.stdout.split()
    assert "legacy-api" in done.stdout.split()
    assert copy.model()["services"]["docs-api"]["profiles"] == ["heavy"]


def test_the_inventory_is_printed_as_a_table(farm: Workspace) -> None:
    done = farm.make("services")
    lines = [line.split() for line in done.stdout.splitlines()]
    assert lines[0] == ["SERVICE", "FOLDER", "PRESET", "ADDRESS", "PORT", "HEALTH", "NEEDS", "PROFILE"]
    assert lines[1] == ["docs", "services/docs", "custom", "/docs", "8001", "/ready", "-", "-"]
    assert lines[3][:6] == ["jobs", "services/jobs", "platform", "/jobs", "8003", "/ready"]
    assert git(farm.root, "status", "--porcelain") == ""


def test_front_ends_get_the_domain_and_hosts_below_it(copy: Workspace) -> None:
    for name in ("web", "shop"):
        done = copy.service(name, "frontend")
        assert done.returncode == 0, done.stderr
    services = yaml.safe_load((copy.root / "services.yml").read_text())["services"]
    assert services["web"]["path"] == "/" and services["shop"]["host"] == "shop.${DOMAIN}"
    routes = (copy.root / "generated/services.caddy").read_text()
    assert "\thandle {\n\t\timport service web 8080 /\n\t}\n}" in routes
    assert routes.endswith("\n\nshop.{$DOMAIN:localhost} {\n\timport site\n\timport service shop 8080 /\n}\n")


def test_commands_pass_over_a_front_end_without_packages(copy: Workspace) -> None:
    assert copy.service("pages", "frontend", "--data=frontend=static").returncode == 0
    for verb, said in (("lock", "== pages has nothing to lock\n"), ("test", "== pages has no tests\n")):
        done = copy.make(verb, "SERVICE=pages")
        assert (done.returncode, done.stdout) == (0, said), done.stderr


def test_what_a_service_needs_includes_what_that_needs(copy: Workspace) -> None:
    _change(copy, {"needs": ["legacy"]})
    _change(copy, {"needs": ["jobs"]}, "legacy")
    program = "from workspace.inventory import *; read = read(Path('..')); "
    program += "print(*(each.name for each in read.with_needs(read.named(['docs']))))"
    done = run([sys.executable, "-c", program], cwd=copy.root / "tools")
    assert done.stdout.split() == ["docs", "legacy", "jobs"], done.stderr


def test_a_service_trusts_its_host_below_the_domain(copy: Workspace) -> None:
    _change(copy, {"path": None, "host": "docs.${DOMAIN}"})
    assert copy.make("services").returncode == 0
    for domain, settings in (("localhost", ""), ("example.org", "DOMAIN=example.org\n")):
        (copy.root / ".env").write_text(settings)
        trusted = copy.model()["services"]["docs-api"]["environment"]["DOCS_TRUSTED_HOSTS"]
        assert trusted.split() == [domain, "localhost", f"docs.{domain}", "docs"]


def _change(workspace: Workspace, changes: dict[str, object], service: str = "docs") -> None:
    """Change the entry of a service by hand."""
    file = workspace.root / "services.yml"
    content = yaml.safe_load(file.read_text())
    content["services"][service] |= changes
    file.write_text(yaml.safe_dump(content, sort_keys=False))


@pytest.mark.parametrize(
    ("service", "changes", "words"),
    [
        ("docs", {"folder": "services/nowhere"}, ["docs", "no folder services/nowhere"]),
        ("docs", {"folder": "../farm"}, ["docs", "../farm"]),
        ("legacy", {"port": 8001}, ["legacy", "port 8001", "docs"]),
        ("legacy", {"path": "/docs"}, ["legacy", "path /docs", "docs"]),
        ("docs", {"path": "docs"}, ["docs", "path: docs"]),
        ("docs", {"health": None}, ["docs", "no `health`"]),
        ("docs", {"port": "many"}, ["docs", "port", "many"]),
        ("docs", {"port": 80}, ["docs", "port 80"]),
        ("docs", {"host": "docs.example.org"}, ["docs", "path", "host"]),
        ("docs", {"path": None, "host": "docs.${HOME}"}, ["docs", "host: docs.${HOME}"]),
        ("docs", {"needs": ["mysql"]}, ["docs", "mysql", "postgres"]),
        ("docs", {"needs": ["redis"]}, ["docs", "redis_database"]),
        ("docs", {"needs": "redis"}, ["docs", "needs", "list"]),
        ("docs", {"memory": "plenty"}, ["docs", "memory", "plenty"]),
        ("docs", {"entry": "web:80"}, ["docs", "entry", "web"]),
        ("docs", {"color": "red"}, ["docs", "color", "keys are"]),
    ],
)
def test_a_mistake_in_the_inventory_is_one_line(
    scratch: Workspace, service: str, changes: dict[str, object], words: list[str]
) -> None:
    git(scratch.root, "checkout", "--quiet", "--", ".")
    _change(scratch, changes, service)
    refused(scratch, scratch.make("services"), words)
    assert git(scratch.root, "status", "--porcelain") == " M services.yml\n"


@pytest.mark.parametrize(
    "text", ["services: [", "services: 3", "[]", "services: {docs: 1}", "other: 1", "services: {Docs: {}}"]
)
def test_an_inventory_that_cannot_be_read_is_one_line(scratch: Workspace, text: str) -> None:
    (scratch.root / "services.yml").write_text(text)
    refused(scratch, scratch.make("services"), ["workspace: services.yml"])


@pytest.mark.parametrize(
    ("name", "preset", "options", "words"),
    [
        ("docs", "custom", [], ["docs", "already"]),
        ("Docs", "custom", [], ["NAME=Docs", "lower-case"]),
        ("", "custom", [], ["NAME=", "lower-case"]),
        ("../x", "custom", [], ["NAME=../x", "lower-case"]),
        ("postgres", "custom", [], ["postgres", "choose another"]),
        ("full", "custom", [], ["services/full", "files"]),
        ("new", "existing", [], ["services/new", "copy the code"]),
        ("new", "", [], ["PRESET"]),
        ("new", "workspace", [], ["workspace"]),
        ("new", "nothing", [], ["nothing", "is not a choice"]),
        ("new", "custom", ["--data=colour=red"], ["colour"]),
        ("json", "custom", PROJECT, ["json", "standard library"]),
        ("shop", "frontend", ["--data=torch_index=https://e.org"], ["torch_index", "preset is frontend"]),
    ],
)
def test_a_service_that_cannot_be_made_is_one_line_and_changes_nothing(
    scratch: Workspace, name: str, preset: str, options: list[str], words: list[str]
) -> None:
    git(scratch.root, "checkout", "--quiet", "--", ".")
    refused(scratch, scratch.service(name, preset, *options), words)
    assert git(scratch.root, "status", "--porcelain") == ""
    assert not list((scratch.root / "services").glob(".*"))


def kill_half_way(workspace: Workspace, preset: str, options: list[str], folder: Path) -> None:
    """Make the service `killed`, and kill all that takes part once a first new file is in its folder."""
    command = ["make", f"PYTHON={sys.executable}", "service", "NAME=killed", f"PRESET={preset}"]
    before = set(folder.glob("*"))
    with subprocess.Popen(
        [*command, f"ARGS={' '.join(options)}"],
        cwd=workspace.root,
        start_new_session=True,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    ) as process:
        while set(folder.glob("*")) == before and process.poll() is None:
            time.sleep(0.001)  # a folder cannot be awaited
        os.killpg(process.pid, signal.SIGKILL)
    assert workspace.make("services").returncode == 0
    assert yaml.safe_load((workspace.root / "services.yml").read_text())["services"].keys() == {
        "docs",
        "legacy",
        "jobs",
    }


def test_a_service_whose_making_was_killed_is_made_by_a_repetition(copy: Workspace) -> None:
    folder = copy.root / "services/.killed.part"
    kill_half_way(copy, "custom", PROJECT, folder)
    assert not (copy.root / "services/killed").exists()
    assert git(copy.root, "status", "--porcelain") == ""
    done = copy.service("killed", "custom", *PROJECT)
    assert done.returncode == 0, done.stderr
    assert "killed-api" in copy.model()["services"]
    assert not folder.exists()


def test_containers_for_code_whose_making_was_killed_are_made_by_a_repetition(copy: Workspace) -> None:
    folder = copy.root / "services/killed"
    shutil.copytree(REPOSITORY, folder)
    kill_half_way(copy, "existing", EXISTING, folder)
    theirs = folder / "empty.py"
    theirs.touch()
    begun = folder / "docker/entrypoint.sh"
    begun.parent.mkdir(exist_ok=True)
    begun.write_bytes(b"")  # as if it was being written
    done = copy.service("killed", "existing", *EXISTING)
    assert done.returncode == 0, done.stderr
    assert begun.stat().st_size and theirs.exists()
    assert not list((copy.root / "services").glob(".*"))
    assert "killed-api" in copy.model()["services"]
    assert not list(folder.glob(".copier-answers.yml.part"))


def test_a_service_that_was_made_but_not_listed_is_listed_by_a_repetition(copy: Workspace) -> None:
    git(copy.root, "checkout", "HEAD~1", "--", "services.yml", "compose.yaml")
    for name in ("docs", "legacy", "jobs"):
        assert copy.service(name).returncode == 0
    assert set(copy.model()["services"]) >= {"docs-api", "legacy-api", "jobs-api"}


def test_a_service_that_is_taken_out_leaves_nothing(copy: Workspace) -> None:
    file = copy.root / "services.yml"
    content = yaml.safe_load(file.read_text())
    del content["services"]["docs"]
    file.write_text(yaml.safe_dump(content, sort_keys=False))
    assert copy.make("check").returncode != 0
    assert copy.make("services").returncode == 0
    assert copy.make("check").returncode == 0
    assert not [name for name in copy.model()["services"] if name.startswith("docs")]
    assert "docs" not in (copy.root / "generated/services.caddy").read_text()


def test_an_edit_of_a_services_compose_file_is_noticed(copy: Workspace) -> None:
    file = copy.root / "services/docs/compose.yaml"
    file.write_text(file.read_text().replace("stop_grace_period: 40s", "stop_grace_period: 50s"))
    done = copy.make("check")
    assert done.returncode != 0
    assert "docs" in done.stderr
    assert copy.make("services").returncode == 0
    assert copy.model()["services"]["docs-api"]["stop_grace_period"] == "50s"


def test_a_pipeline_takes_the_services_that_changed(copy: Workspace) -> None:
    def changed(since: str = "HEAD~1") -> object:
        return yaml.safe_load(copy.make("changed", f"SINCE={since}").stdout)

    (copy.root / "services/docs/src/docs/routes.py").write_text("")
    commit(copy.root, "Change docs")
    assert changed() == ["docs"]
    (copy.root / "README.md").write_text("The farm")
    commit(copy.root, "Write")
    assert changed() == []
    assert changed("HEAD~2") == ["docs"]
    assert changed("0" * 40) == changed("f" * 40) == changed("") == ["docs", "legacy", "jobs"]
    (copy.root / "Makefile").write_text((copy.root / "Makefile").read_text() + "\n")
    commit(copy.root, "Change how services are built")
    assert changed() == ["docs", "legacy", "jobs"]


def test_gitlab_gets_a_job_for_each_service_that_changed(copy: Workspace) -> None:
    (copy.root / "services/docs/src/docs/routes.py").write_text("")
    commit(copy.root, "Change docs")
    file = copy.root / "services.gitlab-ci.yml"
    file.write_text(copy.make("changed", "SINCE=HEAD~1", "ARGS=--gitlab").stdout)
    done = run(["check-jsonschema", "--builtin-schema=vendor.gitlab-ci", file])
    assert done.returncode == 0, done.stdout
    pipeline = yaml.safe_load(file.read_text())
    assert pipeline.pop("include") == [{"local": "infrastructure/gitlab-service.yml"}]
    assert {name: job["script"] for name, job in pipeline.items()} == {
        "test docs": ["make test SERVICE=docs"],
        "build docs": ["make build SERVICE=docs"],
    }


def test_an_update_of_the_workspace_keeps_its_services(template: Path, copy: Workspace, tmp_path: Path) -> None:
    """The list in compose.yaml stands between lines that never change, so what is around it merges."""
    newer = tmp_path / "newer"
    git(tmp_path, "clone", "--quiet", template, newer)
    for name in ("compose.yaml.jinja", "infrastructure/proxy.yaml.jinja"):
        file = newer / "template/workspace" / name
        file.write_text(file.read_text().replace("# ", "# Newer: ", 1))
    commit(newer, "A newer release", "1000.0.0")
    answers = copy.root / ".copier-answers.yml"
    answers.write_text(answers.read_text().replace(str(template), str(newer)))
    own = copy.root / "compose.yaml"
    own.write_text(
        own.read_text().replace("# Your own containers, from here", "# Your own containers, from here\n# mine")
    )
    commit(copy.root, "Point to the newer release")
    done = copy.make("update", "ARGS=--quiet")
    assert done.returncode == 0, done.stderr
    assert_clean(copy.root)
    text = own.read_text()
    assert "# Newer: " in text and "# mine" in text and "generated/docs${DOCS_MODE:-}.yaml" in text
    assert copy.make("check").returncode == 0
    assert set(yaml.safe_load((copy.root / "services.yml").read_text())["services"]) == {"docs", "legacy", "jobs"}


SCRIPTS = {
    "docs": "services/docs/deploy/registry/images.py",
    "legacy": "services/legacy/docker/registry/images.py",
    "jobs": "services/jobs/deploy/registry/images.py",
}


def test_the_pipeline_publishes_the_services_that_say_so(copy: Workspace) -> None:
    done = copy.make("images")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == [{"service": name, "script": script} for name, script in SCRIPTS.items()]
    shutil.rmtree((copy.root / SCRIPTS["legacy"]).parent)
    done = copy.make("images", "SERVICE=docs legacy")
    assert json.loads(done.stdout) == [{"service": "docs", "script": SCRIPTS["docs"]}]
    assert done.stderr == "legacy publishes no image: its answer deploy lacks ghcr\n"


BUILDER = """#!/bin/sh
for each; do
  case "$each" in --file=*) echo "$each" >> "$RECORD" ;; esac
done
ls "$each/README.md" >> "$RECORD" # in the context, the last argument
echo "$IMAGE" >> "$RECORD"
exit 1
"""
"""Stands in for docker: notes what it is asked to build; tests/image builds it."""


def test_each_image_is_built_from_the_folder_of_its_service(copy: Workspace, tmp_path: Path) -> None:
    (tmp_path / "docker").write_text(BUILDER)
    (tmp_path / "docker").chmod(0o755)
    git(copy.root, "tag", "v1.2.3")
    given = ["SIGSTORE_ID_TOKEN=x", f"PATH={tmp_path}:{os.environ['PATH']}", f"RECORD={tmp_path / 'record'}"]
    done = copy.make("publish", "VERSION=v1.2.3", "IMAGE=ghcr.io/acme/farm", "SERVICE=docs legacy", *given)
    assert done.returncode != 0 and not done.stdout
    said = [line for line in done.stderr.splitlines() if not line.startswith(("==", "make"))]
    assert said == [
        *["images.py: the image cannot be built"] * 2,
        "workspace: not published, as said above: docs, legacy",
    ]
    lines = (tmp_path / "record").read_text().splitlines()
    found = [re.sub("^.*/checkout/", "", line) for line in lines]
    assert found == [
        line
        for name in ("docs", "legacy")
        for line in (f"services/{name}/Dockerfile", f"services/{name}/README.md", f"ghcr.io/acme/farm/{name}")
    ]


def test_a_registry_must_be_named(farm: Workspace) -> None:
    refused(farm, farm.make("publish", "VERSION=1.2.3"), ["IMAGE is missing", "IMAGE=ghcr.io/acme/farm"])


def test_images_are_trusted_that_the_workflow_of_services_signs(farm: Workspace) -> None:
    folder = farm.root / ".github/workflows"
    for script in SCRIPTS.values():
        program = (
            "import runpy, sys; print(*runpy.run_path(sys.argv[1])['trusted']('ghcr.io/me/the.farm/docs'), sep='\\n')"
        )
        done = run([sys.executable, "-c", program, farm.root / script])
        assert done.stdout.splitlines()[1] == (
            r"--certificate-identity-regexp=^(?i:https://github\.com/me/the\.farm)/\.github/workflows/publish-service\.yml@"
            r"refs/(tags/v[^/]+|heads/(main|master))$"
        ), done.stderr
    called = yaml.safe_load((folder / "publish-service.yml").read_text())
    [job] = [
        job
        for job in yaml.safe_load((folder / "publish-images.yml").read_text())["jobs"].values()
        if job.get("uses") == "$/.github/workflows/publish-service.yml"
    ]
    # GitHub starts no job with more rights than the one that calls it.
    for each in called["jobs"].values():
        for right, level in each["permissions"].items():
            assert job["permissions"][right] in (level, "write")
    assert set(job["with"]) == set(called[True]["workflow_call"]["inputs"])
