"""The command adopt, run as a program on a repository."""

import os
import subprocess
import sys
from pathlib import Path

import yaml

from tests.adopt.corpus import shapes
from tests.releases import ROOT, commit, git

ADOPT = [sys.executable, "-m", "adopt"]


def repository(name: str, folder: Path) -> Path:
    shape = next(shape for shape in shapes() if shape.name == name)
    written = shape.write(folder / name)
    commit(written, "Theirs")
    return written


def adopt(*words: str | Path) -> "subprocess.CompletedProcess[str]":
    return subprocess.run([*ADOPT, *words], cwd=ROOT, capture_output=True, text=True, stdin=subprocess.DEVNULL)


def test_yes_adds_containers_and_changes_no_file(tmp_path: Path) -> None:
    folder = repository("requirements-only", tmp_path)

    done = adopt("--yes", folder)

    assert done.returncode == 0, done.stderr
    assert "api.main:app" in done.stdout and "Dockerfile:8" in done.stdout
    assert not git(folder, "diff", "--stat")
    stored = yaml.safe_load((folder / ".copier-answers.yml").read_text())
    assert stored["api_app"] == "api.main:app" and stored["keep"] == ["Dockerfile", "compose.yaml"]
    assert (folder / "slipway.Dockerfile").exists()


def test_print_gives_answers_that_can_be_read_and_changes_nothing(tmp_path: Path) -> None:
    folder = repository("flat", tmp_path)

    done = adopt("--print", folder)

    assert done.returncode == 0, done.stderr
    assert yaml.safe_load(done.stdout)["commands"]["align"] == "python align.py --config configs/align.yaml"
    assert done.stdout.startswith("# copier copy --defaults --data-file FILE")
    assert not git(folder, "status", "--porcelain")


def test_without_terminal_it_says_which_options_to_give(tmp_path: Path) -> None:
    folder = repository("flat", tmp_path)

    done = adopt(folder)

    assert done.returncode == 1
    assert done.stderr == "adopt: this is no terminal; take all answers with --yes, or print them with --print\n"
    assert not git(folder, "status", "--porcelain")


def test_system_packages_are_listed_in_the_new_file(tmp_path: Path) -> None:
    folder = repository("notebooks", tmp_path)

    done = adopt("--yes", folder)

    assert done.returncode == 0, done.stderr
    assert "libgomp1" in (folder / "docker/packages.txt").read_text().splitlines()


def test_the_page_that_is_named_exists_beside_a_docker_folder_of_theirs(tmp_path: Path) -> None:
    folder = repository("own-docker-folder", tmp_path)

    done = adopt("--yes", folder)

    assert done.returncode == 0, done.stderr
    assert "slipway/README.md has the commands." in done.stdout
    assert (folder / "slipway/README.md").exists()


def test_a_file_in_the_way_stops_before_anything_is_written(tmp_path: Path) -> None:
    folder = repository("flat", tmp_path)
    (folder / "compose.override.yaml").write_text("services: {}\n")
    commit(folder, "Ours")

    done = adopt("--yes", folder)

    assert done.returncode == 1
    assert done.stderr == "adopt: your files compose.override.yaml are in the way of new ones; rename them first\n"
    assert not git(folder, "status", "--porcelain")


def test_a_system_is_proposed_as_a_workspace(tmp_path: Path) -> None:
    folder = repository("monorepo-system", tmp_path)

    shown, refused = adopt("--print", folder), adopt("--yes", folder)

    services = next(yaml.safe_load_all(shown.stdout.split("# Commands")[0]))["services"]
    assert services["advice"] == {
        "folder": "services/advice",
        "preset": "existing",
        "path": "/advice",
        "port": 8003,
        "health": "/healthz",
    }
    web, admin = services["web"], services["admin"]
    assert web == {"folder": "apps/web", "preset": "frontend", "path": "/", "port": 8001, "health": "/"}
    assert admin == {
        "folder": "apps/admin",
        "preset": "frontend",
        "host": "admin.${DOMAIN}",
        "port": 8002,
        "health": "/",
    }
    (folder / "services.yml").write_text(shown.stdout.split("# Commands")[0])
    check = f"import workspace.inventory as i, pathlib; print(len(list(i.read(pathlib.Path({str(folder)!r})))))"
    tools = {"PYTHONPATH": str(ROOT / "template/workspace/tools"), "PYTHONDONTWRITEBYTECODE": "1"}
    read = subprocess.run([sys.executable, "-c", check], env=os.environ | tools, capture_output=True, text=True)
    assert (read.stdout, read.stderr) == (f"{len(services)}\n", "")
    (folder / "services.yml").unlink()
    assert "--data frontend=next --data node_package_manager=pnpm" in shown.stdout
    assert refused.returncode == 1 and "name one with --project" in refused.stderr
    assert not git(folder, "status", "--porcelain")


def test_one_project_of_several_is_adopted(tmp_path: Path) -> None:
    folder = repository("monorepo-system", tmp_path)

    done = adopt("--yes", "--project", "services/advice", folder)

    assert done.returncode == 0, done.stderr
    stored = yaml.safe_load((folder / ".copier-answers.yml").read_text())
    assert stored["working_folder"] == "services/advice" and stored["health_route"] == "/healthz"


def test_processes_and_addresses_go_into_the_answers(tmp_path: Path) -> None:
    folder = repository("fastapi-celery", tmp_path)

    done = adopt("--print", folder)

    given = yaml.safe_load(done.stdout)
    assert given["processes"]["migrate"] == {"command": "alembic upgrade head", "once": True}
    assert given["processes"]["worker"]["scale"] == 2
    assert given["services"] == ["postgres", "redis"]
    assert given["environment"] == {"REDIS_URL": "redis://:{broker_password}@redis:6379/0"}


def test_answers_that_the_template_refuses_end_with_its_line(tmp_path: Path) -> None:
    folder = repository("pipfile", tmp_path)

    done = adopt("--yes", folder)

    assert done.returncode == 1
    assert done.stderr.startswith("adopt: Copier refused the answers: requirements_file: Pipfile is not a list of")
    assert done.stderr.count("\n") == 1 and "dict object" not in done.stderr
    assert not git(folder, "status", "--porcelain")
