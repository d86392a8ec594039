"""Run every step of the workflows of generated projects."""

import base64
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest
from pytest_copie.plugin import Copie

from tests.conftest import rows
from tests.engine import attempt, build, docker
from tests.hosted import RUN, Hosted, docker_config, every_command, expressions, left_unrun, nameless, shell
from tests.hub import TOKEN, Hub
from tests.image.conftest import Registry
from tests.program import run
from tests.releases import git
from tests.trees import Tree
from tests.workflows import GITHUB, GITLAB, github_jobs, gitlab_jobs

pytestmark = pytest.mark.image


@pytest.fixture
def checkout(project: Callable[[str], Path], tmp_path: Path) -> Callable[[str], Path]:
    """Return a function that clones the project of a set of answers."""

    def checkout(name: str) -> Path:
        folder = tmp_path / "checkout"
        git(tmp_path, "clone", "--quiet", project(name), folder)
        return folder

    return checkout


@pytest.fixture
def clean(tags: list[str]) -> Iterator[Callable[[Path], None]]:
    """Yield a function that takes a project; at the end, remove its containers, volumes and images."""
    folders: list[Path] = []
    yield folders.append
    for folder in folders:
        attempt("compose", "--profile=*", "down", "--volumes", "--remove-orphans", "--timeout=1", cwd=folder)
        tags += attempt("compose", "--profile=*", "config", "--images", cwd=folder).stdout.split()


def test_github_lints_tests_and_tries_the_images_of_a_project(
    checkout: Callable[[str], Path], hub: Hub, clean: Callable[[Path], None]
) -> None:
    folder = checkout("dev")
    clean(folder)
    jobs = github_jobs(folder / GITHUB / "ci.yml", expressions())
    assert set(jobs) == {"test", "image"}
    runner = Hosted(folder, [f"HF_ENDPOINT={hub.endpoint}"])
    for steps in jobs.values():
        for step in steps:
            runner.step(step)
    assert runner.artifacts == ["coverage.xml"]
    assert git(folder, "status", "--porcelain", "--", "src", "tests", "uv.lock") == ""
    labels = docker("image", "inspect", "--format={{json .Config.Labels}}", "slipway-test-dev").stdout
    assert "0" * 40 in labels


@pytest.mark.exhaustive
def test_github_runs_the_integration_tests_with_the_token(
    checkout: Callable[[str], Path], hub: Hub, clean: Callable[[Path], None]
) -> None:
    folder = checkout("dev")
    clean(folder)
    (folder / ".env").write_text(f"HF_ENDPOINT={hub.endpoint}\n")
    already = len(hub.requests)
    runner = Hosted(folder)
    for step in github_jobs(folder / GITHUB / "integration.yml", expressions(TOKEN))["integration"]:
        runner.step(step)
    assert any(request.authorization for request in hub.requests[already:])


@pytest.fixture
def workflows_with_a_gpu(template: Path, copie_session: Copie) -> Callable[[str], Path]:
    """Return a function that generates a project with torch for a GPU and the CI of a service."""

    def generate(ci: str) -> Path:
        data = {"project_name": "My Project", "ci": ci, "accelerator": "cu130"}
        result = copie_session.copy(extra_answers=data, template_dir=template)
        assert result.project_dir, result.exception
        return result.project_dir

    return generate


@pytest.mark.exhaustive
def test_github_tests_a_project_with_a_gpu_on_the_runner_itself(
    checkout: Callable[[str], Path], hub: Hub, workflows_with_a_gpu: Callable[[str], Path]
) -> None:
    """Run the workflow of a GPU project on a project that installs without a GPU."""
    folder = checkout("small")
    file = workflows_with_a_gpu("github") / GITHUB / "ci.yml"
    runner = Hosted(folder)
    for step in github_jobs(file, expressions())["test"]:
        runner.step(step)
    assert runner.artifacts == ["coverage.xml"]


