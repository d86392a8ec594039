"""Free texts of people, which may hold what Docker, shells or Markdown would interpret, arrive as they are."""

import ast
import html
import json
import re
import tomllib
from collections.abc import Iterator
from itertools import pairwise, zip_longest
from pathlib import Path
from typing import Any

import pytest
import yaml
from markdown_it import MarkdownIt

from tests.answers import ROOT
from tests.conftest import need, need_program
from tests.engine import attempt, docker, need_engine
from tests.program import run
from tests.template.test_questions import refusal
from tests.trees import Tree, rendered

TEXTS: dict[str, list[str]] = yaml.safe_load((ROOT / "tests/attack/data/answers.yml").read_text("utf-8"))
NAME_LENGTH = 64
MARKER = "Xq7marker"
TAG = "slipway-test-labels"


def cut(text: str) -> str:
    """Return as much of the text as a name may have."""
    return text[:NAME_LENGTH].strip()


@pytest.fixture(scope="module")
def nasty(template: Path, tmp_path_factory: pytest.TempPathFactory) -> list[Tree]:
    """Return a project for each two of the texts, and the files for existing code for one of them."""
    sets: list[dict[str, Any]] = []
    texts = TEXTS["accepted"]
    for number, (one, other) in enumerate(zip_longest(texts[::2], texts[1::2], fillvalue=texts[0])):
        about = {"project_description": other, "author_name": one, "license": "MIT", "author_email": "a@example.org"}
        kind = ["api", "cli"][number % 2], ["uv", "pip"][number // 2 % 2]
        whole = about | dict(zip(("preset", "package_manager"), kind, strict=True))
        existing = {"preset": "existing", "api_app": "app:app", "keep": [".devcontainer"] * (number % 2)}
        sets.append({"project_name": cut(one), "project_slug": "a-project", **whole})
        sets.append({"project_name": cut(other), "project_slug": "a-project", **existing})
    return rendered(sets, template, tmp_path_factory.mktemp("nasty"))


def projects(trees: list[Tree]) -> Iterator[tuple[Tree, str]]:
    """Yield each whole project and the text it was given."""
    for tree in trees:
        if "project_description" in tree.answers:
            yield tree, tree.answers["project_description"]


def shown(path: Path) -> list[tuple[str, str]]:
    """Return the tags of the blocks of a page, and the text of each as a browser shows it, without any markup."""
    found = []
    tokens = MarkdownIt("commonmark").enable(["table", "strikethrough"]).parse(path.read_text("utf-8"))
    for opening, token in pairwise(tokens):
        if token.type == "inline":
            texts = [child.content if child.type == "text" else f"<{child.type}>" for child in token.children or []]
            found.append((opening.tag, "".join(texts)))
    return found


@pytest.mark.parametrize("question", ["project_name", "project_description", "author_name"])
def test_texts_are_accepted_or_refused_as_the_list_says(question: str) -> None:
    for text in TEXTS["accepted"]:
        assert not refusal(question, cut(text) if question == "project_name" else text), text
    for text in [*TEXTS["refused"], "a\ud800b", "x" * 201]:
        said = refusal(question, text)
        assert said and len(said.splitlines()) == 1, repr(text)


def test_a_text_is_only_in_files_of_languages_that_escape_it(
    template: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    texts = {name: f"{MARKER} {name}" for name in ("project_name", "project_description", "author_name")}
    texts |= {"project_slug": "a-project", "author_email": f"{MARKER}@example.org", "license": "MIT"}
    everything = {**texts, "preset": "platform", "training": "scheduled", "hf_task": "custom", "torch_version": "none"}
    sets: list[dict[str, Any]] = [
        everything | {"services": ["postgres", "bucket", "monitoring"]},
        {**texts, "hf_task": "text-generation", "runtime": "torch", "training": "manual", "ci": "gitlab"},
        {
            **{name: texts[name] for name in ("project_name", "project_slug")},
            "preset": "existing",
            "api_app": "app:app",
        },
    ]
    languages = {
        *("Dockerfile", "README.md", "AGENTS.md", "pyproject.toml", "LICENSE", ".copier-answers.yml"),
        *("src/a_project/__init__.py", "src/a_project/components.py", "docker/README.md"),
        "src/a_project/server/demo/assets/page.html",
        ".devcontainer/devcontainer.json",
    }
    found = set()
    for tree in rendered(sets, template, tmp_path_factory.mktemp("marked")):
        found |= {path.relative_to(tree.path).as_posix() for path in tree.files() if MARKER in path.read_text("utf-8")}
    assert found == languages


def test_data_files_hold_the_texts(nasty: list[Tree]) -> None:
    for tree in nasty:
        stored = yaml.safe_load((tree.path / ".copier-answers.yml").read_text("utf-8"))
        assert {name: stored[name] for name in tree.answers} == tree.answers
        for path in tree.files():
            if path.suffix in (".yml", ".yaml"):
                assert list(yaml.parse(path.read_text("utf-8"))), path
        for path in tree.path.rglob("devcontainer.json"):
            name = tree.answers["project_name"].replace("${", "$ {")
            assert json.loads(path.read_text("utf-8"))["name"] in (name, f"{name} (GPU)")
    for tree, text in projects(nasty):
        manifest = tomllib.loads((tree.path / "pyproject.toml").read_text("utf-8"))["project"]
        assert manifest["description"] == text
        assert manifest["authors"] == [{"name": tree.answers["author_name"], "email": "a@example.org"}]
        assert tree.answers["author_name"] in (tree.path / "LICENSE").read_text("utf-8").splitlines()[2]


def test_python_holds_the_texts_and_is_clean(nasty: list[Tree]) -> None:
    folders = []
    for tree, text in projects(nasty):
        folders.append(tree.path)
        package = tree.path / "src/a_project"
        assert ast.get_docstring(ast.parse((package / "__init__.py").read_text("utf-8")), clean=False) == text.strip()
        if "api" in tree.answers["preset"]:
            code = ast.parse((package / "components.py").read_text("utf-8"))
            keywords = [node for node in ast.walk(code) if isinstance(node, ast.keyword) and node.arg == "title"]
            assert [ast.literal_eval(each.value) for each in keywords] == [tree.answers["project_name"]]
    for command in (["check", "--no-cache", "--output-format=concise"], ["format", "--no-cache", "--check"]):
        done = run(["ruff", *command, *folders])
        assert done.returncode == 0, done.stdout + done.stderr


def test_pages_show_the_texts(nasty: list[Tree]) -> None:
    for tree in nasty:
        name = tree.answers["project_name"]
        if tree.answers["preset"] == "existing":
            page = shown(tree.path / "docker/README.md")
            assert page[0] == ("h1", f"Containers for {name}")
            if tree.answers["keep"]:
                assert [text for _, text in page if f"then {name}." in text], page
            continue
        page = shown(tree.path / "README.md")
        assert page[:2] == [("h1", name), ("p", tree.answers["project_description"].strip())]
        assert shown(tree.path / "AGENTS.md")[0] == ("h1", f"Working on {name}")
        if (demo := tree.path / "src/a_project/server/demo/assets/page.html").exists():
            written = re.findall(r"<(?:title|h1)>([^<>]*)</", demo.read_text("utf-8"))
            assert [html.unescape(each) for each in written] == [name, name]


def test_scripts_and_makefiles_are_read_without_an_error(nasty: list[Tree]) -> None:
    make = need_program("make")
    for tree in nasty:
        for path in tree.files():
            if path.suffix == ".sh":
                done = run(["bash", "-n", path])
                assert (done.returncode, done.stderr) == (0, ""), path
        if (tree.path / "Makefile").exists():
            done = run([make, "--dry-run", "help"], cwd=tree.path)
            assert (done.returncode, done.stderr) == (0, "")


def test_workflows_hold_nothing_that_an_attacker_could_expand(nasty: list[Tree]) -> None:
    files = [path for tree in nasty for path in tree.path.glob(".github/workflows/*.yml")]
    assert files
    unique = {path.read_bytes(): path for path in files}
    done = run(["zizmor", "--offline", "--persona=pedantic", "--no-progress", *unique.values()])
    assert done.returncode == 0, done.stdout + done.stderr


def test_docker_finds_nothing_in_any_dockerfile(nasty: list[Tree]) -> None:
    need_engine()
    present = run(["docker", "image", "ls", "--format={{.Repository}}:{{.Tag}}"]).stdout.split()
    checked = 0
    for tree in nasty:
        file = tree.path / "Dockerfile"
        if set(re.findall(r"^FROM (\S+:\S+)", file.read_text("utf-8"), re.MULTILINE)) <= set(present):
            checked += 1
            done = attempt("build", "--check", f"--file={file}", tree.path)
            assert done.returncode == 0, f"{tree.answers}: {done.stdout}{done.stderr}"
    need(checked, "needs the image of a Python that projects are based on")


def test_an_image_is_labelled_with_the_texts(nasty: list[Tree], tmp_path: Path) -> None:
    need_engine()
    lines = ["# check=error=true", "FROM scratch", "COPY Dockerfile /", "ARG VERSION=1", "ARG REVISION=2"]
    wanted: dict[str, str] = {}
    for number, tree in enumerate(nasty):
        found = re.search(r"^LABEL (?:.*\\\n)+.*$", (tree.path / "Dockerfile").read_text("utf-8"), re.MULTILINE)
        assert found
        lines.append(found[0].replace("org.opencontainers.image", f"of.{number}"))
        labels = {"title": tree.answers["project_name"], "version": "1", "revision": "2"}
        if text := tree.answers.get("project_description"):
            labels |= {"description": text, "licenses": "MIT"}
        wanted |= {f"of.{number}.{name}": value for name, value in labels.items()}
    (tmp_path / "Dockerfile").write_text("\n".join([*lines, ""]), "utf-8")
    try:
        docker("build", "--quiet", f"--tag={TAG}", tmp_path)
        assert json.loads(docker("image", "inspect", "--format={{json .Config.Labels}}", TAG).stdout) == wanted
    finally:
        attempt("image", "rm", "--force", TAG)


def test_compose_reads_every_project(nasty: list[Tree]) -> None:
    need_engine()
    read = set()
    for tree in nasty:
        content = (tree.path / "compose.yaml").read_bytes()
        if content not in read:
            read.add(content)
            done = attempt("compose", f"--file={tree.path / 'compose.yaml'}", "--profile=*", "config", "--quiet")
            assert (done.returncode, done.stderr) == (0, "")
