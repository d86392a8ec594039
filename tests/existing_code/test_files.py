"""Adding containers to a repository adds files and keeps its own."""

import re
from pathlib import Path

import pytest
import yaml

from tests.conftest import rows
from tests.existing_code.repositories import SHAPES, add_containers, given, repository
from tests.program import run
from tests.releases import as_options, assert_clean, commit, copier, git, releases

COMPOSE = ["compose.yaml", "compose.yml", "docker-compose.yml", "docker-compose.yaml"]
"""Names that `docker compose` reads."""


@pytest.mark.parametrize("name", SHAPES)
def test_files_are_only_added(name: str, template: Path, tmp_path: Path) -> None:
    folder = repository(name, tmp_path / name)
    done = add_containers(template, folder, **SHAPES[name].answers)
    assert done.returncode == 0, done.stderr
    status = git(folder, "status", "--porcelain").splitlines()
    assert status and all(line.startswith("?? ") for line in status)
    answers = yaml.safe_load((folder / ".copier-answers.yml").read_text())
    assert answers["project_name"] == name


def test_a_second_copy_changes_nothing(template: Path, tmp_path: Path) -> None:
    folder = given(template, "requirements-only", tmp_path / "theirs")
    done = add_containers(template, folder, **SHAPES["requirements-only"].answers)
    assert done.returncode == 0, done.stderr
    assert git(folder, "status", "--porcelain") == ""


def test_uncommitted_work_stays_and_is_spoken_of(template: Path, tmp_path: Path) -> None:
    folder = repository("monorepo", tmp_path / "theirs")
    (folder / "README.md").write_text("Not committed.\n")
    done = add_containers(template, folder, **SHAPES["monorepo"].answers)
    assert done.returncode == 0, done.stderr
    assert "Commit or stash" in done.stderr
    assert (folder / "README.md").read_text() == "Not committed.\n"


def test_a_file_that_is_in_the_way_stays_and_stops_the_copy(template: Path, tmp_path: Path) -> None:
    folder = repository("requirements-only", tmp_path / "theirs")
    done = add_containers(template, folder, **{**SHAPES["requirements-only"].answers, "keep": []})
    assert done.returncode == 1
    assert "keep" in done.stderr
    assert not [line for line in git(folder, "status", "--porcelain").splitlines() if not line.startswith("?? ")]
    git(folder, "clean", "--quiet", "--force", "-d")  # as the guide says
    done = add_containers(template, folder, **SHAPES["requirements-only"].answers)
    assert done.returncode == 0, done.stderr


def test_an_update_brings_ours_and_keeps_theirs(template: Path, tmp_path: Path) -> None:
    newer = tmp_path / "template"
    git(template, "clone", "--quiet", template, newer)
    folder = given(newer, "requirements-only", tmp_path / "theirs")
    (folder / "docker/packages.txt").write_text("libgomp1\n")
    compose = folder / "slipway.compose.yaml"
    compose.write_text(compose.read_text().replace("restart: unless-stopped", "restart: always"))
    commit(folder, "Our own work")
    script = newer / "template/existing/{{ docker_folder }}/precompile.py.jinja"
    script.write_text(script.read_text() + "# New\n")
    page = newer / "template/existing/{{ docker_folder }}/README.md.jinja"
    page.write_text(page.read_text() + "\nNew.\n")
    packages = newer / "template/existing/{{ docker_folder }}/packages.txt"
    packages.write_text("# New\n")
    commit(newer, "Next", "1000.0.0")
    theirs = {path: path.read_bytes() for path in folder.rglob("*.py") if "docker" not in path.parts}
    done = copier("update", "--defaults", "--quiet", cwd=folder)
    assert done.returncode == 0, done.stderr
    assert_clean(folder)
    assert (folder / "docker/precompile.py").read_text().endswith("# New\n")
    assert (folder / "docker/packages.txt").read_text() == "libgomp1\n"
    assert "restart: always" in compose.read_text()
    assert {path: path.read_bytes() for path in theirs} == theirs
    changed = re.findall(r"^.. (.*)$", git(folder, "status", "--porcelain"), re.MULTILINE)
    assert sorted(changed) == [".copier-answers.yml", "docker/README.md", "docker/precompile.py"]


