"""Images of front ends, new and existing: built from a lock, served to anybody, configured at the start."""

import json
import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from tests.conftest import rows
from tests.engine import Container, attempt, build, docker, outcome, started
from tests.existing_code.front_ends import SETS, with_containers
from tests.image.conftest import Image
from tests.releases import commit
from tests.stand_ins import BROWSER, ensure, ensure_browser

pytestmark = pytest.mark.image

HERE = Path(__file__).parent
BASES = ("node:24-trixie-slim", "caddy:2.11-alpine")
ANYBODY = ("--read-only", "--user=12345:0", "--cap-drop=ALL", "--security-opt=no-new-privileges")
BUILT = rows([name for name in SETS if name != "static"], [])
"""Front ends with packages of Node.js."""


def tag_of(name: str) -> str:
    """Return the name of a front end's project and image."""
    return f"slipway-test-frontend-{name}"


@pytest.fixture(scope="module")
def base_images(engine: None) -> None:
    """Have the base images."""
    for image in BASES:
        ensure(image)


@pytest.fixture(scope="module")
def front_end(base_images: None, template: Path, tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """Return a function that adds containers to a front end, locks and commits it, once for each."""
    made: dict[str, Path] = {}

    def front_end(name: str) -> Path:
        if name not in made:
            folder = tmp_path_factory.mktemp("front-ends") / name
            with_containers(template, name, folder, project_name=tag_of(name))
            if name != "static":
                locked = build(folder, "--target=lock", f"--output={folder}")
                assert locked.returncode == 0, locked.output
                commit(folder, "Lock")
            made[name] = folder
        return made[name]

    return front_end


@pytest.fixture(scope="module")
def built(front_end: Callable[[str], Path], tags: list[str]) -> Callable[[str], str]:
    """Return a function that builds the production image of a front end, once for each."""

    def built(name: str) -> str:
        if tag_of(name) not in tags:
            variables = [f"--build-arg={each}=of-the-build" for each in SETS[name].get("public_variables", [])]
            done = build(front_end(name), f"--tag={tag_of(name)}", *(variables if name != "static" else []))
            assert done.returncode == 0, done.output
            tags.append(tag_of(name))
        return tag_of(name)

    return built


@pytest.fixture
def serve(built: Callable[[str], str]) -> Iterator[Callable[..., str]]:
    """Yield a function that runs a front end as any user on a read-only root; the server must stop in peace."""
    with ExitStack() as stack:

        def serve(name: str, **variables: str) -> str:
            options = [f"--env={key}={value}" for key, value in variables.items()]
            container = stack.enter_context(started(built(name), *ANYBODY, *options, port=8080))
            assert container.healthy()
            stack.callback(stop, container)
            return container.url

        yield serve


def stop(container: Container) -> None:
    """Stop a container, which must exit with 0."""
    docker("stop", "--time=20", container.name)
    assert container.exit_code() == 0, container.log()


@pytest.mark.exhaustive
def test_a_new_front_end_is_served_with_caching_and_compression(serve: Callable[..., str]) -> None:
    url = serve("starter", API_URL="https://api.example/v1")
    page = httpx.get(f"{url}/a/page/of/the/app", headers={"Accept-Encoding": "gzip"})
    assert page.status_code == 200
    assert page.headers["Cache-Control"] == "no-cache"
    assert page.headers["Content-Encoding"] == "gzip"
    assert page.headers["X-Content-Type-Options"] == "nosniff"
    assert "connect-src 'self' https://api.example;" in page.headers["Content-Security-Policy"]
    script = page.text.split('src="/assets/')[1].split('"')[0]
    found = httpx.get(f"{url}/assets/{script}")
    assert found.headers["Content-Type"].startswith("text/javascript")
    assert found.headers["Cache-Control"] == "public, max-age=31536000, immutable"
    missing = httpx.get(f"{url}/assets/missing.js")
    assert (missing.status_code, missing.headers["Cache-Control"]) == (404, "no-store")
    assert httpx.post(f"{url}/api/predict").status_code == 502  # there is no API in this test


def test_pages_without_a_build_are_served_and_nothing_else(serve: Callable[..., str]) -> None:
    url = serve("static")
    assert "<h1>Wells</h1>" in httpx.get(url).text
    assert "About wells" in httpx.get(f"{url}/about").text
    assert httpx.get(f"{url}/styles/page.css").headers["Content-Type"].startswith("text/css")
    for path in ("missing", ".gitignore", ".copier-answers.yml", "Dockerfile", "compose.yaml", "docker/entrypoint.sh"):
        found = httpx.get(f"{url}/{path}")
        assert (found.status_code, "No such page" in found.text) == (404, True), path


@pytest.mark.parametrize("value", ["Kent", "</script>\"'`\\${x}\u2028é\nline"])
def test_public_variables_are_those_of_the_container(value: str, serve: Callable[..., str]) -> None:
    found = httpx.get(f"{serve('static', COUNTY=value)}/env.js")
    assert found.headers["Cache-Control"] == "no-store"
    assert "</script>" not in found.text
    read = (
        "globalThis.window = {}; eval(require('fs').readFileSync(0, 'utf8')); console.log(JSON.stringify(window.env))"
    )
    done = subprocess.run(["node", "-e", read], input=found.text, capture_output=True, text=True, check=True)
    assert yaml.safe_load(done.stdout) == {"COUNTY": value}


def test_unset_variables_are_left_out(serve: Callable[..., str]) -> None:
    assert httpx.get(f"{serve('static')}/env.js").text.strip() == "window.env = Object.freeze({});"


@pytest.mark.exhaustive
@pytest.mark.parametrize("variable", ["API_ADDRESS=api:8000", 'API_URL=https://a"b', "API_ADDRESS=http://a\nb"])
def test_a_wrong_address_stops_the_container(variable: str, built: Callable[[str], str]) -> None:
    done = outcome(built("starter"), options=(*ANYBODY, "--env", variable))
    assert done.returncode == 1
    assert done.stderr.startswith(f"entrypoint: {variable.partition('=')[0]}: ")


@pytest.mark.parametrize("name", rows(["static", "starter", "vite"], ["static"]))
def test_the_image_has_the_files_and_the_server_alone(name: str, built: Callable[[str], str]) -> None:
    for program in ("node", "npm"):
        assert outcome(built(name), "which", program).returncode == 1
    listed = outcome(built(name), "ls", "-A", "/srv").stdout.split()
    assert "index.html" in listed
    assert not {"docker", "node_modules", "package.json", "src", ".git"} & set(listed)


@pytest.mark.parametrize("name", BUILT)
def test_their_tests_pass_in_development(name: str, front_end: Callable[[str], Path]) -> None:
    folder = front_end(name)
    try:
        done = build(folder, "--target=dev", f"--tag={tag_of(name)}-dev")
        assert done.returncode == 0, done.output
        command = SETS[name].get("test_command", f"{SETS[name].get('node_package_manager', 'npm')} test")
        tested = attempt("compose", "run", "--rm", "dev", *command.split(), cwd=folder)
        assert tested.returncode == 0, tested.stdout + tested.stderr
        assert {path.lstat().st_uid for path in folder.rglob("*")} == {folder.stat().st_uid}
    finally:
        attempt("compose", "--profile=*", "down", "--volumes", cwd=folder)
        attempt("image", "rm", "--force", f"{tag_of(name)}-dev")


@pytest.mark.exhaustive
def test_a_next_app_reads_variables_at_the_start(serve: Callable[..., str]) -> None:
    url = serve("next", STATION="Wye", NEXT_PUBLIC_MAP="of-the-start")
    page = httpx.get(url).text.replace("<!-- -->", "")
    assert "Highest: 2.25 m" in page
    assert "Station: Wye" in page
    assert "Map: of-the-build" in page
    assert httpx.get(f"{url}/api/levels").json() == {"levels": [1.5, 2.25]}


@pytest.mark.exhaustive
def test_a_vite_app_has_what_its_scripts_and_its_build_make(serve: Callable[..., str]) -> None:
    url = serve("vite", VITE_API_URL="of-the-start")
    script = httpx.get(url).text.split('src="/assets/')[1].split('"')[0]
    assert "of-the-build" in httpx.get(f"{url}/assets/{script}").text
    assert "of-the-start" in httpx.get(f"{url}/env.js").text


@pytest.mark.exhaustive
def test_a_missing_lock_is_named_with_the_command(front_end: Callable[[str], Path], tmp_path: Path) -> None:
    folder = shutil.copytree(front_end("vite"), tmp_path / "unlocked")
    (folder / "pnpm-lock.yaml").unlink()
    done = build(folder)
    assert done.returncode != 0
    assert (
        "packages: there is no pnpm-lock.yaml; create it with: docker build --target lock --output . ." in done.output
    )


@pytest.fixture(scope="module")
def browser(base_images: None, tags: list[str]) -> str:
    """Return the name of an image with a browser."""
    ensure_browser()
    tags.append(BROWSER)
    return BROWSER


@pytest.fixture
def network() -> Iterator[str]:
    """Yield a network of containers."""
    name = docker("network", "create", "slipway-test-frontend").stdout.strip()
    yield name
    attempt("network", "rm", name)


@pytest.mark.exhaustive
def test_a_browser_shows_predictions_of_a_generated_api(
    image: Callable[[str], Image], built: Callable[[str], str], browser: str, network: str, tmp_path: Path
) -> None:
    tmp_path.chmod(0o777)

    def browse(key: str) -> dict[str, Any]:
        mounts = (f"--volume={HERE / 'browse.mjs'}:/browser/browse.mjs:ro", f"--volume={tmp_path}:/screenshots")
        command = ("node", "browse.mjs", "http://frontend:8080/some/page", "user-7", key, "/screenshots")
        done = outcome(browser, *command, options=(f"--network={network}", *mounts))
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    on_network = (f"--network={network}", "--network-alias")
    with (
        started(image("small").name, *on_network, "api") as api,
        started(built("starter"), *ANYBODY, *on_network, "frontend", port=8080),
    ):
        docker("exec", api.name, "my-project", "train")
        api.ready()
        seen = browse("")
        expected = httpx.post(f"{api.url}/predict", json={"inputs": "user-7"}).json()
        assert seen["rows"] == ["NameScore", *(f"{each['item']}{each['score']:.3f}" for each in expected)]
        assert (seen["title"], seen["errors"], seen["overflow"]) == (tag_of("starter"), [], 0)
        assert seen["light"]["background"] != seen["dark"]["background"]
        assert min(seen["light"]["contrast"], seen["dark"]["contrast"]) >= 4.5  # WCAG 2, level AA

        key = docker("exec", api.name, "my-project", "keys", "make", "browser").stdout.split()[-1]
        api.until(lambda: httpx.post(f"{api.url}/predict", json={"inputs": "user-7"}).status_code == 401, "locked")
        with_key = browse(key)
        assert with_key["alerts"] == ["The API needs a valid key."]
        assert with_key["rows"] == seen["rows"]
