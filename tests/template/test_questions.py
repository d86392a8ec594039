"""Lint copier.yml and the files that it includes: Copier silently ignores a mistyped setting or key."""

import keyword
import re
import sys

import pytest
import yaml
from copier._user_data import Question
from jinja2 import Environment, FileSystemLoader, StrictUndefined, UndefinedError
from jinja2.runtime import Macro

from tests.answers import CHOICES, ROOT, TABLE, TASKS
from tests.template.questions import asked, documents, groups, questions

SETTINGS = {
    # copier/_template.py of 9.19, without those that require --trust: jinja_extensions, migrations, tasks
    "answers_file", "envops", "exclude", "external_data", "message_after_copy", "message_after_update",
    "message_before_copy", "message_before_update", "min_copier_version", "preserve_symlinks", "secret_questions",
    "skip_if_exists", "subdirectory", "templates_suffix",
}  # fmt: skip
KEYS = set(Question.__dataclass_fields__) - {"var_name", "answers", "context", "jinja_env", "settings"}
PRESETS = yaml.safe_load((ROOT / "extensions/presets.yml").read_text("utf-8"))

LONG = "a" * 41
ACCEPTED: dict[str, list[object]] = {
    "project_name": ["My Project", "Zoë's 100% #1: [x] {y} <b>*_`&`|~", "日本", "x" * 64],
    "project_slug": ["a", "my-project", "a1-b2", LONG[:40]],
    "package_name": ["a", "my_project", "_private", "a1"],
    "project_description": ["O'Neil", "#1: {x} {{ y }} %", "日本"],
    "author_name": ["O'Neil"],
    "copyright_year": ["2026"],
    "owner": ["", "an-owner", "A.b_c"],
    "author_email": ["", "somebody@example.org"],
    "torch_index": ["https://example.org/whl", "http://localhost:3141/pytorch/"],
    "image_registry": ["", "registry.example.org:5000/mirror"],
    "hf_model": ["", "gpt2", "an-org/a_model.v2", "Org/Model-7B"],
    "hf_revision": ["main", "v1.0", "refs/pr/1", "0" * 40],
    "training_schedule": ["0 2 * * 0", "*/5 6-18,22 1 JAN-MAR Mon"],
    "code_paths": [["src", "b/c-d.py"]],
    "input_folders": [[], ["a", "b/c-d.py"], ["/srv/a", "/data"]],
    "output_folders": [[], ["a", "b/c-d.py"], ["/srv/a", "cache", "/home/me/out"]],
    "environment": [{}, {"A_URL": "redis://:{broker_password}@redis/0", "_b": 1, "C": "'$x' \"y\" \\ {z}", "D": ""}],
    "processes": [
        {},
        {"a": {"command": "b"}},
        {"api": {"environment": {"A": "{database_password}"}, "waits_for": ["redis"]}, "b": {"command": "c"}},
        {"celery_worker": {"command": "celery -A app worker -Q 'a b'", "scale": 3, "health": 'ping "$HOSTNAME"'}},
        {"a": {"command": "sh -c 'b && c > d; e'", "once": True, "waits_for": []}},
        {"a": {"command": "b", "port": 1, "health": "/health", "working_folder": "c/d", "once": False}},
        {"a": {"command": "b", "schedule": "*/5 * * * *"}, "b": {"command": "c", "waits_for": ["a", "postgres"]}},
        {"warm": {"command": "b", "once": True, "waits_for": ["api"]}, "api": {"waits_for": []}},
    ],
    "requirements_file": ["requirements.txt", "a/pyproject.toml", "environment.yml", "setup.py", "a/setup.cfg"],
    "requirements_dev": ["", "dev.txt", "extra:dev", [], None, ["dev.txt", "extra:dev", "group:dev"]],
    "working_folder": ["", "a/b"],
    "commands": [{}, {"a": "python -m b c=d", "b": "x --y=1,2"}],
    "test_command": ["", "pytest", "python -m pytest tests"],
    "api_app": ["", "app:app", "a_b.c:create"],
    "health_route": ["", "/", "/healthz/live"],
}
COMMANDS = ("", "a  b", "a 'b", "a && b", "a; b", "a | b", "a >b", "a $B", "a\nb", 1)
"""Command lines that are none, or that need a shell."""
REFUSED: dict[str, list[object]] = {
    "project_name": [
        "",
        " ",
        "Shop ",
        " Shop",
        'The "best"',
        "One\nTwo",
        "back\\slash",
        "x" * 65,
        "Torch",
        "json",
        "tab\t",
    ],
    "project_slug": ["", "Foo_Bar", "-a", "a-", "a--b", "1a", "ä", LONG, "torch", "class", "a\n"],
    "package_name": ["", "torch", "transformers", "test", "json", "class", "My-Pkg", "1a", "a-b", "a.b", "a\n"],
    "project_description": ["", '"', "\\", "One\nTwo", "x" * 201, "\x7f", "a\n"],
    "author_name": [""],
    "copyright_year": ["", "soon", "26"],
    "owner": ["a/b", "-a", "a b", "a\n"],
    "author_email": ["nonsense", "a@b", "a b@example.org", "a@example.org\n"],
    "torch_index": ["", "ftp://x", "example.org", "https://a b", 'https://"', "https://example.org\n"],
    "image_registry": ["https://a", "a/", "A"],
    "hf_model": ["a/b/c", "a b", "../x", "-a/b", "a/b.git", "a--b", "a/", "/a", "a/b\n", "x" * 97],
    "hf_revision": ["", "a b", "x..y", "-x", "x.lock", "x/", "a//b", "x\n"],
    "training_schedule": ["", "0 2 * *", "0 2 * * 0 0", "@weekly", "0  2 * * 0", "0 2 * * 0\n", '0 2 * * "0"'],
    "code_paths": [[], ["/a"], "a", {"a": "b"}],
    "input_folders": [["a", ""], ["a/../b"], "a", ["/"], ["/usr/a"], ["a/b", "a-b"], ["written"]],
    "output_folders": [
        ["/"],
        ["/tmp/a"],
        ["/app/a"],
        ["/lib64"],
        ["/a b"],
        ["/a/../b"],
        ["a/b", "a-b"],
        ["a", ""],
        ["a/../b"],
        ["-a"],
        ["a b"],
        ["a"] * 51,
        "a",
        {"a": "b"},
        1,
    ],
    "environment": ["", ["a"], {"a-b": "c"}, {"A": ["b"]}, {"A": True}, {"A": None}, {"A": "b\nc"}, {"A": "x" * 1001}],
    "processes": [
        "",
        ["a"],
        {"A": {"command": "b"}},
        {"postgres": {"command": "b"}},
        {"dev": {"command": "b"}},
        {"a": "b"},
        {"a": {}},
        {"a": {"command": "b", "image": "c"}},
        {"api": {"command": "b"}},
        *({"a": {"command": command}} for command in COMMANDS),
        *({"a": {"command": "b", "port": port}} for port in ("1", -1, 65536, True, 8000)),
        {"a": {"command": "b", "port": 5555}, "b": {"command": "b", "port": 5555}},
        {"a": {"command": "b", "health": "/health"}},
        {"a": {"command": "b", "health": "/a?b", "port": 1}},
        {"a": {"command": "b", "health": ["b"]}},
        {"a": {"command": "b", "working_folder": "/b"}},
        *({"a": {"command": "b", "schedule": schedule}} for schedule in ("", "@daily", "0 2 * *", 5)),
        {"a": {"command": "b", "schedule": "0 2 * * 0", "once": True}},
        {"a": {"command": "b", "schedule": "0 2 * * 0", "scale": 2}},
        *({"a": {"command": "b", "scale": scale}} for scale in (0, 101, "2", True, 1.5)),
        {"a": {"command": "b", "scale": 2, "port": 1}},
        {"a": {"command": "b", "scale": 2, "once": True}},
        {"a": {"command": "celery -A app beat", "scale": 2}},
        {"api": {"scale": 2}},
        {"a": {"command": "b", "once": "yes"}},
        {"a": {"command": "b", "environment": {"A-B": "c"}}},
        *({"a": {"command": "b", "waits_for": waits}} for waits in ("api", ["b"], ["a"], ["bucket"], {"api": 1}, 1)),
        {"a": {"command": "b", "waits_for": ["c"]}, "c": {"command": "b", "waits_for": ["a"]}},
        {"a": {"command": "b", "once": True, "waits_for": ["api"]}},
        {f"a{number}": {"command": "b"} for number in range(51)},
    ],
    "requirements_file": ["", "Pipfile", "my_setup.py", "../requirements.txt"],
    "requirements_dev": ["setup.py", "extra:", "extra:a b", ["a.txt", "setup.py"], ["extra:"], {"a": "b"}, 1],
    "working_folder": ["/a", ".."],
    "commands": ["", ["a"], {"A": "b"}, {"help": "b"}, {"a": "b\nc"}, {"a": "$b"}, {"a": "b;c"}, {"a": ""}],
    "test_command": ["a  b", "a;b", "a\n", "$a", "a 'b'", "-a"],
    "api_app": ["app", "app:", "a-b:c", "app:app()", "a:b\n"],
    "health_route": ["health", "/a b", "/a\n", "/?a"],
}
READ: dict[str, list[object]] = {
    "interfaces": ["[cli]", "[cli, 'api']", ["cli", "api"]],
    "services": ["[]", "[ postgres ]", []],
    "deploy": ["[]", "[kubernetes]", ["kubernetes"]],
    "code_paths": ["[src]", "[ a/b.py , 'c' ]", ["a", "b/c-d.py"]],
    "requirements_dev": ["", None, "extra:dev", "[]", "[a.txt, extra:dev]", ["a.txt", "group:b"]],
    "commands": ["{}", "{train: python train.py}", '{a: "x --y=1,2", b: z}', {"a": "python -m b c=d"}],
    "environment": ["{}", '{A_URL: "redis://:{broker_password}@redis/0", B: 1}', {"A": "b"}],
    "processes": [
        "{}",
        "{worker: {command: celery -A app worker, scale: 2}}",
        '{"a": {"command": "b", "once": true, "health": "test -n \\"$A\\" \\\\ c"}}',
        "{a: {command: sh -c \"b && c\", schedule: '*/5 * * * *', waits_for: [b, redis], environment: {A: b, C: 1}}}",
        {"a": {"command": "b"}},
    ],
    "python_version": ["3.12", 3.12],
    "torch_version": [TABLE["default"]["torch"], "none"],
    "_commit": ["anything", None],
}
UNREAD: dict[str, list[object]] = {
    "interfaces": [
        "",
        "[cli",
        "cli",
        "[cli, ",
        "[a: b]",
        "{cli: api}",
        "[[cli]]",
        "[cli]\n",
        "[web]",
        None,
        1,
        {"cli": 1},
    ],
    "services": ["[", "[foo]", "postgres", True],
    "deploy": ["[", "[nomad]", "kubernetes", True],
    "code_paths": ["", "a", "[a", "[a: b]", "[a]\n", "[*a]", "[&a b]", "[a b]", "['a]"],
    "requirements_dev": ["a b", "{a: b}", "[a b]", "[a: b]", {"a": "b"}, True],
    "commands": ["", "a", "{a}", "{a: }", "{a: b;c}", "{a: b: c}", "{a: [b]}", "{a: b", "[a]", ["a"], None],
    "environment": ["", "a", "{A: {b: c}}", "{A: [b]}", "{A: b", '{A: "b}', "[A]", ["A"], None],
    "processes": [
        "",
        "a",
        "{a: b}",
        "{a: {b: {c: {d: e}}}}",
        "{a: {b: *c}}",
        "{a: {b: c: d}}",
        "{a: {b: c}",
        ["a"],
        None,
    ],
    "copyright_year": [None],
    "python_version": ["3", "2.7", ["3.12"]],
    "torch_version": ["9.9", "", None],
    "preset": ["web", None],
    "project_name": [None, ["a"], {"a": "b"}],
    "project_nane": ["a"],
    "torch_table": ["{}"],
    "devcontainer": [True, "maybe"],
}

