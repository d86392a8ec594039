"""Questions to servers that may not answer."""

import threading
import time

import pytest

from my_project.probe import Probe, problems


def test_the_wait_for_servers_is_limited_together() -> None:
    answered = threading.Event()
    silent = [Probe(name, lambda: str(answered.wait(60))) for name in ("one", "another")]
    started = time.monotonic()
    found = problems([*silent, Probe("a third", lambda: "it is full"), Probe("a fourth", lambda: None)], 0.2)
    assert time.monotonic() - started < 0.4
    assert found == ["one does not answer", "another does not answer", "it is full"]
    answered.set()


def test_one_question_waits_at_a_time_and_an_old_answer_is_not_taken_for_a_new_one() -> None:
    asked: list[threading.Event] = []

    def ask() -> str:
        asked.append(threading.Event())
        number = len(asked)
        assert asked[-1].wait(60)
        return f"answer {number}"

    probe = Probe("it", ask)
    assert [probe.problem(0.01) for _ in range(3)] == ["it does not answer"] * 3
    assert len(asked) == 1
    pending = probe.begin()
    asked[0].set()
    assert pending.result(60) == "answer 1"
    assert probe.problem(0.01) == "it does not answer", "it is asked again"
    asked[1].set()


def test_what_fails_to_ask_says_so() -> None:
    def ask() -> None:
        raise RuntimeError("no luck")

    with pytest.raises(RuntimeError, match="no luck"):
        Probe("it", ask).problem(60)
