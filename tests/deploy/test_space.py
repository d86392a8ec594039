"""The scripts that publish a Space: what the hub gets, with the real huggingface_hub, and one line for each mistake."""

import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.answers import Answer
from tests.conftest import need_program
from tests.deploy.space_hub import TOKEN, SpaceHub
from tests.hosted import RUN, nameless
from tests.program import run
from tests.releases import commit, git
from tests.trees import Tree, rendered
from tests.workflows import GITHUB, GITLAB, gitlab_jobs

SPACE, IMAGE = "me/demo", "ghcr.io/me/my-project:1.2.3"
NEWEST, *OLDER = TAGS = ["v1.10.0", "v1.9.1", "v2.0.0-rc.1", "vNext"]
"""Of existing code, whose Space follows a tag."""

PAGE: dict[str, Answer] = {
    "processes": {
        "page": {
            "command": "python app.py --title 'a $b' \"it's\"",
            "port": 7860,
            "working_folder": "web",
            "environment": {"PRICE": '5 $HOME or "6" \\ {x} #', "NUMBER": 7},
        },
        "worker": {"command": "python worker.py"},
    },
    "environment": {"LOG_LEVEL": "info", "NUMBER": 6, "EMPTY": ""},
    "output_folders": ["models", "/srv/out"],
    "install": "no",
}
"""Existing code with a page, such as Gradio makes it, and a process that no Space runs."""


@pytest.fixture(scope="module")
def trees(template: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Tree]:
    """Return a project that is published as a Space for each kind of pipeline."""
    model: dict[str, Answer] = {"hf_model": "me/model"}
    kinds: dict[str, dict[str, Answer]] = {
        "github": {**model, "ci": "github"},
        "gitlab": {**model, "ci": "gitlab"},
        "gitlab, own code": {"hf_task": "custom", "ci": "gitlab"},
    }
    answers = {"deploy": ["hf-space"], "project_name": "It's a: name"}
    made = rendered([{**answers, **kind} for kind in kinds.values()], template, tmp_path_factory.mktemp("space"))
    return dict(zip(kinds, made, strict=True))


@pytest.fixture(scope="module")
def tree(trees: dict[str, Tree]) -> Tree:
    """Return one of them."""
    return trees["github"]


@pytest.fixture(scope="module")
def existing(template: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Tree]:
    """Return existing code with a page, and with an API, for each kind of pipeline."""
    api = {"api_app": "app.main:app", "keep": ["docker", "Dockerfile"], "install": "yes"}
    sets = {"github page": {**PAGE}, "gitlab page": {**PAGE}, "github api": api, "gitlab api": api}
    answers = [
        {"preset": "existing", "deploy": ["hf-space"], "ci": name.split()[0], **given} for name, given in sets.items()
    ]
    trees = rendered(answers, template, tmp_path_factory.mktemp("existing"))
    for tree in trees:
        git(tree.path, "init", "--quiet")
        commit(tree.path, "Start")
        for tag in TAGS:
            git(tree.path, "tag", tag)
    return dict(zip(sets, trees, strict=True))


