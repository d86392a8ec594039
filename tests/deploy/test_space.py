"""`make space`: what the hub gets, with the real huggingface_hub, and one line for each mistake."""

import os
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import yaml

from tests.answers import Answer
from tests.conftest import need_program
from tests.deploy.space_hub import TOKEN, SpaceHub
from tests.program import run
from tests.trees import Tree, rendered

SPACE, IMAGE = "me/demo", "ghcr.io/me/my-project:1.2.3"


@pytest.fixture(scope="module")
def tree(template: Path, tmp_path_factory: pytest.TempPathFactory) -> Tree:
    """Return a project that is published as a Space."""
    answers = {"deploy": ["hf-space"], "hf_model": "me/model", "project_name": "It's a: name"}
    return rendered([answers], template, tmp_path_factory.mktemp("space"))[0]


def publish(tree: Tree, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run the program of `make space`, without a token of this machine."""
    environment = {**os.environ, "HF_HOME": str(tree.path / "none"), "HF_TOKEN": "", **variables}
    program = tree.path / "deploy/hf-space/publish.py"
    return run([sys.executable, program, *arguments], env=environment, cwd=tree.path.parent)


def test_the_space_runs_the_image_with_the_demo_page(tree: Tree) -> None:
    with SpaceHub() as hub:
        for _ in range(2):  # a second time, too
            done = publish(tree, SPACE, IMAGE, HF_ENDPOINT=hub.address, HF_TOKEN=TOKEN)
            assert done.returncode == 0, done.stderr
            assert done.stdout == f"{hub.address}/spaces/{SPACE}\n"
    assert done.stderr == "There are no API keys: whoever sees the Space may use it.\n"
    created = hub.created[0]
    assert (created["organization"], created["name"], created["sdk"]) == ("me", "demo", "docker")
    assert created["visibility"] == "private"
    package = next((tree.path / "src").iterdir()).name.upper()
    demo = f"{package}_DEMO=true {package}_DEMO_FRAMES=https://huggingface.co"
    assert hub.files["Dockerfile"] == f"FROM {IMAGE}\nENV {demo}\n"
    front = yaml.safe_load(hub.files["README.md"].split("---\n")[1])
    assert (front["title"], front["sdk"], front["app_port"]) == ("It's a: name", "docker", 8000)
    assert len(front["short_description"]) <= 60
    assert front["models"] == ["me/model"]
    assert hub.secrets == {}


def test_keys_become_a_secret(tree: Tree) -> None:
    keys = tree.path / "keys/api_keys"
    keys.parent.mkdir()
    keys.write_text("me:0123:user\n")
    try:
        with SpaceHub() as hub:
            done = publish(tree, SPACE, IMAGE, HF_ENDPOINT=hub.address, HF_TOKEN=TOKEN)
    finally:
        keys.unlink()
        keys.parent.rmdir()
    assert (done.returncode, done.stderr) == (0, "")
    assert list(hub.secrets.values()) == ["me:0123:user\n"]
    assert next(iter(hub.secrets)).endswith("_API_KEYS")


@pytest.mark.parametrize(
    ("arguments", "token", "status", "sentence"),
    [
        ((SPACE, IMAGE), "", 200, "there is no token; set HF_TOKEN, or run `hf auth login`"),
        ((SPACE, IMAGE), "hf_wrong", 200, "the hub does not know this token"),
        ((SPACE, IMAGE), TOKEN, 403, "the token may not write to me/demo"),
        ((SPACE, IMAGE), TOKEN, 402, "need a paid plan"),
        ((SPACE, IMAGE), TOKEN, 500, "the hub answered 500"),
        (("demo", IMAGE), TOKEN, 200, "SPACE is 'demo'; write OWNER/NAME"),
        (("me/a--b", IMAGE), TOKEN, 200, "SPACE is 'me/a--b', which is no name of a repository on the hub"),
        (("", IMAGE), TOKEN, 200, "SPACE is ''; write OWNER/NAME"),
        ((SPACE, "my-project"), TOKEN, 200, "IMAGE is 'my-project'; write its whole address"),
        ((SPACE, "my-project:1"), TOKEN, 200, "IMAGE is 'my-project:1'; write its whole address"),
        ((SPACE, f"{IMAGE}\nRUN id"), TOKEN, 200, "write its whole address"),
    ],
)
def test_a_mistake_is_one_line(tree: Tree, arguments: tuple[str, str], token: str, status: int, sentence: str) -> None:
    with SpaceHub(status) as hub:
        done = publish(tree, *arguments, HF_ENDPOINT=hub.address, HF_TOKEN=token)
    assert done.returncode == 1
    assert done.stderr.startswith("publish.py: ") and sentence in done.stderr
    assert done.stderr.count("\n") == 1
    assert not hub.files and (not token or token not in done.stderr)


def test_a_hub_that_cannot_be_reached_is_one_line(tree: Tree) -> None:
    with SpaceHub() as hub:
        pass
    done = publish(tree, SPACE, IMAGE, HF_ENDPOINT=hub.address, HF_TOKEN=TOKEN)
    assert done.returncode == 1
    assert done.stderr.startswith("publish.py: cannot publish: ") and done.stderr.count("\n") == 1


@pytest.mark.parametrize("answers", [{"hf_task": "custom", "package_manager": "pip"}, {"hf_task": "custom"}])
def test_the_project_itself_installs_what_publishing_needs(
    template: Path, tmp_path: Path, answers: dict[str, Answer]
) -> None:
    [project] = rendered([{"deploy": ["hf-space"], **answers}], template, tmp_path)
    manifest = tomllib.loads((project.path / "pyproject.toml").read_text())
    groups = manifest.get("dependency-groups") or manifest["project"]["optional-dependencies"]
    assert any(str(each).startswith("huggingface-hub") for each in groups["dev"])
    planned = run([need_program("make"), "--dry-run", "space"], cwd=project.path).stdout
    assert ".venv/bin/python deploy/hf-space/publish.py" in planned