TABLES = {"choices": [CHOICES], "tasks": [TASKS], "torch_table": [TABLE], "presets": [PRESETS]}


def environment() -> Environment:
    """Return a Jinja environment like Copier's."""
    found = Environment(loader=FileSystemLoader(ROOT), undefined=StrictUndefined, keep_trailing_newline=True)
    found.add_extension("jinja2_ansible_filters.AnsibleCoreFiltersExtension")
    return found


JINJA = environment()
DEFAULTS: dict[str, object] = {
    "preset": "api",
    "kind": "project",
    "hf_task": "custom",
    "hf_model": "",
    "requirements_file": "pyproject.toml",
    "api_app": "app:app",
    "services": ["postgres", "redis"],
    "processes": {},
    "output_folders": ["written"],
    "stored": {},
}


def refusal(question: str, value: object, **context: object) -> str:
    """Return the error of the question's rule for a value beside other answers; empty if the value is valid."""
    rule = JINJA.get_template(f"extensions/rules/{question}.jinja")
    return rule.render(TABLES | DEFAULTS | context | {question: value})


def unread(question: str, value: object) -> str:
    """Return the error for a value from --data before the first question; empty if the value can be read."""
    try:
        said = JINJA.get_template("extensions/checks/given.jinja").render(
            TABLES | DEFAULTS | {"_copier_conf": {"data": {question: value}}}
        )
    except UndefinedError as error:
        return str(error)
    assert said.strip() == ""
    return ""


