"""Work with back ends, front ends, PostgreSQL and Redis of one workspace, which a browser reaches through the proxy."""

import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
import yaml

from tests.engine import attempt, docker
from tests.existing_code.front_ends import THEIRS
from tests.project.customers import until
from tests.stand_ins import BROWSER, ensure, ensure_browser
from tests.workspace.system import System, new

pytestmark = [pytest.mark.image, pytest.mark.exhaustive, pytest.mark.timeout(1800)]

NODE = "node:24-trixie-slim"


@pytest.fixture(scope="module")
def system(template: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    """Yield a back end with PostgreSQL and Redis, another one, the new front end, and a front end of other people."""
    system = new(template, tmp_path_factory.mktemp("system"), "slipway-test-system-c")
    ensure(NODE)
    try:
        system.add("docs", "platform", "--data=services=[postgres]", "--data=training=manual")
        system.add("ocr", "custom")
        system.add("web", "frontend", "--data=api_address=http://docs:8000")
        shutil.copytree(THEIRS / "next", system.root / "services/levels")
        system.add("levels", "frontend", "--data=frontend=next", "--data=public_variables=[NEXT_PUBLIC_MAP]")
        (system.root / "services/levels/.env").write_text("STATION=Wye\n")
        system.start()
        yield system
    finally:
        system.remove()


@pytest.fixture(scope="module")
def browser() -> Iterator[None]:
    """Have the image with the browser."""
    ensure_browser()
    yield
    attempt("image", "rm", "--force", BROWSER)


@pytest.mark.usefixtures("browser")
def test_a_browser_shows_predictions_of_a_back_end(system: System, tmp_path: Path) -> None:
    tmp_path.chmod(0o777)
    visit = ("https://localhost/some/page", "user-7", "", "/screenshots")
    with system.proxy() as client:
        predicted = client.post("/docs/predict", json={"inputs": "user-7"}).json()
    seen = system.browser("browse.mjs", *visit, options=(f"--volume={tmp_path}:/screenshots",))
    assert (seen["title"], seen["errors"]) == ("web", [])
    assert seen["rows"] == ["NameScore", *(f"{each['item']}{each['score']:.3f}" for each in predicted)]


@pytest.mark.usefixtures("browser")
def test_a_browser_shows_a_front_end_on_a_host_of_its_own(system: System) -> None:
    seen = system.browser("visit.mjs", "https://levels.localhost/")
    assert (seen["title"], seen["errors"]) == ("River levels", [])
    assert "Highest: 2.25 m" in seen["text"] and "Station: Wye" in seen["text"]
    assert any(path.startswith("/_next/static/") for path in seen["loaded"])


def test_services_are_listed_with_their_addresses(system: System) -> None:
    rows = {line.split()[0]: line.split()[3:5] for line in system.succeed("services").splitlines()[1:]}
    assert rows == {
        "docs": ["/docs", "18001"],
        "ocr": ["/ocr", "18002"],
        "web": ["/", "18003"],
        "levels": ["levels.${DOMAIN}", "18004"],
    }
    assert httpx.get("http://127.0.0.1:18002/ready").status_code == 200


def test_logs_show_services_until_an_interruption(system: System) -> None:
    with system.proxy() as client:
        client.get("/ocr/nowhere", headers={"X-Request-ID": "asked-by-this-test"})
    command = ["make", "--silent", f"PYTHON={sys.executable}", "logs", "SERVICE=ocr"]
    with subprocess.Popen(
        command,
        cwd=system.root,
        start_new_session=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout
        shown = next(line for line in process.stdout if "asked-by-this-test" in line)
        os.killpg(process.pid, signal.SIGINT)
        rest, errors = process.communicate()
    assert all(line.startswith("ocr-api-1") for line in [shown, *rest.splitlines()])
    assert "Traceback" not in errors


ROUTE = """

@router.get("/edited")
def edited() -> str:
    return "edited"
"""


def test_an_edit_shows_in_development(system: System) -> None:
    routes, page = system.root / "services/ocr/src/ocr/routes.py", system.root / "services/web/src/App.tsx"
    before = {file: file.read_text() for file in (routes, page)}
    system.succeed("dev", "SERVICE=ocr web")
    try:
        with system.proxy() as client:
            until(lambda: client.get("/ocr/edited").status_code == 404, "the API")
            routes.write_text(before[routes] + ROUTE)
            until(lambda: client.get("/ocr/edited").text == '"edited"', "the edited API")
            page.write_text(before[page].replace('const TITLE = "web"', 'const TITLE = "Edited"'))
            until(lambda: "Edited" in client.get("/src/App.tsx").text, "the edited page")
    finally:
        for file, text in before.items():
            file.write_text(text)
    system.succeed("up")
    with system.proxy() as client:
        assert client.get("/ocr/edited").status_code == 404
        assert client.get("/ocr/ready").status_code == 200


BROKEN = '''"""Passes the linters, and fails."""


def test_broken() -> None:
    assert "a" in "b"
'''


def test_the_tests_of_services_run_beside_them(system: System) -> None:
    broken = system.root / "services/ocr/tests/test_broken.py"
    broken.write_text(BROKEN)
    running = system.compose("ps", "--quiet")
    try:
        done = system.make("test", "SERVICE=ocr web")
    finally:
        broken.unlink()
        attempt("image", "rm", "--force", "ocr-dev", "web-dev")
    assert done.returncode != 0
    assert "workspace: tests failed in ocr\n" in done.stderr
    assert re.findall(r"^== (\S+)$", done.stdout, re.MULTILINE) == ["ocr", "web"]
    assert "FAILED tests/test_broken.py" in done.stdout
    assert re.search(r"Tests .*\d+ passed", done.stdout)
    assert system.compose("ps", "--quiet") == running
    assert not docker("ps", "--all", "--quiet", f"--filter=name={system.name}-ocr-test").stdout


def test_a_service_starts_with_what_it_needs(system: System) -> None:
    services = system.root / "services.yml"
    content = yaml.safe_load(services.read_text())
    content["services"]["web"]["needs"] = ["docs"]
    services.write_text(yaml.safe_dump(content))
    system.succeed("down")
    assert not system.compose("ps", "--quiet")
    system.succeed("up", "SERVICE=web")
    running = set(system.compose("ps", "--services").split())
    assert running == {"docs-api", "docs-worker", "postgres", "redis", "web-frontend", "proxy"}
    with system.proxy() as client:
        assert client.post("/api/predict", json={"inputs": "user-7"}).status_code == 200
