"""The compose files of a system, as Compose reads them."""

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.conftest import need_program
from tests.engine import docker
from tests.existing_code.repositories import GUIDE, fences
from tests.trees import rendered

GUIDED: dict[str, Any] = yaml.safe_load(fences(GUIDE, "yaml")[0])
WITHOUT_API: dict[str, Any] = {
    "preset": "existing",
    "torch_version": "none",
    "services": ["redis"],
    "environment": {"PRICE": '5 $ or "6" {x} ${HOME}', "SECRET_KEY": "{session_secret}"},
    "processes": {
        "web": {
            "command": "flask run --port '80 80'",
            "port": 5000,
            "health": "/health",
            "working_folder": "src",
            "waits_for": [],
        },
        "worker": {"command": "rq worker", "health": 'test -e "$HOME"', "waits_for": ["web", "redis"]},
        "warm": {"command": "python -m warm", "once": True, "waits_for": ["web"]},
        "late": {"command": "sh -c 'echo \"$A\" && sleep 1'", "waits_for": []},
    },
}


@pytest.fixture(scope="module")
def systems(template: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Return the files of two systems, one whose API is `api_app`, and one of processes alone."""
    need_program("docker")
    trees = rendered([GUIDED, WITHOUT_API], template, tmp_path_factory.mktemp("systems"))
    return dict(zip(("guided", "without api"), (tree.path for tree in trees), strict=True))


def read(folder: Path, *files: str) -> dict[str, Any]:
    """Return the services of compose files, as Compose merges them."""
    options = [f"--file={folder / file}" for file in files]
    found = docker("compose", *options, "--profile=*", "config", "--format=json", "--no-interpolate")
    services: dict[str, Any] = json.loads(found.stdout)["services"]
    return services


def conditions(service: dict[str, Any]) -> dict[str, str]:
    """Return what a service waits for, and until when."""
    return {name: each["condition"].removeprefix("service_") for name, each in service.get("depends_on", {}).items()}


def test_everything_waits_for_the_services_and_for_what_runs_once(systems: dict[str, Path]) -> None:
    services = read(systems["guided"], "compose.yaml")
    ready = {"postgres": "healthy", "redis": "healthy"}
    assert conditions(services["migrate"]) == ready
    for name in ("api", "worker", "beat", "flower", "report"):
        assert conditions(services[name]) == {**ready, "migrate": "completed_successfully"}, name
    without = read(systems["without api"], "compose.yaml")
    assert conditions(without["worker"]) == {"web": "healthy", "redis": "healthy"}
    assert conditions(without["warm"]) == {"web": "healthy"}
    assert conditions(without["late"]) == conditions(without["web"]) == {}


def test_processes_are_the_image_in_containers_as_closed_as_the_api(systems: dict[str, Path]) -> None:
    for folder, main in (("guided", "api"), ("without api", "cli")):
        services = read(systems[folder], "compose.yaml")
        own = {name: each for name, each in services.items() if each["image"] == services[main]["image"]}
        assert len(own) >= 5
        for name, service in own.items():
            for key in ("read_only", "cap_drop", "security_opt", "tmpfs", "secrets", "networks"):
                assert service[key] == services[main][key], f"{name}: {key}"
            assert all(mount["type"] == "volume" or mount["read_only"] for mount in service["volumes"]), name
            assert ("profiles" in service) == (name == "cli")
        built = [name for name, service in own.items() if "build" in service and name != "cli"]
        assert built == [main if main == "api" else "web"]


def test_each_process_has_a_check_of_its_own(systems: dict[str, Path]) -> None:
    services = read(systems["guided"], "compose.yaml")
    tests = {name: each.get("healthcheck", {}).get("test") for name, each in services.items()}
    assert tests["api"] is None, "the image has it"
    assert tests["flower"] == ["CMD", "healthcheck", "5555", "/healthcheck"]
    assert tests["worker"][:4] == ["CMD", "entrypoint", "sh", "-c"]
    assert tests["beat"] == tests["migrate"] == ["CMD", "true"]
    assert services["beat"]["container_name"].endswith("-beat-1")
    assert "container_name" not in services["worker"]


def test_commands_and_variables_arrive_as_they_were_given(systems: dict[str, Path]) -> None:
    services = read(systems["without api"], "compose.yaml")
    assert services["web"]["command"] == ["flask", "run", "--port", "80 80"]
    assert services["web"]["working_dir"] == "/app/src"
    assert services["late"]["command"] == ["sh", "-c", 'echo "$$A" && sleep 1']
    assert services["worker"]["environment"]["PRICE"] == '5 $$ or "6" {x} $${HOME}'
    assert {each["source"] for each in services["worker"]["secrets"]} == {"broker_password", "session_secret"}


def test_the_proxy_takes_the_ports_of_the_api_and_lets_it_be_scaled(systems: dict[str, Path]) -> None:
    alone = read(systems["guided"], "compose.yaml")
    behind = read(systems["guided"], "compose.yaml", "compose.tls.yaml")
    assert alone["api"]["ports"] and "scale" not in alone["api"]
    assert "ports" not in behind["api"] and behind["api"]["scale"] == 3
    assert behind["worker"]["scale"] == 2 and "ports" not in behind["worker"]
    assert {port.rpartition(":")[2] for port in behind["proxy"]["ports"]} == {"80", "443", "443/udp"}


def test_development_mounts_the_code_and_restarts_what_is_no_api(systems: dict[str, Path]) -> None:
    services = read(systems["guided"], "compose.yaml", "compose.override.yaml")
    for name in ("api", "migrate", "worker", "beat", "flower", "report", "dev"):
        assert any(mount["target"] == "/app" for mount in services[name]["volumes"]), name
        assert services[name]["image"].endswith("-dev")
    assert services["worker"]["command"][0] == services["beat"]["command"][0] == "watchfiles"
    assert services["worker"]["command"][3] == "entrypoint celery --app dashboard.tasks worker"
    assert services["migrate"]["command"] == ["alembic", "upgrade", "head"]
    assert services["report"]["profiles"] == ["schedule"]
    assert conditions(services["dev"]) == {"postgres": "healthy", "redis": "healthy"}