@pytest.mark.exhaustive
def test_gitlab_lints_tests_and_tries_the_images_and_caches_their_layers(
    checkout: Callable[[str], Path], registry: Registry, clean: Callable[[Path], None], tmp_path: Path
) -> None:
    folder = checkout("gitlab")
    clean(folder)
    jobs = gitlab_jobs(folder / GITLAB)
    assert set(jobs) == {"test", "production image"}
    given = {
        "CI_COMMIT_SHA": "0" * 40,
        "CI_REGISTRY": registry.outside,
        "CI_REGISTRY_IMAGE": f"{registry.outside}/a-group/a-project",
        "CI_REGISTRY_PASSWORD": "secret",
        "CI_REGISTRY_USER": "somebody",
        "DOCKER_CONFIG": str(docker_config(tmp_path / "docker")),
    }
    for job in jobs.values():
        assert job["services"]  # the job's engine; here this machine's replaces it, so leave out its address
        variables = {name: value for name, value in job["variables"].items() if not name.startswith("DOCKER_")}
        for command in [*job["before_script"], *job["script"]]:
            shell(folder, command, variables | given)
    assert (folder / jobs["test"]["artifacts"]["paths"][0]).stat().st_size > 0
    account = {"Authorization": f"Basic {base64.b64encode(b'somebody:secret').decode()}"}
    cached = httpx.get(f"http://{registry.outside}/v2/a-group/a-project/cache/tags/list", headers=account).json()
    assert sorted(cached["tags"]) == ["dev", "prod"]


@pytest.mark.exhaustive
def test_gitlab_tests_a_project_with_a_gpu_in_the_image_of_its_python(
    checkout: Callable[[str], Path], engine: None, workflows_with_a_gpu: Callable[[str], Path]
) -> None:
    """Run the job of a GPU project on a project that installs without a GPU."""
    folder = checkout("small")
    job = gitlab_jobs(workflows_with_a_gpu("gitlab") / GITLAB)["test"]
    script = [*job["before_script"], *job["script"]]
    RUN.update(nameless(command, folder) for command in script)
    mounted = [f"--volume={folder}:/builds/project", "--workdir=/builds/project"]
    docker("run", "--rm", *mounted, job["image"], "bash", "-ec", "\n".join(script), timeout=900)
    assert (folder / "coverage.xml").stat().st_size > 0


def ships(folder: Path) -> str:
    """Return the name of the production image in compose.yaml."""
    named = docker("compose", "--file=compose.yaml", "--profile=*", "config", "--images", cwd=folder).stdout.split()
    return named[0]


@pytest.mark.parametrize("name", rows(["own", "small", "volume"], ["small"]))
def test_the_image_that_ships_is_tried_whatever_its_model(
    name: str, image: Callable[[str], object], checkout: Callable[[str], Path], hub: Hub, clean: Callable[[Path], None]
) -> None:
    image(name)
    folder = checkout(name)
    clean(folder)
    docker("tag", f"slipway-test-{name}", ships(folder))
    (folder / ".env").write_text(f"HF_ENDPOINT={hub.endpoint}\n")
    shell(folder, "docker/smoke.sh", {})


@pytest.mark.exhaustive
def test_an_image_that_cannot_serve_is_found_out(
    checkout: Callable[[str], Path], image: Callable[[str], object], clean: Callable[[Path], None], tmp_path: Path
) -> None:
    image("uv")
    folder = checkout("uv")
    clean(folder)
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken/Dockerfile").write_text("FROM slipway-test-uv\nENV MY_PROJECT_MODEL=/nowhere\n")
    assert build(tmp_path / "broken", f"--tag={ships(folder)}").returncode == 0
    script = (folder / "docker/smoke.sh").read_text()
    assert "--wait-timeout 600" in script
    (folder / "docker/smoke.sh").write_text(script.replace("--wait-timeout 600", "--wait-timeout 40"))
    done = run(["docker/smoke.sh"], cwd=folder)
    assert done.returncode == 1
    assert "/nowhere" in done.stdout, done.stderr
    left = docker("ps", "--all", "--quiet", "--filter=label=com.docker.compose.project=my-project-smoke")
    assert left.stdout == ""


@pytest.mark.exhaustive
def test_gitlab_builds_with_every_set_of_options(
    checkout: Callable[[str], Path], clean: Callable[[Path], None], trees: list[Tree], tags: list[str]
) -> None:
    """Build one small project with an unreachable registry: a missing cache must not stop a build."""
    folder = checkout("gitlab")
    clean(folder)
    tags.append("127.0.0.1:1/none/dev")
    given = {
        "CI_COMMIT_SHA": "0" * 40,
        "CI_COMMIT_TAG": "v1.0",
        "CI_REGISTRY_IMAGE": "127.0.0.1:1/none",
        "HF_TOKEN": "",
    }
    builds = {command for command in every_command(trees) if command.startswith("docker build ")}
    assert builds
    for command in sorted(builds):
        shell(folder, command.replace("PROJECT", "slipway-test-gitlab"), given)


@pytest.mark.exhaustive
def test_no_step_of_any_workflow_was_left_unrun(trees: list[Tree], chosen: set[Path]) -> None:
    if not RUN:
        pytest.skip("the tests that run them were not chosen")
    assert left_unrun(trees, chosen) == set()
