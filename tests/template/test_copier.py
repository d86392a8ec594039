"""Run the copier program on a clone of the template as users do: without --trust, with and without a terminal."""

import ast
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import yaml
from markdown_it import MarkdownIt
from pytest_copie.plugin import Copie

from tests.answers import CHOICES, ROOT, TABLE
from tests.conftest import need_program
from tests.program import run
from tests.releases import NEWEST, as_options, copied, copier
from tests.template.asking import Questions, RefusalError
from tests.template.questions import asked, groups, helps, questions
from tests.template.terminal import CTRL_C, DOWN, ENTER, answer

MOST_PROMPTS = {"existing": 12}  # its answers follow from the code, which no default can know

CLUSTER = {"preset": "existing", "deploy": "[kubernetes]"}
SPACE = {"preset": "existing", "deploy": "[hf-space]"}

REFUSED: list[tuple[dict[str, str], list[str]]] = [
    # Choices
    ({"preset": "web"}, ["preset", "web", "api", "custom"]),
    ({"license": "GPL"}, ["license", "GPL", "MIT"]),
    ({"interfaces": "[foo]"}, ["interfaces", "foo", "cli", "api"]),
    ({"interfaces": "[]"}, ["interfaces", "at least one"]),
    ({"interfaces": "[cli, worker]"}, ["interfaces", "worker", "choose api too"]),
    ({"services": "[postgres]"}, ["services", "postgres", "interfaces has no worker"]),
    ({"services": "[bucket]"}, ["services", "bucket", "interfaces has no worker"]),
    ({"preset": "cli", "services": "[monitoring]"}, ["services", "monitoring", "interfaces has none"]),
    ({"preset": "platform", "services": "[foo]"}, ["services", "foo", "postgres"]),
    ({"preset": "cli", "deploy": "[kubernetes]"}, ["deploy", "kubernetes", "interfaces has none"]),
    ({"preset": "platform", "services": "[]", "deploy": "[kubernetes]"}, ["deploy", "kubernetes", "add postgres"]),
    ({"preset": "cli", "deploy": "[hf-space]"}, ["deploy", "hf-space", "interfaces has none"]),
    ({"preset": "platform", "deploy": "[hf-space]"}, ["deploy", "hf-space", "postgres is another one"]),
    ({"interfaces": "[api]", "deploy": "[slurm]"}, ["deploy", "slurm", "add cli"]),
    ({**CLUSTER}, ["deploy", "kubernetes", "give api_app or processes"]),
    ({**CLUSTER, "processes": "{a_b: {command: c}, a-b: {command: c}}"}, ["deploy", "kubernetes", "called a-b"]),
    (
        {**CLUSTER, "processes": "{a: {command: c, once: true, waits_for: [b]}, b: {command: c, waits_for: []}}"},
        ["deploy", "kubernetes", "a once", "waits for b"],
    ),
    ({**CLUSTER, "processes": "{a: {command: c, schedule: '0 2 * * 7'}}"}, ["deploy", "kubernetes", "SUN", "of a"]),
    ({**CLUSTER, "api_app": "a:b", "output_folders": "[c.d, c_d]"}, ["deploy", "kubernetes", "claim c-d", "c_d"]),
    ({**SPACE}, ["deploy", "hf-space", "none has a port", "api_app"]),
    ({**SPACE, "processes": "{a: {command: c}}"}, ["deploy", "hf-space", "none has a port"]),
    ({**SPACE, "api_app": "a:b", "services": "[redis]"}, ["deploy", "hf-space", "redis is another one"]),
    ({"preset": "workspace", "deploy": "[ghcr, slurm]"}, ["deploy", "slurm is for services", "leave it out"]),
    ({"preset": "frontend", "deploy": "[ghcr]"}, ["deploy", "no meaning", "frontend"]),
    ({"weights": "bucket"}, ["weights", "bucket", "choose services with bucket"]),
    ({"preset": "platform", "services": "[bucket]", "training": "none", "weights": "bucket"}, ["weights", "is none"]),
    ({"training": "manual"}, ["training", "manual", "onnx", "choose runtime torch"]),
    ({"preset": "training", "training": "scheduled"}, ["training", "scheduled", "choose interfaces with api"]),
    ({"hf_task": "custom", "training": "none"}, ["training", "manual or scheduled"]),
    ({"hf_task": "custom", "interfaces": "[cli]", "training": "scheduled"}, ["training", "scheduled", "api"]),
    ({"hf_task": "custom", "training_schedule": "0 2 * * 0"}, ["training_schedule", "no meaning", "manual"]),
    ({"hf_task": "custom", "training": "scheduled", "training_schedule": "weekly"}, ["training_schedule", "cron"]),
    ({"hf_task": "poetry"}, ["hf_task", "poetry", "fill-mask"]),
    ({"runtime": "onnx", "hf_task": "text-generation"}, ["runtime", "onnx", "torch"]),
    ({"runtime": "onnx", "accelerator": "cu126"}, ["runtime", "cu126", "cu130", "torch"]),
    ({"runtime": "onnx", "torch_version": "2.8.0"}, ["runtime", "2.8.0", "2.9.1"]),
    ({"runtime": "onnx", "torch_version": "2.15.0", "python_version": "3.15"}, ["runtime", "3.15", "3.14"]),
    ({"devcontainer": "maybe"}, ["devcontainer", "maybe", "yes", "no"]),
    ({"interfaces": "[api"}, ["interfaces", "[api", "list"]),
    ({"interfaces": "api"}, ["interfaces", "list"]),
    # Names of answers
    ({"torch": "2.13.0"}, ["no answer called torch", "torch_version"]),
    *(({name: "1"}, [f"no answer called {name}"]) for name in questions() if name not in CHOICES),
    # Combinations
    ({"accelerator": "cu128", "torch_version": "2.13.0"}, ["2.13.0", "cu128", "cu126, cu130", "2.11.0"]),
    ({"accelerator": "cuda"}, ["accelerator", "cuda", "cpu"]),
    ({"torch_version": "9.9"}, ["torch_version", "9.9", "2.13.0"]),
    ({"torch_version": "none"}, ["torch_version", "custom"]),
    ({"torch_version": "2.15.0", "python_version": "3.10"}, ["2.15.0", "3.10", "3.11"]),
    ({"torch_version": "2.8.0", "python_version": "3.14"}, ["2.8.0", "3.14", "3.13"]),
    ({"python_version": "3.9"}, ["python_version", "3.9", "3.11"]),
    ({"hf_task": "custom", "hf_model": "an-org/a-model"}, ["hf_model", "custom"]),
    ({"hf_model": "", "hf_revision": "main"}, ["hf_revision", "empty"]),
    # Code that exists already
    ({"preset": "existing", "hf_model": "gpt2"}, ["hf_model", "gpt2", "no meaning", "existing"]),
    ({"preset": "existing", "torch_version": "2.8.0", "python_version": "3.9"}, ["3.9", "3.10"]),
    ({"preset": "existing", "license": "MIT"}, ["license", "no meaning", "existing"]),
    ({"preset": "existing", "package_manager": "pip"}, ["package_manager", "no meaning", "existing"]),
    ({"preset": "existing", "interfaces": "[api]"}, ["interfaces", "no meaning", "existing"]),
    ({"preset": "workspace", "hf_task": "custom"}, ["hf_task", "custom", "no meaning", "workspace"]),
    ({"code_paths": "[src]"}, ["code_paths", "no meaning", "existing"]),
    ({"node_version": "22"}, ["node_version", "no meaning", "frontend"]),
    ({"preset": "frontend", "torch_version": "2.13.0"}, ["torch_version", "no meaning", "Python"]),
    ({"preset": "frontend", "frontend": "next", "build_output": "out"}, ["build_output", "no meaning", "next"]),
    ({"preset": "frontend", "frontend": "angular"}, ["frontend", "angular", "static"]),
    ({"preset": "frontend", "node_version": "18"}, ["node_version", "18", "from 20 on"]),
    ({"preset": "frontend", "build_output": "../dist"}, ["build_output", "../dist", "below the repository"]),
    ({"preset": "frontend", "build_command": "vite build && rm a"}, ["build_command", "simple command line"]),
    ({"preset": "frontend", "public_variables": "[api]"}, ["public_variables", "api", "upper-case"]),
    ({"preset": "frontend", "public_variables": "[DB_PASSWORD]"}, ["public_variables", "DB_PASSWORD", "secret"]),
    ({"preset": "frontend", "public_variables": "API_URL"}, ["public_variables", "API_URL", "list"]),
    ({"preset": "frontend", "api_address": "api:8000"}, ["api_address", "api:8000", "http://"]),
    ({"keep": "[Dockerfile]"}, ["keep", "no meaning", "existing"]),
    ({"api_app": "app:app"}, ["api_app", "no meaning", "existing"]),
    ({"preset": "existing", "code_paths": "[../src]"}, ["code_paths", "../src", "below the repository"]),
    ({"preset": "existing", "code_paths": "[]"}, ["code_paths", "at least one"]),
    ({"preset": "existing", "code_paths": "src"}, ["code_paths", "src", "list"]),
    ({"preset": "existing", "code_paths": "[src, "}, ["code_paths", "list"]),
    ({"preset": "existing", "commands": "{Train: python a.py}"}, ["commands", "Train", "lower-case"]),
    ({"preset": "existing", "commands": "{serve: python a.py}"}, ["commands", "serve"]),
    ({"preset": "existing", "commands": "{train: python a.py; rm b}"}, ["commands", "mapping"]),
    ({"preset": "existing", "commands": "train"}, ["commands", "train", "mapping"]),
    ({"preset": "existing", "commands": '{train: "python $HOME"}'}, ["commands", "mapping"]),
    ({"preset": "existing", "requirements_file": "Pipfile"}, ["requirements_file", "Pipfile", "environment.yml"]),
    ({"preset": "existing", "requirements_file": "r.txt", "requirements_dev": "extra:dev"}, ["extra:dev", "r.txt"]),
    ({"preset": "existing", "api_app": "app.main"}, ["api_app", "app.main", "module:name"]),
    ({"preset": "existing", "health_route": "health"}, ["health_route", "health"]),
    ({"preset": "existing", "test_command": "pytest && true"}, ["test_command", "simple"]),
    ({"preset": "existing", "keep": "[Makefile]"}, ["keep", "Makefile", "Dockerfile"]),
    ({"preset": "existing", "install": "true"}, ["install", "true", "yes"]),
    # Rules; test_questions.py tests more values of each
    ({"package_name": "torch"}, ["package_name", "torch", "package that the project needs"]),
    ({"project_slug": "Foo_Bar"}, ["project_slug", "Foo_Bar", "lower-case"]),
    ({"project_name": "Torch"}, ["project_name", "torch"]),
    ({"project_name": ""}, ["project_name", "1 to 64"]),
    ({"project_name": "Shop "}, ["project_name", "ends with a space"]),
    ({"project_name": "One\nTwo"}, ["project_name", "one line"]),
    ({"project_description": "One\nTwo"}, ["project_description", "one line"]),
    ({"owner": "a/b"}, ["owner", "a/b"]),
    ({"author_email": "nonsense"}, ["author_email", "nonsense"]),
    ({"hf_model": "a/b/c"}, ["hf_model", "a/b/c"]),
    ({"hf_revision": "a b"}, ["hf_revision", "a b"]),
    ({"torch_index": "ftp://x"}, ["torch_index", "ftp://x", "https"]),
    ({"copyright_year": "soon"}, ["copyright_year"]),
]