def test_the_workflow_follows_the_default_branch_and_tests_only_what_has_tests(template: Path, tmp_path: Path) -> None:
    tested = {"yes": {"image", "test"}, "no": {"image"}}
    for name, jobs in tested.items():
        folder = repository("monorepo", tmp_path / name)
        answers = {**SHAPES["monorepo"].answers, "test_command": "pytest" if name == "yes" else ""}
        assert add_containers(template, folder, **answers).returncode == 0
        workflow = yaml.load((folder / ".github/workflows/containers.yml").read_text(), yaml.BaseLoader)
        assert set(workflow["jobs"]) == jobs
        assert not workflow["on"]["push"]  # each push is seen, whatever the default branch is called
        wanted = "github.event_name != 'push' || github.ref_name == github.event.repository.default_branch"
        assert {job["if"] for job in workflow["jobs"].values()} == {wanted}
        assert ("run --rm dev pytest" in (folder / "docker/README.md").read_text()) == (name == "yes")


@pytest.mark.parametrize("name", rows(COMPOSE, ["docker-compose.yml"]))
def test_a_compose_file_of_theirs_is_noticed_and_stays(name: str, template: Path, tmp_path: Path) -> None:
    folder = repository("monorepo", tmp_path / "theirs")
    (folder / name).write_text("services: {theirs: {image: python}}\n")
    commit(folder, "Our own compose file")
    refused = add_containers(template, folder, **SHAPES["monorepo"].answers, keep=[])
    assert refused.returncode == 1
    assert f"keep: {name} is in the repository" in refused.stderr and "Traceback" not in refused.stderr
    assert git(folder, "status", "--porcelain") == ""
    done = add_containers(template, folder, **SHAPES["monorepo"].answers)
    assert done.returncode == 0, done.stderr
    assert "Your compose file stays" in done.stderr
    assert (folder / "slipway.compose.yaml").exists() and (folder / name).read_text().startswith("services: {theirs")
    read = run(["docker", "compose", "config", "--services"], cwd=folder)
    assert read.stdout.split() == ["theirs"], read.stderr


def test_a_folder_docker_of_theirs_stays_and_ours_has_another_name(template: Path, tmp_path: Path) -> None:
    folder = repository("monorepo", tmp_path / "theirs")
    (folder / "docker").mkdir()
    theirs = {folder / "docker" / name: f"Our {name}\n" for name in ("entrypoint.sh", "README.md", "lock.py")}
    for path, text in theirs.items():
        path.write_text(text)
    commit(folder, "Our own folder")
    done = add_containers(template, folder, **{**SHAPES["monorepo"].answers, "keep": ["docker"], "ci": "gitlab"})
    assert done.returncode == 0, done.stderr
    assert {path: path.read_text() for path in theirs} == theirs
    status = git(folder, "status", "--porcelain", "--untracked-files=all").splitlines()
    ours = [folder / line.removeprefix("?? ") for line in status]
    assert folder / "slipway/lock.py" in ours and not [path for path in ours if path.parent == folder / "docker"]
    named = [line for path in ours for line in path.read_text().splitlines() if re.search(r"(?<![\w/])docker/\w", line)]
    program = "slipway/update.py"  # the same in every project
    assert [line for line in named if line not in (folder / program).read_text()] == []
    assert "slipway/" in (folder / "Dockerfile").read_text()


def test_containers_of_the_last_release_stay_and_become_a_system_by_answers(template: Path, tmp_path: Path) -> None:
    folder = repository("system", tmp_path / "system")
    release = next(reversed(releases()))
    answers = {"preset": "existing", "torch_version": "none", "api_app": "dashboard.main:app"}
    done = copier("copy", "--defaults", "--vcs-ref", release, *as_options(answers), template, ".", cwd=folder)
    assert done.returncode == 0, done.stderr
    commit(folder, "Add containers")
    done = copier("update", "--skip-answered", "--quiet", cwd=folder)
    assert done.returncode == 0, done.stderr
    assert_clean(folder)
    stored = yaml.safe_load((folder / ".copier-answers.yml").read_text())
    assert (stored["processes"], stored["environment"], stored["services"]) == ({}, {}, [])
    assert list(yaml.safe_load((folder / "compose.yaml").read_text())["services"]) == ["api"]
    commit(folder, "Update")
    system = {"processes": {"worker": {"command": "celery --app dashboard.tasks worker"}}, "services": ["redis"]}
    done = copier("update", "--defaults", "--quiet", "--vcs-ref=:current:", *as_options(system), cwd=folder)
    assert done.returncode == 0, done.stderr
    assert_clean(folder)
    assert git(folder, "ls-files", "--others", "--exclude-standard").split() == ["docker/secrets.sh"]
    assert re.findall(r"^  (\w+):$", (folder / "compose.yaml").read_text(), re.MULTILINE)[:3] == [
        "api",
        "worker",
        "redis",
    ]
