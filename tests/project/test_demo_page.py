"""The demo page in real Chromium, with the tiny model of each project's own tests."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import need, need_program
from tests.installed import Make, tiny_model
from tests.program import run

pytestmark = pytest.mark.project

BROWSER = Path(__file__).with_name("browser")


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with Chromium, and with the script that uses the page."""
    folder = tmp_path_factory.mktemp("browser")
    shutil.copytree(BROWSER, folder, dirs_exist_ok=True)
    done = run([need_program("npm"), "install", "--no-audit", "--no-fund", "--ignore-scripts"], cwd=folder, timeout=300)
    need(done.returncode == 0, f"needs Chromium from npm: {done.stderr.strip()}")
    return folder


def visit(browser: Path, url: str, task: str, *key: str) -> dict[str, Any]:
    """Return what a visitor of the page sees."""
    script = [need_program("node"), "demo_page.mjs", f"{url}/", task, str(browser), *key]
    done = run(script, cwd=browser, timeout=300)
    assert done.returncode == 0, done.stderr
    facts: dict[str, Any] = json.loads(done.stdout)
    return facts


@pytest.mark.exhaustive
@pytest.mark.parametrize("task", ["feature-extraction", "text-generation", "image-classification"])
def test_a_visitor_gets_predictions_and_nothing_of_a_foreign_server(
    make_project: Make, browser: Path, tmp_path: Path, task: str
) -> None:
    project = make_project(package_manager="uv", hf_task=task)
    keys = tmp_path / "api_keys"
    settings = tiny_model(project, tmp_path) | {"MY_PROJECT_RUNTIME": "torch", "MY_PROJECT_API_KEYS_FILE": str(keys)}
    made = project.run("keys", "make", "visitor", **settings)
    assert made.returncode == 0, made.stderr
    with project.served(**settings, MY_PROJECT_DEMO="true") as server:
        facts = visit(browser, server.url, task, made.stdout.strip())
    assert facts["foreign"] == facts["problems"] == facts["unlabelled"] == []
    assert "API key" in facts["refused"]
    assert facts["focus"] == "key"
    assert facts["stored"] == [["api-key"], [], ""], "the session keeps the key, and nothing else does"
    assert len(facts["texts"]) >= 2
    assert not facts["attacked"]
    assert not facts["overflow"]
    assert facts["light"] != facts["dark"]
    assert facts["docs"] == "/docs"