def macro(file: str, name: str) -> Macro:
    """Return a macro of a Jinja file in extensions."""
    found = getattr(JINJA.get_template(f"extensions/{file}.jinja").module, name)
    assert isinstance(found, Macro)
    return found


def test_copier_knows_every_setting() -> None:
    settings = {name for document in documents() if isinstance(document, dict) for name in document}
    assert {name for name in settings if not name.startswith("_")} == set(), "questions belong in extensions/questions"
    assert {name.removeprefix("_") for name in settings} <= SETTINGS


def test_copier_knows_every_key() -> None:
    for name, question in questions().items():
        assert isinstance(question, dict), f"{name} is not written in full"
        assert set(question) <= KEYS, name


def test_every_file_of_questions_is_included_once() -> None:
    included = [str(path) for path in groups()]
    assert sorted(included) == sorted(str(path) for path in (ROOT / "extensions/questions").glob("*.yml"))
    names = [name for group in groups().values() for name in group]
    assert len(names) == len(set(names))


def test_every_question_tells_what_it_changes() -> None:
    for name, question in asked().items():
        text = question.get("help", "")
        assert text[-1:] in (".", "?"), f"{name}: the help is not a sentence"
        assert len(text.split()) >= 4, f"{name}: the help says too little"
        assert len(text) <= 120, f"{name}: the help does not fit a line"
        assert text[0].isupper()


