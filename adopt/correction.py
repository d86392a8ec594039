"""Correct answers at a terminal."""

from collections.abc import Callable
from dataclasses import replace

import yaml

from adopt.findings import SURE, Finding
from adopt.table import shown

NONE_IS_A_CHOICE = {"torch_version", "ci"}
"""Answers that store the word none, rather than nothing."""


def corrected(
    findings: dict[str, Finding], answers: list[str], ask: Callable[[str], str] = input
) -> dict[str, Finding]:
    """Return the findings after a person saw each of the answers that are not sure.

    Args:
        findings: the findings by answer.
        answers: the answers that the template asks.
        ask: shows a prompt and returns a line.
    """
    result = dict(findings)
    unsure = [name for name in answers if findings[name].sureness is not SURE]
    if unsure:
        print("\nEnter keeps a value; type another one, or none.")
    for name in unsure:
        while True:
            text = ask(f"{name} [{shown(findings[name].value)}]: ").strip()
            if not text:
                break
            try:
                result[name] = replace(
                    findings[name], value=typed(name, text, findings[name].value), sureness=SURE, source=None
                )
                break
            except ValueError as error:
                print(error)
    return result


def typed(answer: str, text: str, like: object) -> object:
    """Return a typed value, of the same kind as another: a list, a mapping or a text.

    Raises:
        ValueError: if it is of another kind; the message says what to type.
    """
    if text == "none" and answer not in NONE_IS_A_CHOICE:
        return type(like)()
    if isinstance(like, str):
        return text
    try:
        value = yaml.safe_load(text)
    except yaml.YAMLError:
        value = None
    if isinstance(like, list):
        if isinstance(value, str):
            return [each.strip() for each in value.split(",")]
        if isinstance(value, list):
            return value
        raise ValueError("type a list, such as [src, train.py]")
    if isinstance(value, dict):
        return value
    raise ValueError("type a mapping, such as {train: python train.py}")