def publish(tree: Tree, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run the program of `make space`, without a token of this machine."""
    environment = {**os.environ, "HF_HOME": str(tree.path / "none"), "HF_TOKEN": "", **variables}
    [program] = tree.path.glob("*/hf-space/publish.py")
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
    demo = (f"{package}_DEMO=true", f"{package}_DEMO_FRAMES=https://huggingface.co")
    assert instructions(hub) == [f"FROM {IMAGE}", *(f"ENV {each}" for each in demo)]
    front = front_matter(hub)
    assert (front["title"], front["sdk"], front["app_port"]) == ("It's a: name", "docker", 8000)
    assert len(front["short_description"]) <= 60
    assert front["models"] == ["me/model"]
    assert hub.secrets == {}


def instructions(hub: SpaceHub) -> list[str]:
    """Return the lines of the Space's Dockerfile without comments."""
    return [line for line in hub.files["Dockerfile"].splitlines() if not line.startswith("#")]


def front_matter(hub: SpaceHub) -> dict[str, Any]:
    """Return the settings of the Space."""
    found: dict[str, Any] = yaml.safe_load(hub.files["README.md"].split("---\n")[1])
    return found


def test_a_page_of_existing_code_runs_on_its_own_port(existing: dict[str, Tree]) -> None:
    with SpaceHub() as hub:
        done = publish(existing["github page"], SPACE, IMAGE, HF_ENDPOINT=hub.address, HF_TOKEN=TOKEN)
    assert (done.returncode, done.stdout, done.stderr) == (0, f"{hub.address}/spaces/{SPACE}\n", "")
    assert instructions(hub) == [
        f"FROM {IMAGE}",
        'ENV LOG_LEVEL="info"',
        'ENV NUMBER="7"',
        'ENV EMPTY=""',
        r'ENV PRICE="5 \$HOME or \"6\" \\ {x} #"',
        "WORKDIR /app/web",
        r"""CMD ["python", "app.py", "--title", "a $b", "it's"]""",
    ]
    front = front_matter(hub)
    assert (front["title"], front["sdk"], front["app_port"]) == ("My Project", "docker", 7860)
    assert "models" not in front and hub.secrets == {}


def test_an_api_of_existing_code_runs_as_the_image_does(existing: dict[str, Tree]) -> None:
    with SpaceHub() as hub:
        done = publish(existing["github api"], SPACE, IMAGE, HF_ENDPOINT=hub.address, HF_TOKEN=TOKEN)
    assert done.returncode == 0, done.stderr
    assert instructions(hub) == [f"FROM {IMAGE}"]
    assert front_matter(hub)["app_port"] == 8000


def test_each_folder_of_existing_code_gets_its_own_in_the_bucket(existing: dict[str, Tree]) -> None:
    with SpaceHub() as hub:
        for _ in range(2):
            done = publish(
                existing["github page"], SPACE, IMAGE, "--bucket", "me/data", HF_ENDPOINT=hub.address, HF_TOKEN=TOKEN
            )
            assert done.returncode == 0, done.stderr
    bucket = {"type": "bucket", "source": "me/data"}
    assert hub.volumes == [
        {**bucket, "mountPath": "/app/models", "path": "app/models"},
        {**bucket, "mountPath": "/srv/out", "path": "srv/out"},
    ]
    assert hub.restarts == 1


def test_a_bucket_for_nothing_is_refused(existing: dict[str, Tree]) -> None:
    with SpaceHub() as hub:
        done = publish(
            existing["github api"], SPACE, IMAGE, "--bucket", "me/data", HF_ENDPOINT=hub.address, HF_TOKEN=TOKEN
        )
    assert done.returncode == 1 and not hub.created
    assert done.stderr == (
        "publish.py: the image writes to no folder that a bucket could keep; set the answer output_folders\n"
    )


def test_the_script_of_existing_code_names_what_it_imports(existing: dict[str, Tree]) -> None:
    """`uv run` and `pipx run` read the header, https://peps.python.org/pep-0723."""
    [script] = existing["github page"].path.glob("*/hf-space/publish.py")
    header = "".join(line[2:] for line in script.read_text().partition("# ///\n")[0].splitlines(True)[1:])
    names = [re.split("[=>]", each)[0].replace("-", "_") for each in tomllib.loads(header)["dependencies"]]
    foreign = {each.split(".")[0] for each in re.findall(r"^(?:import|from) (\S+)", script.read_text(), re.M)}
    assert sorted(foreign - sys.stdlib_module_names) == sorted(names)


def test_a_space_of_existing_code_follows_a_tag_alone(existing: dict[str, Tree]) -> None:
    """Nobody knows the name of its main branch, nor how often that is pushed."""
    workflow = yaml.safe_load((existing["github api"].path / GITHUB / "publish-space.yml").read_text())
    assert workflow[True] == {"push": {"tags": ["v*"]}, "workflow_dispatch": None}
    [build] = [step["with"] for step in workflow["jobs"]["space"]["steps"] if step.get("with", {}).get("load")]
    assert build["file"] == "slipway.Dockerfile" and "VERSION=" in build["build-args"]
    jobs = gitlab_jobs(existing["gitlab api"].path / GITLAB)
    assert jobs["space image"]["rules"] == [{"if": r"$CI_COMMIT_TAG =~ /^v\d/"}]
    assert jobs["space image"]["variables"]["GIT_DEPTH"] == 0
    assert "--file slipway.Dockerfile" in jobs["space image"]["script"][0]


@pytest.mark.parametrize("tag", OLDER)
def test_a_version_that_is_not_the_newest_leaves_the_space(existing: dict[str, Tree], tmp_path: Path, tag: str) -> None:
    assert not on_github(existing["github page"], tmp_path, "tag", tag)
    environment = {**os.environ, "HF_TOKEN": TOKEN, "SPACE": SPACE, "CI_COMMIT_TAG": tag}
    project = existing["gitlab page"]
    done = run(["bash", "-e", "-c", publishing(project)], cwd=project.path, env=environment)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == f"{tag} is not the newest version: nothing is replaced\n"


def test_the_newest_version_and_a_chosen_branch_replace_the_space(existing: dict[str, Tree], tmp_path: Path) -> None:
    assert on_github(existing["github page"], tmp_path / "tag", "tag", NEWEST)
    assert on_github(existing["github page"], tmp_path / "branch", "branch", "feature")


def on_github(project: Tree, folder: Path, kind: str, name: str) -> bool:
    """Return whether the workflow replaces the Space for a tag or a branch, or says that it does not."""
    folder.mkdir(exist_ok=True)
    jobs = yaml.safe_load((project.path / GITHUB / "publish-space.yml").read_text())["jobs"]
    assert jobs["space"]["if"].endswith(" && needs.check.outputs.newest == 'yes'")
    [step] = [step for step in jobs["check"]["steps"] if step.get("id") == "version"]
    environment = {"GITHUB_REF_TYPE": kind, "GITHUB_REF_NAME": name, "GITHUB_OUTPUT": str(folder / "output")}
    done = run(["bash", "-e", "-c", step["run"]], cwd=project.path, env={**os.environ, **environment})
    RUN.add(nameless(step["run"], project.path))
    assert (done.returncode, done.stderr) == (0, "")
    replaced = (folder / "output").exists()
    assert done.stdout == ("" if replaced else f"::notice::{name} is not the newest version: nothing is replaced\n")
    return replaced


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


def test_a_bucket_is_attached_once_beside_other_volumes(tree: Tree) -> None:
    other = {"type": "model", "source": "me/model", "mountPath": "/models", "readOnly": True}
    with SpaceHub() as hub:
        hub.volumes = [other, {"type": "bucket", "source": "me/old", "mountPath": "/app/data"}]
        for _ in range(2):
            done = publish(tree, SPACE, IMAGE, "--bucket", "me/data", HF_ENDPOINT=hub.address, HF_TOKEN=TOKEN)
            assert (done.returncode, done.stdout) == (0, f"{hub.address}/spaces/{SPACE}\n"), done.stderr
    assert hub.buckets == {"me/data": "private"}
    assert hub.volumes == [other, {"type": "bucket", "source": "me/data", "mountPath": "/app/data"}]
    assert hub.restarts == 1


def test_the_verb_attaches_a_bucket_only_if_one_is_named(tree: Tree) -> None:
    planned = [need_program("make"), "--dry-run", "space", f"SPACE={SPACE}", f"IMAGE={IMAGE}"]
    assert "--bucket" not in run(planned, cwd=tree.path).stdout
    attached = run([*planned, "BUCKET=me/data"], cwd=tree.path).stdout
    assert f'publish.py "{SPACE}" "{IMAGE}" --bucket "me/data"' in attached


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
        ((SPACE, IMAGE, "--bucket", "data"), TOKEN, 200, "BUCKET is 'data'; write OWNER/NAME"),
        ((SPACE, "my-project"), TOKEN, 200, "IMAGE is 'my-project'; write its whole address"),
        ((SPACE, "my-project:1"), TOKEN, 200, "IMAGE is 'my-project:1'; write its whole address"),
        ((SPACE, f"{IMAGE}\nRUN id"), TOKEN, 200, "write its whole address"),
    ],
)
def test_a_mistake_is_one_line(tree: Tree, arguments: tuple[str, ...], token: str, status: int, sentence: str) -> None:
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


