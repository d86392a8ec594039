"""Generated trees, in every combination of two choices, pass linters and schemas and hold no leftovers of Jinja."""

import itertools
import json
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from markdown_it import MarkdownIt

from tests import answers
from tests.conftest import need, need_program
from tests.engine import need_engine
from tests.hosted import ELSEWHERE, NOT_RUN, every_command
from tests.program import run
from tests.trees import Tree
from tests.workflows import GITHUB, GITLAB, commands, gitlab_jobs


def _reset(loader: yaml.SafeLoader, node: yaml.Node) -> None:
    """Read Compose's tag for a value that is taken away."""


def _override(loader: yaml.SafeLoader, node: yaml.MappingNode | yaml.SequenceNode) -> object:
    """Read Compose's tag for a value that replaces another."""
    if isinstance(node, yaml.MappingNode):
        return loader.construct_mapping(node, deep=True)
    return loader.construct_sequence(node, deep=True)


yaml.SafeLoader.add_constructor("!reset", _reset)
yaml.SafeLoader.add_constructor("!override", _override)

SCHEMAS = answers.ROOT / "tests/schemas"
TEXT_OF_FEATURES = {
    "api": re.compile(r"fastapi|uvicorn|prometheus|\bserve\b", re.IGNORECASE),
    "uv": re.compile(r"\buv\b"),
    "pip": re.compile(r"pylock|(?<!--build-)constraints"),
    "hub": re.compile(r"hugging|transformers|\bhub\b|HF_", re.IGNORECASE),
    "devcontainer": re.compile(r"devcontainer|\beditor\b|VS ?Code", re.IGNORECASE),
}


def test_the_sets_hold_every_pair_that_is_possible() -> None:
    values = answers.values()
    rows = list(answers.covering())
    for one, other in itertools.combinations(values, 2):
        for first, second in itertools.product(values[one], values[other]):
            wanted = {one: first, other: second}
            if not answers.possible(wanted):
                continue
            expected = {name: value for name, value in wanted.items() if value != "default"}
            assert any(
                all(row.get(name) == value or name not in row for name, value in expected.items()) for row in rows
            ), wanted


def test_no_template_syntax_is_left(all_trees: list[Tree]) -> None:
    for tree in all_trees:
        for path in tree.files():
            name = str(path.relative_to(tree.path))
            assert not re.search(r"[{}%]|jinja", name), name
            # A chat template is Jinja itself; alerts and legends use templates of Prometheus and Grafana.
            if path.name != "example.py" and not name.startswith(
                ("deploy/monitoring/", "deploy/kubernetes/components/monitoring/")
            ):
                assert not re.search(r"(?<!\$)\{\{|\{%|%\}", path.read_text()), path  # ${{ is an expression of GitHub


def test_every_file_has_content_and_a_tidy_end(all_trees: list[Tree]) -> None:
    for tree in all_trees:
        for path in tree.files():
            text = path.read_text("utf-8")
            if path.name == "py.typed":
                continue  # PEP 561: an empty file
            assert text.strip(), f"{path} is empty"
            assert text.endswith("\n") and not text.endswith("\n\n"), f"{path} does not end in one line break"
            assert not text.startswith("\n"), f"{path} begins with a blank line"
            assert "\n\n\n\n" not in text, f"{path} has stray blank lines"
            assert not re.search(r"[ \t]+$", text, re.MULTILINE), f"{path} has trailing white space"
            if path.suffix not in (".py", ".mako"):  # .mako is a template of Python code
                assert "\n\n\n" not in text, f"{path} has stray blank lines"


def test_nothing_speaks_of_a_feature_that_was_not_chosen(trees: list[Tree]) -> None:
    for tree in trees:
        absent = {
            "api": "api" not in tree.answers["interfaces"],
            "uv": tree.answers["package_manager"] != "uv",
            "pip": tree.answers["package_manager"] != "pip",
            "hub": tree.answers["hf_task"] == "custom" and "hf-space" not in tree.answers.get("deploy", []),
            "devcontainer": tree.answers["devcontainer"] == "no",
        }
        for path in tree.files():
            if path.name in (".copier-answers.yml", "LICENSE", "update.py"):  # update.py is the same in every project
                continue
            for feature in (name for name, missing in absent.items() if missing):
                if (feature, path.name) == ("hub", "where-it-runs.md"):  # names the platforms of vendors
                    continue
                found = TEXT_OF_FEATURES[feature].search(path.read_text())
                assert not found, f"{path} says {found[0]!r}, and {feature} is not in {tree.answers}"


