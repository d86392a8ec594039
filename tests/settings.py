"""Settings of generated projects, read from base_settings.py as each combination of answers renders it."""

import ast
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any, NamedTuple, TypeAlias

from jinja2 import Environment, FileSystemLoader, StrictUndefined, meta

from tests.answers import CHOICES, ROOT, possible, values

PATH = "template/project/src/{{ package_name }}/base_settings.py.jinja"
BOUNDS = {
    "ge": "at least {}",
    "gt": "more than {}",
    "le": "at most {}",
    "lt": "less than {}",
    "pattern": "matches `{}`",
}

Facts: TypeAlias = Mapping[str, object]
"""Answer -> its value; a list counts as one answer for each of its choices, such as services=postgres."""

Condition: TypeAlias = dict[str, frozenset[object]]
"""Answer -> the values that it may have, all in one project."""


class Setting(NamedTuple):
    """A setting of one project."""

    variable: str
    type: str
    default: str
    description: str


@dataclass(frozen=True)
class Documented:
    """A setting of all projects that have it. Each list holds the usual text first, and when it is another."""

    name: str
    variable: str
    types: list[tuple[str, Condition]]
    defaults: list[tuple[str, Condition]]
    texts: list[tuple[str, Condition]]
    condition: Condition
    """Which projects have it."""


def settings(source: str) -> dict[str, Setting]:
    """Return the settings of a base_settings.py, by the name of the field."""
    [declared] = [node for node in ast.parse(source).body if isinstance(node, ast.ClassDef)]
    [prefix] = [node.value for node in ast.walk(declared) if isinstance(node, ast.keyword) and node.arg == "env_prefix"]
    found = {}
    for node, following in zip(declared.body, [*declared.body[1:], None], strict=True):
        match node, following:
            case (
                ast.AnnAssign(ast.Name(name), annotation, ast.expr() as default),
                ast.Expr(ast.Constant(str(description))),
            ):
                variable, kind = _variable_and_type(annotation)
                variable = variable or ast.literal_eval(prefix) + name.upper()
                found[name] = Setting(variable, kind, _default(default), " ".join(description.split()))
            case ast.AnnAssign(), _:
                raise ValueError(f"{ast.unparse(node)}: a setting needs a default and a docstring below it")
    return found


def _variable_and_type(annotation: ast.expr) -> tuple[str, str]:
    """Return the variable that the annotation names, if it does, and the type with its bounds."""
    details: list[ast.expr] = []
    match annotation:
        case ast.Subscript(ast.Name("Annotated"), ast.Tuple([annotation, *details])):
            pass
    given = {str(each.arg): each.value for call in details for each in getattr(call, "keywords", ())}
    variable = ast.literal_eval(given.pop("validation_alias", ast.Constant("")))
    match annotation:
        case ast.Subscript(ast.Name("Literal"), choices):
            kind = ast.literal_eval(choices)
            kinds = [f"`{choice}`" for choice in (kind if isinstance(kind, tuple) else [kind])]
        case _:
            kinds = [f"`{ast.unparse(annotation).removesuffix(' | None')}`"]
    bounds = {name: ast.literal_eval(bound) for name, bound in given.items()}
    limits = [BOUNDS[name].format(f"{bound:,}" if isinstance(bound, int) else bound) for name, bound in bounds.items()]
    return variable, ", ".join([*kinds, *limits])


def _default(node: ast.expr) -> str:
    """Return the default as the environment would hold it."""
    match node:
        case ast.Call(args=[node]):  # Path("…")
            pass
    value = ast.literal_eval(node)
    if isinstance(value, bool):
        return str(value).lower()
    return "" if value is None else str(value)


def facts(answers: Mapping[str, Any]) -> Facts:
    """Return the answers with each choice of a list as an answer of its own."""
    found: dict[str, object] = {}
    for name, value in answers.items():
        if isinstance(value, list):
            found |= {f"{name}={choice}": choice in value for choice in CHOICES[name].values()}
        else:
            found[name] = value
    return found