DOCKER = """#!/bin/sh
# The engine of the pipeline, as far as it publishes: notes what it is asked, and runs what the development image would.
echo "$@" >> "$DOCKER_LOG"
case "$1" in
  run) shift; exec "$PYTHON" "$@" ;; # pipx
  login) grep -qx "$EXPECTED_PASSWORD" ;;
  compose) shift 7; exec "$PYTHON" "$@" ;;
esac
"""


@pytest.mark.parametrize("kind", ["github", "gitlab", "gitlab, own code", "github page", "gitlab page"])
def test_the_pipeline_pushes_the_image_and_publishes_the_space(
    trees: dict[str, Tree], existing: dict[str, Tree], tmp_path: Path, kind: str
) -> None:
    project = {**trees, **existing}[kind]
    log = tmp_path / "log"
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin/docker").write_text(DOCKER)
    (tmp_path / "bin/docker").chmod(0o755)
    for program in ("apk", "pipx"):
        (tmp_path / "bin" / program).symlink_to("docker")
    (project.path / "docker/smoke.sh").write_text("#!/bin/sh\n")  # other tests run it
    variables = {
        "PATH": f"{tmp_path / 'bin'}:{os.environ['PATH']}",
        "DOCKER_LOG": str(log),
        "PYTHON": sys.executable,
        "EXPECTED_PASSWORD": "a-password",
        "GITHUB_ACTOR": "me",
        "GITHUB_REPOSITORY": "Me/My-Project",
        "GITHUB_SHA": "0" * 40,
        "GITHUB_TOKEN": "a-password",
        "CI_COMMIT_SHA": "0" * 40,
        "CI_COMMIT_TAG": NEWEST,
        "CI_REGISTRY": "registry.example",
        "CI_REGISTRY_IMAGE": "registry.example/me/my-project",
        "CI_REGISTRY_PASSWORD": "a-password",
        "CI_REGISTRY_USER": "me",
        "HF_HOME": str(tmp_path / "none"),
        "SPACE": SPACE,
    }
    with SpaceHub() as hub:
        command = publishing(project)
        environment = {**os.environ, **variables, "HF_ENDPOINT": hub.address, "HF_TOKEN": TOKEN}
        done = run(["bash", "-e", "-c", command], cwd=project.path, env=environment)
    assert done.returncode == 0, done.stdout + done.stderr
    RUN.add(nameless(command, project.path))
    image = f"{'registry.example' if 'gitlab' in kind else 'ghcr.io'}/me/my-project:{'0' * 40}"
    assert hub.files["Dockerfile"].startswith(f"FROM {image}\n")
    asked = log.read_text()
    assert f"push --quiet {image}\n" in asked
    assert "a-password" not in asked and TOKEN not in asked + done.stdout + done.stderr


