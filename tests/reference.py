"""Reference pages of the documentation that are generated: `python -m tests.reference` writes them.

The questions come from Copier itself, which is asked for each preset's defaults, so the page cannot disagree with it.
"""

import itertools
import json
import re
import shutil
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unittest.mock import patch

import yaml
from copier import _main
from copier._user_data import Question

from tests.settings import Condition, documented, in_words

ROOT = Path(__file__).resolve().parent.parent
DOCS = ROOT / "docs"
COMMAND = "python3 run.py python -m tests.reference"
TYPES = {"str": "text", "int": "a number", "yaml": "YAML"}
MANY = 8
"""A question with more values than this links to the table that they come from."""


def table(header: Iterable[str], rows: Iterable[Iterable[object]]) -> str:
    """Return a Markdown table."""
    header = list(header)
    lines = [header, ["---"] * len(header), *([str(cell) for cell in row] for row in rows)]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def plain(value: str) -> str:
    """Return plain text, in which Markdown sees neither a link nor the end of a cell."""
    return re.sub(r"[\[|<]", r"\\\g<0>", value)


def code(value: object) -> str:
    """Return a value as inline code; and nothing as "empty"."""
    if isinstance(value, list):
        return ", ".join(map(code, value)) or "empty"
    return f"`{value}`" if value not in ("", None, {}) else "empty"


@contextmanager
def template() -> Iterator[Path]:
    """Yield a copy of the questions without Git, of which Copier would clone the last commit."""
    with tempfile.TemporaryDirectory() as folder:
        shutil.copy(ROOT / "copier.yml", folder)
        shutil.copytree(ROOT / "extensions", Path(folder, "extensions"))
        yield Path(folder)


def questions(source: Path, **given: str) -> dict[str, Question]:
    """Return every question, in the context of the answers that are given and the defaults of the others."""
    found: list[Question] = []

    def record(**details: Any) -> Question:
        found.append(Question(**details))
        return found[-1]

    worker = _main.Worker(str(source), source / "my-project", data=given, defaults=True, quiet=True)
    with patch.object(_main, "Question", record):
        worker._ask()
    return {each.var_name: each for each in found if each.when is not False}


def values(question: Question) -> str:
    """Return the values that a question accepts."""
    choices = [choice.value for choice in question._formatted_choices]
    if len(choices) > MANY:
        return "see [torch builds](torch.md)"
    kind = question.get_type_name()
    several = "any of " if question.multiselect else ""
    return several + ", ".join(map(code, choices)) if choices else TYPES.get(kind, kind)


def defaults(asked: dict[str, Question]) -> str:
    """Return the default of a question, and where presets differ, that of each."""
    found: dict[str, list[str]] = {}
    for preset, question in asked.items():
        if "strftime" in str(question.default):
            return "the current year"
        found.setdefault(code(question.get_default()), []).append(preset)
    (first, _), *others = found.items()
    return first + "".join(f"; {default} in {', '.join(map(code, where))}" for default, where in others)


def questions_page() -> str:
    """Return the page about every question that the template asks."""
    with template() as source:
        unasked = questions(source)
        names = [str(choice.value) for choice in unasked["preset"]._formatted_choices]
        presets = {name: questions(source, preset=name) for name in names}

        def some(chosen: Iterable[str], none: str) -> str:
            rest = [name for name in names if name not in chosen]
            if len(rest) <= 1:
                return " but ".join(["all", *map(code, rest)])
            return ", ".join(map(code, chosen)) or none

        rows = []
        for name, question in unasked.items():
            asked = {preset: each[name] for preset, each in presets.items() if each[name].get_when()}
            prompted = [preset for preset, each in asked.items() if each.get_ask()]
            shown = defaults(asked or {"": question}) if name != "preset" else code(question.get_default())
            one = next(iter(asked.values()), question)
            where = some(asked, "by other answers")
            about = plain(one.render_value(one.help))
            rows.append([code(name), about, values(one), shown, some(prompted, "none"), where])
    return page(
        "Questions",
        "Give any answer with `--data NAME=VALUE`, or several with `--data-file FILE`. A preset prompts for few of\n"
        "them and takes the default of the others. Defaults are those of a project called My Project.",
        table(["Name", "Question", "Values", "Default", "Prompted in", "Applies to"], rows),
    )