EXISTING = {*groups()[ROOT / "extensions/questions/existing.yml"], "environment", "processes"}
FRONT_END = set(groups()[ROOT / "extensions/questions/frontend.yml"])
FOR_PROJECTS = [name for name in CHOICES if name not in (*EXISTING, *FRONT_END, "training_schedule")]
FOR_BOTH = {
    *("preset", "project_name", "project_slug", "torch_version", "python_version", "accelerator", "torch_index"),
    *("image_registry", "devcontainer", "ci", "deploy", "services"),
}
FOR_EXISTING = [name for name in CHOICES if name in EXISTING | FOR_BOTH]
FOR_WORKSPACES = ["preset", "project_name", "project_slug", "image_registry", "ci", "deploy"]
FOR_FRONT_ENDS = [*FRONT_END & set(CHOICES), *(set(FOR_WORKSPACES) - {"deploy"}), "test_command"]

HOSTILE = {
    "project_name": "Zoë's 100% #1: [x] {y} <b>*_`&`|~",
    "project_slug": "hostile",
    "project_description": "'Ünï' — #tag: {{ x }} {% y %} {z} %s ${HOME} $(id) `a` [b](c) <i>*d*_e_ & | ~ ''' 日本 🚢",
    "author_name": "O'Neil, {J}. <j> & #1: Søn",
}