def test_every_question_has_a_type_and_a_default() -> None:
    for name, question in questions().items():
        assert "type" in question and "default" in question, name


def test_a_rule_is_named_after_the_question_that_it_is_for() -> None:
    rules = {path.stem for path in (ROOT / "extensions/rules").iterdir()}
    included = {}
    for name, question in asked().items():
        found = re.findall(r"question = '(\w+)'|rules/(\w+)[.]jinja", question.get("validator", ""))
        included[name] = ["".join(each) for each in found]
    offered = {"torch_version", "python_version", "accelerator"}  # at a prompt, the choices are the rule
    assert {name for name, found in included.items() if found == [name]} == rules - offered
    assert {name for name, found in included.items() if not found} == set(asked()) - rules | offered


def test_when_says_nothing_but_when_a_question_applies() -> None:
    for name, question in asked().items():
        assert len(str(question.get("when", ""))) < 80, name


def test_the_choices_name_every_question() -> None:
    assert set(CHOICES) == set(asked())
    for name, question in asked().items():
        reads = re.search(rf"choices\S*\.{name}\b", question.get("choices", ""))
        assert bool(reads) == bool(CHOICES[name]), f"{name} does not read its choices"


def test_nothing_computed_can_be_asked_or_stored() -> None:
    computed = {name: question for name, question in questions().items() if name not in CHOICES}
    assert computed and all(question.get("when") is False for question in computed.values())
    tables = groups()[ROOT / "extensions/questions/data.yml"]
    assert list(questions())[: len(tables)] == list(tables), "tables come first"


def test_presets_are_the_choices_and_set_the_same_answers() -> None:
    assert list(PRESETS) == list(CHOICES["preset"].values())
    for preset, defaults in PRESETS.items():
        assert set(defaults) == set(PRESETS["custom"]), preset
        assert set(defaults) <= set(CHOICES) - {"preset"}
        for name, value in defaults.items():
            allowed = (CHOICES[name] or {}).values()
            assert set(value if isinstance(value, list) else [value]) <= set(allowed), f"{preset}: {name}"
    for name in PRESETS["custom"]:
        default = asked()[name]["default"]
        default += "".join(
            (ROOT / path).read_text("utf-8") for path in re.findall(r"extensions/defaults/\w+.jinja", default)
        )
        assert f"[preset].{name}" in default, f"{name} does not ask its preset"


