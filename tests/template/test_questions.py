"""Lint of copier.yml and what it includes: Copier ignores a mistyped setting or key without a word."""

import keyword
import re
import sys
from typing import Any

import pytest
import yaml
from copier._user_data import Question
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from tests.answers import CHOICES, ROOT, TABLE, TASKS
from tests.template.questions import asked, documents, groups, questions

SETTINGS = {
    # copier/_template.py of 9.19, less those that need the user's trust: jinja_extensions, migrations, tasks
    "answers_file", "envops", "exclude", "external_data", "message_after_copy", "message_after_update",
    "message_before_copy", "message_before_update", "min_copier_version", "preserve_symlinks", "secret_questions",
    "skip_if_exists", "subdirectory", "templates_suffix",
}  # fmt: skip
KEYS = set(Question.__dataclass_fields__) - {"var_name", "answers", "context", "jinja_env", "settings"}
PRESETS = yaml.safe_load((ROOT / "extensions/presets.yml").read_text("utf-8"))

LONG = "a" * 41
TAKEN = {
    "name": ["My Project", "Zoë's 100% #1: [x] {y} <b>*_`&`|~", "日本", "x" * 64],
    "slug": ["a", "my-project", "a1-b2", LONG[:40]],
    "package": ["a", "my_project", "_private", "a1"],
    "text": ["O'Neil", "#1: {x} {{ y }} %", "日本"],
    "owner_name": ["", "an-owner", "A.b_c"],
    "email": ["", "somebody@example.org"],
    "url": ["https://example.org/whl", "http://localhost:3141/pytorch/"],
    "model": ["", "gpt2", "an-org/a_model.v2", "Org/Model-7B"],
    "paths": ["[]", "[src]", '["a b"]'.replace(" ", "_"), "[ a/b.py , 'c' ]", ["a", "b/c-d.py"]],
    "command_lines": ["{}", "{train: python train.py}", '{a: "x --y=1,2", b: z}', {"a": "python -m b c=d"}],
    "command_line": ["pytest", "python -m pytest tests"],
    "application": ["", "app:app", "a_b.c:create"],
    "route": ["", "/", "/healthz/live"],
    "cron": ["0 2 * * 0", "*/5 6-18,22 1 JAN-MAR Mon"],
    "revision": ["main", "v1.0", "refs/pr/1", "0" * 40],
}
REFUSED = {
    "name": ["", " ", 'The "best"', "One\nTwo", "back\\slash", "x" * 65, "Torch", "json", "Class", "tab\t"],
    "slug": ["", "Foo_Bar", "-a", "a-", "a--b", "1a", "ä", LONG, "torch", "class", "a\n"],
    "package": ["", "torch", "transformers", "test", "json", "class", "My-Pkg", "1a", "a-b", "a.b", "a\n"],
    "text": ["", '"', "\\", "One\nTwo", "x" * 201, "\x7f", "a\n"],
    "owner_name": ["a/b", "-a", "a b", "a\n"],
    "email": ["nonsense", "a@b", "a b@example.org", "a@example.org\n"],
    "url": ["", "ftp://x", "example.org", "https://a b", 'https://"', "https://example.org\n"],
    "model": ["a/b/c", "a b", "../x", "-a/b", "a/b.git", "a--b", "a/", "/a", "a/b\n", "x" * 97],
    "paths": ["", "a", "[a", "[/a]", "[a/../b]", "[-a]", "[a b]", "[a: b]", "{a: b}", "[a]\n", ["/a"], ["a", ""], {"a": "b"}],
    "command_lines": ["", "a", "{a}", "{a: }", "{a: b;c}", "{A: b}", "{help: b}", "{a: b: c}", {"a": "b\nc"}, ["a"], {"a": "$b"}],
    "command_line": ["", "a  b", "a;b", "a\n", "$a", "a 'b'", "-a"],
    "application": ["app", "app:", "a-b:c", "app:app()", "a:b\n"],
    "route": ["health", "/a b", "/a\n", "/?a"],
    "cron": ["", "0 2 * *", "0 2 * * 0 0", "@weekly", "0  2 * * 0", "0 2 * * 0\n", '0 2 * * "0"'],
    "revision": ["", "a b", "x..y", "-x", "x.lock", "x/", "a//b", "x\n"],
}


def macros(file: str, **context: Any) -> Any:
    """The macros of a file of extensions/ that need no more than the context and the tables."""
    environment = Environment(loader=FileSystemLoader(ROOT), undefined=StrictUndefined)
    environment.add_extension("jinja2_ansible_filters.AnsibleCoreFiltersExtension")  # as copier does
    tables = {"choices": [CHOICES], "tasks": [TASKS], "torch_table": [TABLE], "presets": [PRESETS]}
    return environment.get_template(f"extensions/{file}").make_module({**tables, **context})


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


def test_a_check_calls_the_question_by_its_name() -> None:
    for name, question in asked().items():
        when = question.get("when", "")
        expected = [name] if when and name != "preset" else []  # preset's checks what is given as a whole
        assert re.findall(r"given\('(\w+)'", when) == expected, name


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
        assert f"[preset].{name}" in asked()[name]["default"], f"{name} does not ask its preset"


@pytest.mark.parametrize("rule", TAKEN)
def test_a_rule_takes_what_is_right_and_refuses_what_is_not_in_a_sentence(rule: str) -> None:
    check = getattr(macros("checks.jinja"), rule)
    assert [value for value in TAKEN[rule] if str(check(value)).strip()] == []
    assert [value for value in REFUSED[rule] if not str(check(value)).strip().endswith((".", "name"))] == []


@pytest.mark.parametrize("task", TASKS)
def test_a_task_proposes_what_its_own_rules_take(task: str) -> None:
    default = {f"{name}_version": TABLE["default"][name] for name in ("torch", "python")}
    checks = macros("checks.jinja", hf_task=task, accelerator=TABLE["default"]["accelerator"], **default)
    model, revision = TASKS[task]["model"], TASKS[task]["revision"]
    assert str(checks.model(model)).strip() == ""
    if model:
        assert str(checks.revision(revision)).strip() == ""
        assert re.fullmatch(r"[0-9a-f]{40}", revision), "a default is pinned to a commit"
    assert str(checks.text(TASKS[task]["description"])).strip() == ""
    for runtime in TASKS[task]["runtimes"]:
        assert str(checks.task_runtime(runtime)).strip() == ""
        assert runtime in CHOICES["runtime"].values()


def test_no_package_can_shadow_the_standard_library() -> None:
    reasons = macros("checks.jinja")
    public = {name for name in sys.stdlib_module_names if not name.startswith("_")}
    assert {name for name in public if not str(reasons.clash(name)).strip()} == set()


def test_no_package_can_be_a_keyword() -> None:
    reasons = macros("checks.jinja")
    lower = {name for name in keyword.kwlist if name.islower()}
    assert {name for name in lower if "keyword" not in str(reasons.clash(name))} == set()


def test_nothing_needs_trust() -> None:
    text = (ROOT / "copier.yml").read_text("utf-8")
    assert not re.search(r"^_(tasks|migrations|jinja_extensions)\b", text, re.MULTILINE)
    assert not list((ROOT / "extensions").rglob("*.py"))