def _documents(text: str) -> list[object]:
    return list(yaml.safe_load_all(text))  # a manifest of Kubernetes may hold several


def test_data_files_parse(all_trees: list[Tree]) -> None:
    parsers = {".toml": tomllib.loads, ".json": json.loads, ".yml": yaml.safe_load, ".yaml": _documents}
    for tree in all_trees:
        for path in tree.files():
            if path.suffix in parsers:
                assert parsers[path.suffix](path.read_text()), path


def test_ruff_finds_nothing(all_trees: list[Tree]) -> None:
    folders = [tree.path for tree in all_trees]
    for command in (["check", "--no-cache", "--output-format=concise"], ["format", "--no-cache", "--check"]):
        done = run(["ruff", *command, *folders])
        assert done.returncode == 0, done.stdout + done.stderr


def test_yamllint_finds_nothing(all_trees: list[Tree]) -> None:
    rules = {
        "document-start": "disable",
        "indentation": {"indent-sequences": "whatever"},
        "line-length": {"max": 120},
        "truthy": {"check-keys": False},  # GitHub's key is `on`
    }
    done = run(
        [
            "yamllint",
            "--strict",
            "-d",
            json.dumps({"extends": "default", "rules": rules}),
            *[tree.path for tree in all_trees],
        ]
    )
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize(
    ("name", "checker"),
    [
        (".pre-commit-config.yaml", ["pre-commit", "validate-config"]),
        ("pyproject.toml", ["validate-pyproject"]),
    ],
)
def test_files_fit_their_schemas(trees: list[Tree], name: str, checker: list[str]) -> None:
    files = [tree.path / name for tree in trees]
    unique = {path.read_bytes(): path for path in files}
    done = run([*checker, *unique.values()])
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize(
    ("pattern", "schema"), [(f"{GITHUB}/*.yml", "vendor.github-workflows"), (f"*{GITLAB}", "vendor.gitlab-ci")]
)
def test_workflows_fit_the_schemas_of_those_who_run_them(all_trees: list[Tree], pattern: str, schema: str) -> None:
    unique = {path.read_bytes(): path for tree in all_trees for path in tree.path.glob(pattern)}
    done = run(["check-jsonschema", f"--builtin-schema={schema}", *unique.values()])
    assert done.returncode == 0, done.stdout + done.stderr


def test_zizmor_finds_nothing(all_trees: list[Tree]) -> None:
    unique = {path.read_bytes(): path for tree in all_trees for path in tree.path.glob(f"{GITHUB}/*.yml")}
    done = run(["zizmor", "--offline", "--persona=pedantic", "--no-progress", *unique.values()])
    assert done.returncode == 0, done.stdout + done.stderr


def test_images_that_are_too_big_for_every_push_are_built_at_tags_alone(all_trees: list[Tree]) -> None:
    for tree in all_trees:
        if tree.answers["ci"] == "none":
            assert not (tree.path / GITHUB).exists()
            assert not list(tree.path.glob(f"*{GITLAB}"))
        elif tree.answers.get("accelerator", "cpu") != "cpu":
            triggers = list(_triggers_of_builds(tree.path))
            assert triggers
            for trigger in triggers:
                assert "tag" in trigger, tree.path
                assert not re.search("branch|pull_request|merge_request", trigger), tree.path


def _triggers_of_builds(project: Path) -> Iterator[str]:
    """Yield the triggers of each job that builds images; on GitHub, fail if it does not free the disk first."""
    for file in (project / GITHUB).glob("*.yml"):
        content = yaml.safe_load(file.read_text())
        for job in content["jobs"].values():
            actions = [step.get("uses", "").partition("@")[0] for step in job["steps"]]
            if "docker/build-push-action" in actions:
                freed = [step.get("run", "").startswith("sudo rm -rf /") for step in job["steps"]]
                assert True in freed[: actions.index("docker/build-push-action")], f"{file}: the disk is full"
                yield json.dumps(content[True])  # YAML reads the key `on` as true
    for file in project.glob(f"*{GITLAB}"):
        for job in gitlab_jobs(file).values():
            if any("docker build" in line for line in job["script"]):
                yield json.dumps(job["rules"]).lower()


def test_commands_that_are_told_apart_are_those_of_a_workflow(python_trees: list[Tree]) -> None:
    every = {job for tree in python_trees for job in commands(tree.path)}
    for test, jobs in ELSEWHERE.items():
        assert (answers.ROOT / test).exists()
        assert jobs <= every
    assert NOT_RUN.keys() <= every_command(python_trees)