@pytest.mark.parametrize("version", [*TABLE["releases"], "none"])
def test_a_prompt_offers_what_the_table_has(version: str) -> None:
    release = TABLE["releases"][TABLE["default"]["torch"] if version == "none" else version]
    context = TABLES | DEFAULTS | {"torch_version": version}
    offered = {
        name: yaml.safe_load(JINJA.get_template(f"extensions/choices/{name}.jinja").render(context))
        for name in ("torch_version", "python_version", "accelerator")
    }
    assert set(offered["torch_version"]) == {*TABLE["releases"], "none"} - set(TABLE["retired"])
    assert offered["python_version"] == [python for python in release["python"] if python not in TABLE["ended"]]
    assert list(offered["accelerator"].values()) == (["cpu"] if version == "none" else release["accelerators"])


@pytest.mark.parametrize("question", ACCEPTED)
def test_a_rule_accepts_what_is_right_and_refuses_the_rest_in_a_sentence(question: str) -> None:
    assert [value for value in ACCEPTED[question] if refusal(question, value)] == []
    said = {str(value): refusal(question, value) for value in REFUSED[question]}
    assert [
        value for value, sentence in said.items() if not sentence.endswith(".") or sentence != sentence.strip()
    ] == []


@pytest.mark.parametrize("question", sorted(READ | UNREAD))
def test_data_that_cannot_be_read_is_refused_before_the_first_question(question: str) -> None:
    assert [(value, unread(question, value)) for value in READ.get(question, []) if unread(question, value)] == []
    said = {str(value): unread(question, value) for value in UNREAD.get(question, [])}
    assert [value for value, sentence in said.items() if question not in sentence] == []


@pytest.mark.parametrize("task", TASKS)
def test_a_task_proposes_what_its_own_rules_accept(task: str) -> None:
    model, revision = TASKS[task]["model"], TASKS[task]["revision"]
    assert refusal("hf_model", model) == ""
    if model:
        assert refusal("hf_revision", revision) == ""
        assert re.fullmatch(r"[0-9a-f]{40}", revision), "a default is pinned to a commit"
    assert refusal("project_description", TASKS[task]["description"]) == ""
    toolchain = {f"{name}_version": TABLE["default"][name] for name in ("torch", "python")}
    for runtime in TASKS[task]["runtimes"]:
        accelerator = TABLE["default"]["accelerator"]
        assert refusal("runtime", runtime, hf_task=task, accelerator=accelerator, **toolchain) == ""
        assert runtime in CHOICES["runtime"].values()


@pytest.mark.parametrize(
    ("name", "slug"),
    [
        ("My Project", "my-project"),
        ("Café 🚀", "cafe"),
        ("Cafe\u0301", "cafe"),
        ("Łódź Straße Ærø", "lodz-strasse-aero"),
        ("2nd: İstanbul", "nd-istanbul"),
        ("日本", "my-project"),
        ("a" * 39 + " b", "a" * 39),
    ],
)
def test_a_slug_keeps_the_letters_of_a_name(name: str, slug: str) -> None:
    assert macro("slug", "slugify")(name) == slug


@pytest.mark.parametrize(
    ("folder", "name"),
    [
        ("shop", "shop"),
        ("Café 🚀", "Café 🚀"),
        ("torch", "torch project"),
        ("JSON", "JSON project"),
        ('The "best"', "The  best"),
        ("..", "My Project"),
        ("2026", "My Project"),
        ("", "My Project"),
        ("日本", "日本"),
        ("x" * 200, "x" * 56),
    ],
)
def test_a_project_is_called_like_its_folder_where_that_is_a_name(folder: str, name: str) -> None:
    assert macro("slug", "folder_name")(folder) == name
    assert refusal("project_name", name) == ""


def test_no_package_can_shadow_the_standard_library() -> None:
    clash = macro("names", "clash")
    public = {name for name in sys.stdlib_module_names if not name.startswith("_")}
    assert {name for name in public if not clash(name)} == set()


def test_no_package_can_be_a_keyword() -> None:
    clash = macro("names", "clash")
    lower = {name for name in keyword.kwlist if name.islower()}
    assert {name for name in lower if "keyword" not in clash(name)} == set()


def test_nothing_needs_trust() -> None:
    text = (ROOT / "copier.yml").read_text("utf-8")
    assert not re.search(r"^_(tasks|migrations|jinja_extensions)\b", text, re.MULTILINE)
    imported = re.compile(r"\bjinja2\b|\bcopier_template_extensions\b")  # imports of a Jinja extension
    assert not [path for path in (ROOT / "extensions").rglob("*.py") if imported.search(path.read_text("utf-8"))]
