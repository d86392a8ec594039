"""What a chat template takes, found by rendering: it is a program, which nothing describes."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

from ..errors import InvalidInputError

MARK = "~"
"""Added to a part of a message to see whether the prompt changes."""

COMMON = ("user", "assistant")
"""Roles that every chat template takes; of these the last message alone is checked, to save time."""

PROBE = "~text~"
"""Text of a message that shows which form of a content a template takes."""

Message = dict[str, Any]


def as_taken(messages: Sequence[Message], render: Callable[[Sequence[Message]], str]) -> Sequence[Message]:
    """Return the messages with contents as the template takes them: texts, or parts if it takes these alone."""
    try:
        takes_text = PROBE in render([{"role": "user", "content": PROBE}])
        takes_parts = not takes_text and PROBE in render([{"role": "user", "content": _as_parts(PROBE)}])
    except InvalidInputError:
        return messages
    return [{**each, "content": _as_parts(each["content"])} for each in messages] if takes_parts else messages


def _as_parts(text: str) -> list[dict[str, str]]:
    return [{"type": "text", "text": text}] if text else []


def check_complete(messages: Sequence[Message], prompt: str, render: Callable[[Sequence[Message]], str]) -> None:
    """Check that the prompt of a chat depends on its last message and on all instructions, calls of tools and results.

    Args:
        messages: The chat.
        prompt: What the template made of it.
        render: Returns the prompt of a chat.

    Raises:
        InvalidInputError: The template leaves something out, which the error names.
    """
    for index, message in enumerate(messages):
        is_last = index == len(messages) - 1
        for name, changed in _variants(message, is_last):
            try:
                other = render([*messages[:index], changed, *messages[index + 1 :]])
            except InvalidInputError:
                continue  # the template reads what has changed
            if other == prompt:
                raise InvalidInputError(f"messages.{index}: the model's chat template takes no {name}: leave it out")


def _variants(message: Message, is_last: bool) -> Iterator[tuple[str, Message]]:
    """Yield the parts of a message that a template may leave out, each with a message that differs in it."""
    if message["content"] and (is_last or message["role"] not in COMMON):
        content = message["content"]
        longer = content + (MARK if isinstance(content, str) else _as_parts(MARK))
        yield f"text of the role {message['role']}", {**message, "content": longer}
    calls = message.get("tool_calls", [])
    for index, call in enumerate(calls):
        function = {**call["function"], "name": call["function"]["name"] + MARK}
        changed = [*calls[:index], {**call, "function": function}, *calls[index + 1 :]]
        yield "tool_calls", {**message, "tool_calls": changed}