def torch_page() -> str:
    """Return the page about the builds of torch."""
    data = yaml.safe_load((ROOT / "extensions/torch.yml").read_text("utf-8"))
    offered = [(name, release) for name, release in reversed(data["releases"].items()) if name not in data["retired"]]
    releases = [
        [
            name,
            release["released"],
            ", ".join(version for version in release["python"] if version not in data["ended"]),
            ", ".join(map(code, release["accelerators"])),
        ]
        for name, release in offered
    ]
    accelerators = [
        [
            code(name),
            entry["label"],
            ", ".join(f"{system} {version}" for system, version in entry.get("driver", {}).items()) or "",
            " to ".join(entry.get("compute_capability", [])) or "",
        ]
        for name, entry in data["accelerators"].items()
    ]
    onnx = data["onnx"]
    return page(
        "Torch builds",
        f"Which torch has wheels for which accelerator and Python, as of {data['read']}. `extensions/torch.yml` is\n"
        "the only place that knows it, with its sources. Other combinations are rejected.",
        table(["torch", "Released", "Python", "Accelerators"], releases),
        "## Accelerators",
        table(["Value", "Hardware", "Oldest driver", "Compute capability"], accelerators),
        "## ONNX Runtime",
        f"`runtime=onnx` needs torch {onnx['torch_since']} or newer, one of {code(onnx['accelerators'])} and Python\n"
        f"{', '.join(onnx['python'])}.",
    )


def alternatives(found: list[tuple[str, Condition]], form: str) -> str:
    """Return the usual text, and behind it each other one with its condition."""
    (shown, _), *others = found
    for text, where in others:
        shown = form.format(shown, text, in_words(where))
    return shown


def settings_page() -> str:
    """Return the page about every setting that a project can have."""

    def defaults(found: list[tuple[str, Condition]]) -> str:
        shown = [(re.sub(r"^`<(\w+)>`$", r"answer `\1`", code(text)), where) for text, where in found]
        return alternatives(shown, "{}; {} with {}")

    rows = [
        [
            code(each.variable),
            alternatives(each.types, "{}; {} with {}").replace("|", r"\|"),
            defaults(each.defaults),
            plain(alternatives(each.texts, "{0} With {2}: {1}")),
            in_words(each.condition) or "all",
        ]
        for each in documented()
    ]
    return page(
        "Settings",
        "Every setting of `base_settings.py` is an environment variable. Its prefix is the name of the package, here\n"
        "`MY_PROJECT_`. A variable that ends in `_FILE` names a file to read the value from, and wins over the\n"
        "variable itself. [Add settings](../how-to/settings.md) of your own in `settings.py`.",
        table(["Variable", "Type", "Default", "Description", "Projects"], rows),
    )


def decisions_page() -> str:
    """Return the list of decisions with their status."""
    rows = []
    for file in sorted((DOCS / "decisions").glob("0*.md")):
        text = file.read_text("utf-8")
        title, date, status = re.findall(r"^(?:# \d+\. |- Date: |- Status: )(.+)$", text, re.MULTILINE)
        rows.append([f"[{int(file.name[:4])}]({file.name})", title, status.partition(";")[0], date])
    return page(
        "Decisions",
        "Each record states one decision: its context, the decision, and its consequences.",
        table(["Number", "Decision", "Status", "Date"], rows),
    )


def models_page() -> str:
    """Return the page of the architectures that were compared with their own library."""
    found = [json.loads(line) for line in OUTCOMES.read_text("utf-8").splitlines()]
    lines = [
        "Each architecture of transformers was made as a tiny model of random weights. Its answers were compared with "
        "those of transformers' own pipeline: alone, beside others in a batch, in pairs, and at the longest input.\n"
    ]
    for (task, runtime), group in itertools.groupby(found, lambda each: (each["task"], each["runtime"])):
        tried = list(group)
        outcomes = {name: [each for each in tried if each["outcome"] == name] for name in OUTCOME}
        lines.append(f"## {task}, {'ONNX Runtime' if runtime == 'onnx' else 'torch'}\n")
        for name, heading in OUTCOME.items():
            if chosen := outcomes[name]:
                names = ", ".join(code(each["architecture"]) for each in chosen)
                lines.append(f"{heading.format(len(chosen))}: {names}.\n")
        if refused := outcomes["refused"]:
            rows = ((code(each["architecture"]), plain(each["reason"])) for each in refused)
            lines.append(table(["Architecture", "Why it is refused"], rows))
    return page("Models", *lines)


def page(title: str, *parts: str) -> str:
    """Return a page that says how it is generated."""
    note = f"<!-- Generated: change it with `{COMMAND}`. -->\n"
    return "\n".join([f"# {title}\n", note, *(part.rstrip("\n") + "\n" for part in parts)])


OUTCOME = {
    "agrees": "Agree ({})",
    "refused": "Refused when the model is loaded or exported ({})",
    "untried": "Not tried, because transformers could not make or compute the tiny model ({})",
}
"""Outcomes of tests/architectures/sweep.py, with the words for them."""

OUTCOMES = ROOT / "tests/architectures/outcomes.jsonl"
"""The lines that sweep.py printed, for each task and runtime."""

PAGES = {
    "reference/models.md": models_page,
    "reference/questions.md": questions_page,
    "reference/settings.md": settings_page,
    "reference/torch.md": torch_page,
    "decisions/index.md": decisions_page,
}


def main() -> None:
    """Write each page."""
    for name, content in PAGES.items():
        (DOCS / name).parent.mkdir(parents=True, exist_ok=True)
        (DOCS / name).write_text(content(), "utf-8", newline="\n")


if __name__ == "__main__":
    main()