def test_development_containers_fit_their_schema(all_trees: list[Tree]) -> None:
    files = {path.read_bytes(): path for path in _development_containers(all_trees)}
    done = run(["check-jsonschema", f"--schemafile={SCHEMAS / 'devContainer.base.schema.json'}", *files.values()])
    assert done.returncode == 0, done.stdout + done.stderr


def test_development_containers_are_there_for_those_who_chose_them(python_trees: list[Tree]) -> None:
    for tree in python_trees:
        theirs = ".devcontainer" in tree.answers.get("keep", [])
        wanted = [".devcontainer/slipway/devcontainer.json" if theirs else ".devcontainer/devcontainer.json"]
        if tree.answers.get("accelerator", "cpu") != "cpu":
            wanted.append(f".devcontainer/{'slipway-gpu' if theirs else 'gpu'}/devcontainer.json")
        found = sorted(str(path.relative_to(tree.path)) for path in _development_containers([tree]))
        assert found == (sorted(wanted) if tree.answers["devcontainer"] == "yes" else [])


def test_development_containers_name_files_and_services_that_there_are(python_trees: list[Tree]) -> None:
    for tree in python_trees:
        served = tree.answers["api_app"] if "api_app" in tree.answers else "api" in tree.answers["interfaces"]
        for path in _development_containers([tree]):
            settings = json.loads(path.read_text())
            files = [(path.parent / name).resolve() for name in settings["dockerComposeFile"]]
            assert [file.parent for file in files] == [tree.path.resolve()] * len(files)
            services = [yaml.safe_load(file.read_text())["services"] for file in files]
            gpu = path.parent.name.endswith("gpu")
            assert any(file.name.endswith("compose.gpu.yaml") for file in files) == gpu
            merged = {name: value for each in services for name, value in each.get(settings["service"], {}).items()}
            assert f".:{settings['workspaceFolder']}" in merged["volumes"]
            assert bool(merged.keys() & {"deploy", "devices"}) == gpu
            assert settings["runServices"] == [settings["service"]], "or everything else would start too"
            assert settings.get("forwardPorts", []) == ([8000] if served else [])
            dockerfile = next(tree.path.glob("*Dockerfile")).read_text()
            assert re.search(rf"^FROM \w+ AS {merged['build']['target']}$", dockerfile, re.MULTILINE)
            assert re.search(rf"\buseradd\b.* {settings['remoteUser']}\b", dockerfile)


def _development_containers(trees: list[Tree]) -> list[Path]:
    return [path for tree in trees for path in tree.files() if path.name == "devcontainer.json"]


def test_shell_scripts_are_clean(all_trees: list[Tree]) -> None:
    scripts = [path for tree in all_trees for path in tree.files() if path.read_text().startswith("#!/bin/")]
    if scripts:
        done = run(["shellcheck", *scripts])
        assert done.returncode == 0, done.stdout


def test_links_in_markdown_lead_somewhere(all_trees: list[Tree]) -> None:
    for tree in all_trees:
        for path in tree.path.rglob("*.md"):
            for link in _links(path.read_text()):
                if not re.match(r"https?://|mailto:|#", link):
                    assert (path.parent / link.partition("#")[0]).exists(), f"{path} links to {link}"


def test_every_verb_of_the_makefile_is_in_its_help(trees: list[Tree]) -> None:
    make = need_program("make")
    for tree in trees:
        done = subprocess.run([make, "help"], cwd=tree.path, capture_output=True, text=True, check=True)
        listed = [line.split()[0] for line in done.stdout.splitlines()]
        phony = re.findall(r"^\.PHONY: (.+)$", (tree.path / "Makefile").read_text(), re.MULTILINE)
        assert sorted(listed) == sorted(phony)