def files(folder: Path) -> list[str]:
    """Return the path of every file outside .git, in order."""
    found = (path.relative_to(folder) for path in folder.rglob("*") if path.is_file())
    return sorted(str(path) for path in found if path.parts[0] != ".git")


@pytest.fixture(scope="module")
def fresh(template: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """Return a project with every default, and the output of copier."""
    project = tmp_path_factory.mktemp("fresh") / "new"
    done = copier("copy", "--defaults", template, project)
    assert done.returncode == 0, done.stderr
    return project, re.sub(r"\x1b\[\d*m", "", done.stdout + done.stderr)


def test_a_copy_needs_no_trust_and_no_terminal(template: Path, fresh: tuple[Path, str], copie: Copie) -> None:
    project, said = fresh
    assert "warning" not in said.lower()
    rendered = copie.copy(extra_answers={"project_name": "new"}, template_dir=template).project_dir
    assert rendered
    assert files(project) == files(rendered)


def test_a_copy_tells_the_next_steps(fresh: tuple[Path, str]) -> None:
    project, said = fresh
    assert f"cd {project}" in said
    verbs = re.findall(r"^\.PHONY: (.+)$", (project / "Makefile").read_text(), re.MULTILINE)
    told = {verb for line in re.findall(r"^\s+make (.+)$", said, re.MULTILINE) for verb in line.split()}
    assert told and told <= set(verbs)


def test_the_answers_file_holds_what_was_asked_and_nothing_computed(fresh: tuple[Path, str]) -> None:
    stored = yaml.safe_load((fresh[0] / ".copier-answers.yml").read_text())
    assert set(stored) == {*FOR_PROJECTS, "_commit", "_src_path"}
    assert not set(stored) & (set(questions()) - set(asked()))
    assert stored["_commit"] == NEWEST


def test_run_py_prints_what_was_made_and_not_every_file(template: Path, tmp_path: Path) -> None:
    copy = [sys.executable, ROOT / "run.py", "copier", "copy", "--defaults", template, tmp_path / "shop"]
    done = run(copy, stdin=subprocess.DEVNULL)
    assert done.returncode == 0, done.stderr
    lines = [line.strip() for line in done.stderr.splitlines() if line.strip()]
    assert len(lines) <= 10, lines
    created = list((tmp_path / "shop").rglob("*"))
    assert f"{len(created)} files and folders created" in lines
    assert any(line.startswith("shop is ready") and "Python package shop" in line for line in lines)
    refused = run([*copy[:-1], "--data=torch_version=9.9", tmp_path / "other"], stdin=subprocess.DEVNULL)
    assert refused.returncode == 1
    assert len(refused.stderr.strip().splitlines()) == 1
    assert refused.stderr.strip().startswith("torch_version: 9.9 ")


@pytest.mark.parametrize("row", range(len(REFUSED)), ids=lambda row: " ".join(as_options(REFUSED[row][0]))[:80])
def test_bad_answers_are_refused_in_one_line(asked_alone: Questions, row: int) -> None:
    data, fragments = REFUSED[row]
    with pytest.raises(RefusalError) as refused:
        asked_alone.answers(data)
    assert [fragment for fragment in fragments if fragment not in str(refused.value)] == []


@pytest.fixture(scope="module")
def asked_alone(tmp_path_factory: pytest.TempPathFactory) -> Questions:
    """Return the questions of the working tree."""
    return Questions(tmp_path_factory.mktemp("questions"))


@pytest.mark.parametrize(
    ("option", "fragment"),
    [
        ("interfaces=[api", "interfaces: [api is not a list"),
        ("interfaces=[cli, worker]", "choose api too"),
        ("accelerator=cu128", "torch 2.13.0 has no cu128 wheels"),
        ("project_nane=Shop", "no answer called project_nane"),
        ("project_name=Shop ", "begins or ends with a space"),
    ],
)
def test_the_program_refuses_in_one_line(template: Path, tmp_path: Path, option: str, fragment: str) -> None:
    done = copier("copy", "--defaults", f"--data={option}", template, tmp_path / "new")
    assert done.returncode == 1
    assert len(done.stderr.split("\n")) <= 4 and len(done.stderr.strip().splitlines()) == 1, done.stderr
    assert fragment in done.stderr
    assert not (tmp_path / "new").exists()


def test_a_refusal_leaves_a_folder_with_files_as_it_was(template: Path, tmp_path: Path) -> None:
    (tmp_path / "theirs.py").write_text("mine = True\n")
    done = copier("copy", "--defaults", "--data=torch_version=9.9", template, tmp_path)
    assert done.returncode == 1
    assert files(tmp_path) == ["theirs.py"]


@pytest.mark.parametrize("package_manager", ["uv", "pip"])
@pytest.mark.parametrize("hf_task", ["text-generation", "custom"])
def test_hostile_text_leaves_every_file_readable(
    template: Path, tmp_path: Path, hf_task: str, package_manager: str
) -> None:
    data = {**HOSTILE, "hf_task": hf_task, "package_manager": package_manager, "license": "MIT"}
    project = copied(template, NEWEST, tmp_path / "new", data)
    manifest = tomllib.loads((project / "pyproject.toml").read_text())["project"]
    assert manifest["description"] == HOSTILE["project_description"]
    assert manifest["authors"] == [{"name": HOSTILE["author_name"]}]
    stored = yaml.safe_load((project / ".copier-answers.yml").read_text())
    assert {name: stored[name] for name in HOSTILE} == HOSTILE
    assert HOSTILE["author_name"] in (project / "LICENSE").read_text()
    for path in project.rglob("*.py"):
        ast.parse(path.read_text(), str(path))
    opening, title, *_ = MarkdownIt().parse((project / "README.md").read_text())
    assert opening.tag == "h1"
    assert [child.type for child in title.children or []] == ["text"]
    assert "".join(child.content for child in title.children or []) == HOSTILE["project_name"]
    assert run([need_program("make"), "help"], cwd=project).returncode == 0


@pytest.mark.parametrize("preset", CHOICES["preset"].values())
def test_a_preset_asks_few_questions_and_custom_asks_all(
    template: Path, tmp_path: Path, fresh: tuple[Path, str], preset: str
) -> None:
    down = DOWN * list(CHOICES["preset"].values()).index(preset)

    def keys(question: str) -> str:
        return (down if question == "preset" else "") + ENTER

    code, prompts, screen = answer(helps(), keys, "copy", template, tmp_path / "new")
    assert code == 0, screen[-2000:]
    assert prompts[0] == "preset"
    stored = yaml.safe_load((tmp_path / "new/.copier-answers.yml").read_text())
    assert stored["preset"] == preset
    if preset == "api":
        assert stored == yaml.safe_load((fresh[0] / ".copier-answers.yml").read_text())
    others = {"existing": FOR_EXISTING, "frontend": FOR_FRONT_ENDS, "workspace": FOR_WORKSPACES}
    expected = others.get(preset, FOR_PROJECTS)
    assert set(stored) == {*expected, "_commit", "_src_path"}
    if preset == "custom":
        assert set(FOR_PROJECTS) - set(prompts) <= {"copyright_year"}
    else:
        assert len(prompts) <= MOST_PROMPTS.get(preset, 9)


def test_ctrl_c_at_a_prompt_leaves_nothing_behind(template: Path, tmp_path: Path) -> None:
    temporary = tmp_path / "temporary"
    temporary.mkdir()

    def keys(question: str) -> str:
        return CTRL_C if question == "hf_task" else ENTER

    code, prompts, screen = answer(helps(), keys, "copy", template, tmp_path / "new", TMPDIR=temporary)
    assert code != 0
    assert prompts[-1] == "hf_task"
    assert "Traceback" not in screen
    assert not (tmp_path / "new").exists()
    assert list(temporary.iterdir()) == []


def test_the_choices_at_a_terminal_are_those_of_the_table(template: Path, tmp_path: Path) -> None:
    def keys(question: str) -> str:
        return CTRL_C if question == "accelerator" else ENTER

    _, _, screen = answer(helps(), keys, "copy", template, tmp_path / "new")
    offered = TABLE["releases"][TABLE["default"]["torch"]]["accelerators"]
    for name, accelerator in TABLE["accelerators"].items():
        assert (accelerator["label"] in screen) == (name in offered), accelerator["label"]


@pytest.mark.parametrize("example", sorted((ROOT / "examples").glob("*.yml")), ids=lambda path: path.stem)
def test_the_examples_are_answers_that_nobody_has_to_add_to(example: Path, template: Path, tmp_path: Path) -> None:
    done = copier("copy", "--defaults", f"--data-file={example}", "--vcs-ref", NEWEST, template, tmp_path / "theirs")
    assert done.returncode == 0, done.stderr
    given = yaml.safe_load(example.read_text())
    assert yaml.safe_load((tmp_path / "theirs/.copier-answers.yml").read_text()).items() >= given.items()
    assert f"[{example.name}]({example.name})" in (ROOT / "examples/README.md").read_text()


def test_the_systems_of_the_examples_have_all_that_they_consist_of(template: Path, tmp_path: Path) -> None:
    expected = {
        "molecular-dashboard": {"api", "worker", "migrate", "redis", "postgres", "schedule", "dev"},
        "movie-recommender": {"api", "schedule", "dev"},
    }
    for name, services in expected.items():
        options = ["--defaults", f"--data-file={ROOT / f'examples/{name}.yml'}", "--vcs-ref", NEWEST]
        assert copier("copy", *options, template, tmp_path / name).returncode == 0
        composed = run([need_program("docker"), "compose", "--profile=*", "config", "--services"], cwd=tmp_path / name)
        assert composed.returncode == 0, composed.stderr
        assert set(composed.stdout.split()) >= services
