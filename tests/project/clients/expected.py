"""What every client must get: the answers of /predict, which other tests compare with the models' own libraries."""

import json
import urllib.request
from collections.abc import Sequence
from typing import Any

WORDS = "a happy dog"


def predict(url: str, inputs: Any, **parameters: Any) -> Any:
    """Return the answer of /predict."""
    body = json.dumps({"inputs": inputs, "parameters": parameters}).encode()
    request = urllib.request.Request(f"{url}/predict", body, {"Content-Type": "application/json"})
    with urllib.request.urlopen(request) as response:
        return json.load(response)


def text(url: str, prompt: str, max_new_tokens: int) -> str:
    """Return the likeliest continuation of a prompt."""
    [answer] = predict(url, prompt, max_new_tokens=max_new_tokens)
    continuation: str = answer["generated_text"]
    return continuation


def reply(url: str, max_new_tokens: int = 4, content: str = WORDS) -> str:
    """Return the answer to a chat of one message, as the template of the tiny model writes it."""
    return text(url, f"user {content} ", max_new_tokens)


def assert_near(ours: Sequence[Sequence[float]], theirs: Sequence[Sequence[float]]) -> None:
    """Check that vectors are equal but for the rounding of a number's bits."""
    assert len(ours) == len(theirs)
    for mine, yours in zip(ours, theirs, strict=True):
        assert len(mine) == len(yours)
        assert max(abs(a - b) for a, b in zip(mine, yours, strict=True)) < 1e-6