def test_adding_no_package_says_how_to_name_one(trees: list[Tree]) -> None:
    tree = next(each for each in trees if each.answers["package_manager"] == "uv")
    command = [need_program("make"), "add", f"UV={sys.executable}"]
    done = subprocess.run(command, cwd=tree.path, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert done.stderr.splitlines()[0] == 'add: name the packages: make add PACKAGES="polars httpx"'
    assert not done.stdout


def test_every_command_that_the_makefile_calls_exists(trees: list[Tree]) -> None:
    for tree in trees:
        [program] = tomllib.loads((tree.path / "pyproject.toml").read_text())["project"]["scripts"]
        called = set(
            re.findall(rf"^\t\$\(BIN\)/{program} ([a-z-]+)", (tree.path / "Makefile").read_text(), re.MULTILINE)
        )
        assert "doctor" in called
        assert called <= {path.stem for path in tree.path.glob("src/*/cli/*.py")}, tree.answers


def test_every_command_in_the_readme_exists(trees: list[Tree]) -> None:
    for tree in trees:
        verbs = set(re.findall(r"^\.PHONY: (.+)$", (tree.path / "Makefile").read_text(), re.MULTILINE))
        text = (tree.path / "README.md").read_text()
        assert set(re.findall(r"\bmake ([a-z-]+)", text)) <= verbs


def test_code_that_exists_already_is_given_nothing_at_its_root_but_what_docker_reads(
    existing_trees: list[Tree],
) -> None:
    allowed = re.compile(
        r"\.(copier-answers\.yml|devcontainer|github)|(slipway)?\.gitlab-ci\.yml|(slipway\.)?(Dockerfile|compose)(\.\w+)*"
    )
    for tree in existing_trees:
        names = [path.name for path in tree.path.iterdir()]
        ours = "slipway" if "docker" in tree.answers["keep"] else "docker"
        assert [name for name in names if not allowed.fullmatch(name)] == [ours]
        for kept in ("Dockerfile", "compose.yaml"):
            assert (kept in names) != (kept in tree.answers["keep"])
            assert (f"slipway.{kept}" in names) == (kept in tree.answers["keep"])
            told = [path for path in tree.files() if f"slipway.{kept}" in path.read_text()]
            assert bool(told) == (kept in tree.answers["keep"])
        if tree.answers["ci"] == "gitlab":
            assert (GITLAB in names) != (GITLAB in tree.answers["keep"])


def test_a_folder_docker_of_theirs_is_never_taken_for_ours(existing_trees: list[Tree]) -> None:
    program = "update.py"  # the same in every project
    trees = [tree for tree in existing_trees if "docker" in tree.answers["keep"]]
    assert any(tree.answers["services"] for tree in trees)
    for tree in trees:
        for path in tree.files():
            if path.name != program:
                assert re.findall(r"(?<![\w/])docker/(?!\S+-action@)\w\S*", path.read_text()) == [], path


def test_one_project_is_known_by_one_name(trees: list[Tree]) -> None:
    for tree in trees:
        project = tomllib.loads((tree.path / "pyproject.toml").read_text())["project"]
        package = next((tree.path / "src").iterdir()).name
        assert project["scripts"] == {project["name"]: f"{package}.cli.program:main"}
        assert f'env_prefix="{package.upper()}_"' in (tree.path / "src" / package / "base_settings.py").read_text()


def _links(markdown: str) -> list[str]:
    found = []
    for token in MarkdownIt().parse(markdown):
        for child in token.children or []:
            if child.type == "link_open":
                found.append(str(child.attrs["href"]))
            elif child.type == "image":
                found.append(str(child.attrs["src"]))
    return found


def test_the_template_has_no_file_without_a_purpose() -> None:
    suffixless = [path for path in (Path(answers.ROOT) / "template").rglob("*.jinja") if path.is_file()]
    for path in suffixless:
        assert re.search(r"\{\{|\{%", path.read_text()), f"{path.name} is not a template: drop .jinja"


def _dockerfiles(trees: list[Tree]) -> list[Path]:
    return [path for tree in trees for path in tree.path.glob("*Dockerfile")]


def test_the_build_that_exports_a_model_copies_every_module_that_it_imports(trees: list[Tree]) -> None:
    stages = 0
    for dockerfile in _dockerfiles(trees):
        stage = re.search(r"^FROM scratch AS model-code\n(.*?)\n\n", dockerfile.read_text(), re.MULTILINE | re.DOTALL)
        if not stage:
            continue
        stages += 1
        root = dockerfile.parent
        copied = [root / name for name in re.findall(r"src/\S+", stage[1])]
        modules = {file for path in copied for file in ([path] if path.is_file() else path.rglob("*.py"))}
        package = next((root / "src").iterdir())
        waiting = [package / name for name in ("base_settings.py", "backends/onnx_export.py", "task/export.py")]
        reached: set[Path] = set()
        while waiting:
            module = waiting.pop()
            assert module in modules, f"{dockerfile}: the stage model-code lacks {module.relative_to(package)}"
            reached.add(module)
            for dots, name in re.findall(r"^from (\.+)([\w.]+) import", module.read_text(), re.MULTILINE):
                base = module.parents[len(dots) - 1] / name.replace(".", "/")
                found = base.with_suffix(".py") if base.with_suffix(".py").is_file() else base / "__init__.py"
                waiting += {found} - reached
    assert stages


def test_every_installation_gets_the_credentials_of_private_registries(frontend_trees: list[Tree]) -> None:
    for dockerfile in _dockerfiles([tree for tree in frontend_trees if tree.answers["frontend"] != "static"]):
        steps = re.findall(r"^RUN (?:.*\\\n)*.*", dockerfile.read_text(), re.MULTILINE)
        asking = [step for step in steps if re.search(r"packages\.mjs (install|lock)", step)]
        assert asking
        assert all("id=npmrc" in step for step in asking)


def test_every_installation_gets_the_credentials_of_private_indexes(python_trees: list[Tree]) -> None:
    installs = re.compile(
        r"\b(uv (lock|sync|build|pip (install|sync))|pip (lock|install)|lock\.py (write|find)|package\.py)\b"
    )
    for dockerfile in _dockerfiles(python_trees):
        steps = re.findall(r"^RUN (?:.*\\\n)*.*", dockerfile.read_text(), re.MULTILINE)
        asking = [step for step in steps if installs.search(step) and "--no-index" not in step]
        assert asking
        for step in asking:
            local = "/wheel/*.whl" in step and "--no-deps" in step and "package.py" not in step
            assert local or {"id=netrc", "id=indexes"} <= set(re.findall(r"id=\w+", step)), step


def test_docker_finds_nothing_in_dockerfiles(all_trees: list[Tree]) -> None:
    need_engine()
    present = run(["docker", "image", "ls", "--format={{.Repository}}:{{.Tag}}"]).stdout.split()
    unique = {}
    for dockerfile in _dockerfiles(all_trees):
        text = dockerfile.read_text()
        bases = set(re.findall(r"^FROM (\S+:\S+)", text, re.MULTILINE))
        if bases <= set(present):  # the check asks a registry for other images, which may be out of reach
            unique[re.sub(r'="[^"]*"|[a-z]+_[a-z]+|weights\.py .*', "", text, flags=re.IGNORECASE)] = dockerfile
    need(unique, "needs the image of a Python that projects are based on")
    for dockerfile in unique.values():
        done = run(["docker", "build", "--check", f"--file={dockerfile}", dockerfile.parent])
        assert done.returncode == 0, done.stdout + done.stderr


def test_hadolint_finds_nothing(all_trees: list[Tree]) -> None:
    reasons = {
        "DL3003": "a step changes the folder only for itself",
        "DL3008": "the release of the base image fixes the versions of Debian's packages",
        "DL3067": "the copy of a file system leaves out what its steps replaced",
        "DL3064": "HF_TOKEN is declared as an argument to reject it",
        "DL4006": "each pipe begins with echo or tr, which do not fail",
    }
    ignored = [f"--ignore={rule}" for rule in reasons]
    files = {path.read_bytes(): path for path in _dockerfiles(all_trees)}
    done = run(["hadolint", "--no-color", *ignored, *files.values()])
    assert done.returncode == 0, done.stdout + done.stderr


def test_compose_takes_the_files_as_people_combine_them(python_trees: list[Tree], frontend_trees: list[Tree]) -> None:
    need_engine()
    checked = set()
    for tree in [*python_trees, *frontend_trees]:
        found = [path.name for path in sorted(tree.path.glob("*compose*.yaml"))]
        base, override = (
            next(name for name in found if name.endswith(f"compose{end}.yaml")) for end in ("", ".override")
        )
        rest = [name for name in found if name not in (base, override)]
        ways = [[base], [base, override]]
        ways += [[*way, name] for way in ways for name in rest]
        for way in ways:
            content = b"".join((tree.path / name).read_bytes() for name in way)
            content = re.sub(rb"[a-z][a-z0-9]*([-_][a-z0-9]+)+", b"", content, flags=re.IGNORECASE)  # names
            if content in checked:
                continue
            checked.add(content)
            options = [f"--file={tree.path / name}" for name in way]
            done = run(["docker", "compose", *options, "--profile=*", "config", "--quiet"])
            assert (done.returncode, done.stderr) == (0, ""), f"{tree.path} {way}: {done.stderr}"
