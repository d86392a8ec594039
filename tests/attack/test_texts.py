"""Texts as long as a request may be hold up no other client."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest

from tests.attack.neighbour import Neighbour
from tests.installed import Server

pytestmark = pytest.mark.project

ATTACK_SECONDS = 3.0
"""Time for which each attacker sends the same request, one after the other."""

ATTACKERS = 4

WORDS = "the quick brown fox jumps over 13 lazy dogs "

CHARACTERS = 980_000
"""Characters of a request; its body may have 1,000,000 bytes."""

TEXTS: dict[str, Any] = {
    "one text": WORDS * (CHARACTERS // len(WORDS)),
    "one word": "a" * CHARACTERS,
    "as many as allowed": [WORDS * (CHARACTERS // 256 // len(WORDS))] * 256,
}
"""Inputs by name."""


@pytest.mark.parametrize("name", TEXTS)
def test_no_text_holds_up_another_client(texts: Server, neighbour: Neighbour, name: str) -> None:
    body = {"inputs": TEXTS[name], "parameters": {"truncate": True}}
    ended = threading.Event()

    def attack() -> None:
        with httpx.Client(timeout=60) as client:
            while not ended.is_set():
                # 503 says that as many long texts are waiting as may.
                assert client.post(f"{texts.url}/predict", json=body).status_code in (200, 503)

    def attack_together() -> None:
        with ThreadPoolExecutor(ATTACKERS) as threads:
            attacks = [threads.submit(attack) for _ in range(ATTACKERS)]
            time.sleep(ATTACK_SECONDS)  # the length of the attack
            ended.set()
            for each in attacks:
                each.result()

    neighbour.beside(attack_together)