def holds(condition: Condition, known: Facts) -> bool:
    """Whether a project with these answers fulfils the condition."""
    return all(known.get(name) in allowed for name, allowed in condition.items())


def condition(chosen: Sequence[Facts], among: Sequence[Facts]) -> Condition:
    """Return a condition that the chosen fulfil and the others do not, without answers that do not matter."""
    wanted = {name: values_of(name, chosen) for name in among[0]}
    identities = {id(each) for each in chosen}
    others = [each for each in among if id(each) not in identities]
    if any(holds(wanted, each) for each in others):
        raise ValueError(f"no list of values for each answer tells which projects these are; closest is {wanted}")
    for name in list(wanted):
        fewer = {other: allowed for other, allowed in wanted.items() if other != name}
        if not any(holds(fewer, each) for each in others):
            wanted = fewer
    return wanted


def in_words(wanted: Condition) -> str:
    """Return the condition as text, or nothing for all projects."""
    offered = values()
    parts = []
    for name, allowed in wanted.items():
        if allowed <= {True, False}:
            parts.append(f"{'' if True in allowed else 'no '}`{name}`")
            continue
        named = [value for value in offered[name] if value in allowed]
        others = [value for value in offered[name] if value not in allowed]
        if len(others) < len(named):
            parts.append(f"`{name}` other than {' and '.join(f'`{value}`' for value in others)}")
        else:
            parts.append(" or ".join(f"`{name}={value}`" for value in named))
    return ", and ".join(parts)


def values_of(name: str, projects: Iterable[Facts]) -> frozenset[object]:
    """Return the values of an answer in these projects."""
    return frozenset(each[name] for each in projects)


def combinations() -> list[tuple[Facts, dict[str, Setting]]]:
    """Return the settings for every possible combination of the answers that they depend on."""
    environment = Environment(loader=FileSystemLoader(ROOT), undefined=StrictUndefined)
    template = environment.get_template(PATH)
    names = meta.find_undeclared_variables(environment.parse((ROOT / PATH).read_text("utf-8")))
    fixed = [name for name in sorted(names) if CHOICES.get(name) or name in ("hf_task", "accelerator")]
    free = {name: f"<{name}>" for name in names} | {"package_name": "my_project"}
    parsed: dict[str, dict[str, Setting]] = {}
    found = []
    offered = values()
    for row in product(*(offered[name] for name in fixed)):
        answers = dict(zip(fixed, row, strict=True))
        if possible(answers):
            text = template.render(free | answers)
            if text not in parsed:
                parsed[text] = settings(text)
            found.append((facts(answers), parsed[text]))
    return found


def documented() -> list[Documented]:
    """Return every setting that a project can have, in the order of the template."""
    rows = combinations()
    names = re.findall(r"^ {4}(\w+): ", (ROOT / PATH).read_text("utf-8"), re.MULTILINE)
    found = []
    for name in dict.fromkeys(names):
        having = [(known, each[name]) for known, each in rows if name in each]
        [variable] = {setting.variable for _, setting in having}
        where = condition([known for known, _ in having], [known for known, _ in rows])
        found.append(
            Documented(
                name,
                variable,
                types=variants((known, setting.type) for known, setting in having),
                defaults=variants((known, setting.default) for known, setting in having),
                texts=variants((known, setting.description) for known, setting in having),
                condition=where,
            )
        )
    return found


def variants(having: Iterable[tuple[Facts, str]]) -> list[tuple[str, Condition]]:
    """Return each text with the condition for it, the one of most projects first."""
    groups: dict[str, list[Facts]] = {}
    for known, text in having:
        groups.setdefault(text, []).append(known)
    every = [known for group in groups.values() for known in group]
    return [
        (text, condition(group, every) if len(groups) > 1 else {})
        for text, group in sorted(groups.items(), key=lambda group: -len(group[1]))
    ]
