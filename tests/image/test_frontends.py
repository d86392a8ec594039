"""Images of front ends: built from a lock, served to anybody, configured at the start."""

from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest
from pytest_copie.plugin import Copie

from tests.answers import Answer
from tests.engine import attempt, build, docker, exists, outcome, started
from tests.releases import commit, git

pytestmark = [pytest.mark.image, pytest.mark.exhaustive]

HERE = Path(__file__).parent
STAND_INS = {"node:24-trixie-slim": "node", "caddy:2.11-alpine": "caddy"}
"""Published images, and the Dockerfiles of their stand-ins for machines that have no registry."""
ANYBODY = ("--read-only", "--user=12345:0", "--cap-drop=ALL", "--security-opt=no-new-privileges")
SETS: dict[str, dict[str, Answer]] = {"starter": {}}


@pytest.fixture(scope="module")
def base_images(engine: None) -> None:
    """Build the base images that this machine lacks."""
    for image, name in STAND_INS.items():
        if not exists(image) and attempt("pull", "--quiet", image).returncode:
            docker("build", f"--tag={image}", "-", input=(HERE / f"{name}.dockerfile").read_text())


@pytest.fixture(scope="module")
def front_end(base_images: None, template: Path, copie_session: Copie) -> Callable[[str], Path]:
    """Return a function that generates, locks and commits the front end of a set of answers, once for each."""
    made: dict[str, Path] = {}

    def front_end(name: str) -> Path:
        if name not in made:
            data = {"preset": "frontend", "project_name": f"slipway-test-{name}", **SETS[name]}
            result = copie_session.copy(extra_answers=data, template_dir=template)
            assert result.project_dir, result.exception
            locked = build(result.project_dir, "--target=lock", f"--output={result.project_dir}")
            assert locked.returncode == 0, locked.output
            git(result.project_dir, "init", "--quiet")
            commit(result.project_dir, "Start")
            made[name] = result.project_dir
        return made[name]

    return front_end


@pytest.fixture(scope="module")
def image(front_end: Callable[[str], Path], tags: list[str]) -> Callable[[str], str]:
    """Return a function that builds the production image of a front end, once for each."""

    def image(name: str) -> str:
        tag = f"slipway-test-{name}"
        if tag not in tags:
            done = build(front_end(name), f"--tag={tag}")
            assert done.returncode == 0, done.output
            tags.append(tag)
        return tag

    return image


@pytest.fixture
def starter(image: Callable[[str], str]) -> Iterator[str]:
    """Yield the address of the starter, run as any user on a read-only root."""
    with started(image("starter"), *ANYBODY, "--env=API_URL=https://api.example/v1", port=8080) as container:
        assert container.healthy()
        yield container.url
        docker("stop", "--time=20", container.name)
        assert container.exit_code() == 0, container.log()


def test_a_new_front_end_is_served_with_caching_and_compression(starter: str) -> None:
    page = httpx.get(f"{starter}/a/page/of/the/app", headers={"Accept-Encoding": "gzip"})
    assert page.status_code == 200
    assert page.headers["Cache-Control"] == "no-cache"
    assert page.headers["Content-Encoding"] == "gzip"
    assert page.headers["X-Content-Type-Options"] == "nosniff"
    assert "connect-src 'self' https://api.example;" in page.headers["Content-Security-Policy"]
    script = page.text.split('src="/assets/')[1].split('"')[0]
    found = httpx.get(f"{starter}/assets/{script}")
    assert found.headers["Content-Type"].startswith("text/javascript")
    assert found.headers["Cache-Control"] == "public, max-age=31536000, immutable"
    missing = httpx.get(f"{starter}/assets/missing.js")
    assert (missing.status_code, missing.headers["Cache-Control"]) == (404, "no-store")


def test_public_variables_are_those_of_the_container(starter: str) -> None:
    found = httpx.get(f"{starter}/env.js")
    assert found.text.strip() == 'window.env = Object.freeze({"API_URL":"https://api.example/v1"});'
    assert found.headers["Cache-Control"] == "no-store"


@pytest.mark.parametrize("variable", ["API_ADDRESS=api:8000", 'API_URL=https://a"b', "API_ADDRESS=http://a\nb"])
def test_a_wrong_address_stops_the_container_with_one_line(variable: str, image: Callable[[str], str]) -> None:
    done = outcome(image("starter"), options=(*ANYBODY, "--env", variable))
    assert done.returncode == 1
    assert done.stderr.startswith(f"entrypoint: {variable.partition('=')[0]}: ")


def test_the_image_has_the_built_files_and_the_server_alone(image: Callable[[str], str]) -> None:
    for program in ("node", "npm"):
        assert outcome(image("starter"), "which", program).returncode == 1
    listed = outcome(image("starter"), "ls", "/srv").stdout.split()
    assert sorted(listed) == ["assets", "env.js", "icon.svg", "index.html"]