def publishing(project: Tree) -> str:
    """Return the command of a pipeline that publishes the Space."""
    if (project.path / GITLAB).exists():
        jobs = gitlab_jobs(project.path / GITLAB)
        [command] = (jobs.get("space") or jobs["space image"])["script"]
        return command
    [workflow] = (project.path / GITHUB).glob("*space.yml")
    jobs = yaml.safe_load(workflow.read_text())["jobs"]
    return jobs["space"]["steps"][-1]["run"]


@pytest.mark.parametrize(("token", "space", "ready"), [(TOKEN, SPACE, True), ("", SPACE, False), (TOKEN, "", False)])
def test_github_skips_the_space_with_a_notice(tree: Tree, tmp_path: Path, token: str, space: str, ready: bool) -> None:
    workflow = yaml.safe_load((tree.path / GITHUB / "space.yml").read_text())
    assert workflow["permissions"] == {}
    assert workflow["jobs"]["space"]["permissions"] == {"contents": "read", "packages": "write"}
    [step] = workflow["jobs"]["check"]["steps"]
    outputs = tmp_path / "outputs"
    environment = {**os.environ, "HF_TOKEN": token, "SPACE": space, "GITHUB_OUTPUT": str(outputs)}
    done = run(["bash", "-e", "-c", step["run"]], env=environment)
    RUN.add(nameless(step["run"], tree.path))
    assert done.returncode == 0
    assert outputs.exists() == ready and ("::notice::no Space is published" in done.stdout) == (not ready)


def test_gitlab_skips_the_space_with_a_sentence(trees: dict[str, Tree]) -> None:
    project = trees["gitlab"]
    environment = {**os.environ, "HF_TOKEN": "", "SPACE": SPACE}
    done = run(["bash", "-e", "-c", publishing(project)], cwd=project.path, env=environment)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == "no Space is published: set the variables HF_TOKEN and SPACE\n"
