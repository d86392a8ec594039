"""The batcher: every request gets its own answer, whatever the others send."""

import threading
from collections.abc import Sequence
from concurrent.futures import CancelledError
from typing import Any, NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

from my_project.errors import QueueFullError
from my_project.inference import batcher
from my_project.inference.batcher import EXTRA_RATIO, Batcher, BatchReport
from my_project.inference.batching import BatchLimits, Item

TIMEOUT_SECONDS = 60
"""Maximum time for something to happen."""


class PoisonError(ValueError):
    """Raised for an input that cannot be computed."""


class Machine:
    """Computes 100 times an item's value, within a memory of so many padded tokens; waits for its gate each time."""

    def __init__(self, memory: int = 10_000, is_open: bool = True) -> None:
        self.memory = memory
        self.batches: list[list[int]] = []
        self.reports: list[BatchReport] = []
        self.began = threading.Semaphore(0)
        self.gate = threading.Event()
        if is_open:
            self.gate.set()

    def compute(self, batch: Sequence[Item]) -> list[int]:
        """One batch."""
        self.batches.append([item.value for item in batch])
        self.began.release()
        assert self.gate.wait(TIMEOUT_SECONDS)
        if max(item.size for item in batch) * len(batch) > self.memory:
            raise MemoryError
        for item in batch:
            if item.parameters == "poison":
                raise PoisonError(item.value)
        return [item.value * 100 for item in batch]

    def busy(self, batcher: Batcher) -> None:
        """Submit a batch, and return when it is being computed."""
        batcher.submit(1, lambda: [Item(-1, None)])
        assert self.began.acquire(timeout=TIMEOUT_SECONDS)


class Asked(NamedTuple):
    """What a client sends, and does."""

    sizes: list[int]
    poison: int | None
    """Which of its inputs is poison."""
    group: int
    leaves: bool


requests = some.builds(
    Asked,
    sizes=some.lists(some.integers(1, 40), min_size=1, max_size=6),
    poison=some.none() | some.integers(0, 5),
    group=some.integers(0, 1),
    leaves=some.booleans(),
)


@settings(deadline=None)
@given(
    asked=some.lists(requests, max_size=12),
    limits=some.builds(BatchLimits, some.integers(1, 5), some.integers(1, 100)),
    memory=some.integers(40, 120),
    together=some.booleans(),
    parallel=some.integers(1, 3),
)
def test_every_request_gets_exactly_its_own_answer(
    asked: list[Asked], limits: BatchLimits, memory: int, together: bool, parallel: int
) -> None:
    machine = Machine(memory, is_open=not together)
    batcher = Batcher(machine.compute, limits, report=machine.reports.append, parallel_batches=parallel)
    futures, expected, number = [], [], 0
    for sizes, poison, group, leaves in asked:
        items = [Item(number + at, "poison" if at == poison else None, size, group) for at, size in enumerate(sizes)]
        number += len(items)
        futures.append(batcher.submit(len(items), lambda items=items: items))
        expected.append([item.value * 100 for item in items])
        if leaves:
            futures[-1].cancel()
    machine.gate.set()
    batcher.close()
    for future, right, each in zip(futures, expected, asked, strict=True):
        if future.cancelled():
            assert each.leaves
        elif each.poison is not None and each.poison < len(each.sizes):
            assert isinstance(future.exception(0), PoisonError)
        else:
            assert future.result(0) == right
    assert batcher.depth == 0
    assert all(len(batch) <= limits.max_items for batch in machine.batches)
    assert sum(len(report.sizes) for report in machine.reports) <= number


def test_a_single_request_is_not_delayed_and_waiting_ones_share_a_batch() -> None:
    machine = Machine(is_open=False)
    batcher = Batcher(machine.compute, BatchLimits())
    machine.busy(batcher)
    futures = [batcher.submit(1, lambda number=number: [Item(number, None)]) for number in range(5)]
    machine.gate.set()
    assert [future.result(TIMEOUT_SECONDS) for future in futures] == [[0], [100], [200], [300], [400]]
    batcher.close()
    assert machine.batches[0] == [-1]
    assert sorted(value for batch in machine.batches[1:] for value in batch) == list(range(5))
    assert len(machine.batches) <= 3, "the first of the five may have been alone in its time"


def test_as_many_batches_are_computed_at_once_as_allowed() -> None:
    machine = Machine(is_open=False)
    batcher = Batcher(machine.compute, BatchLimits(max_items=1), parallel_batches=2)
    futures = [batcher.submit(1, lambda number=number: [Item(number, None)]) for number in range(5)]
    assert machine.began.acquire(timeout=TIMEOUT_SECONDS)
    assert machine.began.acquire(timeout=TIMEOUT_SECONDS), "the second begins beside the first, whose gate is shut"
    assert not machine.began.acquire(blocking=False)
    machine.gate.set()
    assert [future.result(TIMEOUT_SECONDS) for future in futures] == [[0], [100], [200], [300], [400]]
    batcher.close()


def test_no_small_batch_begins_beside_another_while_waiting_for_followers() -> None:
    machine = Machine(is_open=False)
    batcher = Batcher(machine.compute, BatchLimits(max_items=3), parallel_batches=2)
    machine.busy(batcher)
    futures = [batcher.submit(1, lambda: [Item(0, None)])]
    assert not machine.began.acquire(timeout=0.2), "one that waits is left for the next batch"
    futures += [batcher.submit(1, lambda number=number: [Item(number, None)]) for number in (1, 2)]
    assert machine.began.acquire(timeout=TIMEOUT_SECONDS), "a full batch is not"
    machine.gate.set()
    assert [future.result(TIMEOUT_SECONDS) for future in futures] == [[0], [100], [200]]
    batcher.close()
    assert sorted(machine.batches[1]) == [0, 1, 2]


def test_the_longest_does_not_starve_behind_many_short_ones() -> None:
    machine = Machine(is_open=False)
    batcher = Batcher(machine.compute, BatchLimits(max_items=2))
    machine.busy(batcher)
    first = batcher.submit(1, lambda: [Item(0, None, 40)])
    later = batcher.submit(20, lambda: [Item(number, None, 1) for number in range(1, 21)])
    machine.gate.set()
    assert later.result(TIMEOUT_SECONDS)
    batcher.close()
    assert first.result(0) == [0]
    assert 0 in machine.batches[1]


def test_a_list_holds_up_no_single_input_and_is_not_held_up_by_them() -> None:
    machine = Machine(is_open=False)
    batcher = Batcher(machine.compute, BatchLimits(max_items=2))
    machine.busy(batcher)
    listed = batcher.submit(20, lambda: [Item(100 + number, None) for number in range(20)])
    singles = [batcher.submit(1, lambda number=number: [Item(number, None)]) for number in range(50)]
    queued = threading.Event()

    def last() -> list[Item]:
        queued.set()
        return [Item(50, None)]

    singles.append(batcher.submit(1, last))
    assert queued.wait(TIMEOUT_SECONDS), "the others are in the queue"
    machine.gate.set()
    assert len(listed.result(TIMEOUT_SECONDS)) == 20
    assert [each.result(TIMEOUT_SECONDS) for each in singles] == [[100 * number] for number in range(51)]
    batcher.close()
    kinds = [max(batch) >= 100 for batch in machine.batches[1:]]
    assert kinds[:20] == [False, True] * 10, "half of the batches are for each"


def test_what_is_too_much_at_once_is_refused_at_once() -> None:
    machine = Machine(is_open=False)
    batcher = Batcher(machine.compute, BatchLimits(), max_queue=3)
    first = batcher.submit(5, lambda: [Item(number, None) for number in range(5)])
    with pytest.raises(QueueFullError, match="5 inputs are waiting"):
        batcher.submit(1, lambda: [Item(0, None)])
    machine.gate.set()
    assert len(first.result(TIMEOUT_SECONDS)) == 5
    assert batcher.submit(1, lambda: [Item(7, None)]).result(TIMEOUT_SECONDS) == [700]
    batcher.close()
    with pytest.raises(QueueFullError, match="shutting down"):
        batcher.submit(1, lambda: [Item(0, None)])


@pytest.mark.parametrize("listed", [1, 2, 8, 64])
def test_lists_that_fill_the_queue_refuse_nobody_who_sends_less(listed: int) -> None:
    machine = Machine(is_open=False)
    batcher = Batcher(machine.compute, BatchLimits(), max_queue=64)
    accepted = 0
    with pytest.raises(QueueFullError):
        for accepted in range(0, 1000, listed):  # noqa: B007 - how many inputs were accepted
            batcher.submit(listed, lambda: [Item(1, None)] * listed)
    assert 64 <= accepted <= 64 + 64 * EXTRA_RATIO
    smaller = [batcher.submit(1, lambda: [Item(7, None)]) for _ in range(min(listed - 1, 7))]
    machine.gate.set()
    assert [each.result(TIMEOUT_SECONDS) for each in smaller] == [[700]] * len(smaller)
    batcher.close()


def test_what_has_waited_too_long_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [0.0]
    monkeypatch.setattr(batcher.time, "monotonic", lambda: now[0])
    machine = Machine(is_open=False)
    queue = Batcher(machine.compute, BatchLimits(), max_wait_seconds=10)
    machine.busy(queue)
    late = queue.submit(1, lambda: [Item(1, None)])
    now[0] = 11
    fresh = queue.submit(1, lambda: [Item(2, None)])
    machine.gate.set()
    assert fresh.result(TIMEOUT_SECONDS) == [200]
    queue.close()
    with pytest.raises(QueueFullError, match="waited for 10 s"):
        late.result(0)
    assert [1] not in machine.batches


def test_a_patient_caller_waits_for_as_long_as_it_takes(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [0.0]
    monkeypatch.setattr(batcher.time, "monotonic", lambda: now[0])
    machine = Machine(is_open=False)
    queue = Batcher(machine.compute, BatchLimits(), max_wait_seconds=10)
    machine.busy(queue)
    late = queue.submit(1, lambda: [Item(1, None)], is_patient=True)
    now[0] = 1000
    machine.gate.set()
    queue.close()
    assert late.result(0) == [100]


def test_what_nobody_wants_any_more_is_not_computed() -> None:
    machine = Machine(is_open=False)
    batcher = Batcher(machine.compute, BatchLimits())
    machine.busy(batcher)
    left = batcher.submit(1, lambda: [Item(1, None)])
    left.cancel()
    kept = batcher.submit(1, lambda: [Item(2, None)])
    machine.gate.set()
    assert kept.result(TIMEOUT_SECONDS) == [200]
    batcher.close()
    assert machine.batches == [[-1], [2]]
    with pytest.raises(CancelledError):
        left.result(0)


def test_small_requests_do_not_wait_for_large_ones_which_come_one_after_the_other() -> None:
    batcher = Batcher(Machine().compute, BatchLimits(), max_queue=16)
    gate, preparing = threading.Event(), threading.Semaphore(0)

    def prepare(number: int) -> list[Item]:
        preparing.release()
        assert gate.wait(TIMEOUT_SECONDS)
        return [Item(number, None)]

    large = [batcher.submit(1, lambda number=number: prepare(number), lambda: True) for number in range(2)]
    assert batcher.submit(1, lambda: [Item(7, None)]).result(TIMEOUT_SECONDS) == [700]
    assert preparing.acquire(timeout=TIMEOUT_SECONDS)
    assert not preparing.acquire(blocking=False), "the second takes its memory later"
    refused = batcher.submit(1, lambda: prepare(2), lambda: True)
    with pytest.raises(QueueFullError, match="2 inputs of large requests"):
        refused.result(TIMEOUT_SECONDS)
    large[1].cancel()
    gate.set()
    assert large[0].result(TIMEOUT_SECONDS) == [0]
    assert batcher.submit(5, lambda: [Item(8, None)] * 5, lambda: True).result(TIMEOUT_SECONDS) == [800] * 5
    batcher.close()
    assert not preparing.acquire(blocking=False), "what nobody wants any more is not prepared"


def test_what_cannot_be_prepared_fails_alone() -> None:
    machine = Machine()
    batcher = Batcher(machine.compute, BatchLimits())

    unhashable: Any = {}

    def refuse() -> Any:
        raise PoisonError

    refused = batcher.submit(1, refuse)
    unmeasured = batcher.submit(1, lambda: [Item(1, None)], refuse)
    refused_large = batcher.submit(1, refuse, lambda: True)
    lacking = batcher.submit(2, lambda: [Item(1, None)])
    uncut = batcher.submit(1, lambda: [Item(1, None, group=unhashable)])
    served = batcher.submit(1, lambda: [Item(2, None)])
    batcher.close()
    assert isinstance(refused.exception(0), PoisonError)
    assert isinstance(unmeasured.exception(0), PoisonError)
    assert isinstance(refused_large.exception(0), PoisonError)
    assert isinstance(lacking.exception(0), RuntimeError)
    assert isinstance(uncut.exception(0), TypeError)
    assert served.result(0) == [200]


def test_batches_are_reported_with_the_padding_that_they_need() -> None:
    machine = Machine(is_open=False)
    batcher = Batcher(machine.compute, BatchLimits(), report=machine.reports.append)
    batcher.submit(2, lambda: [Item(0, None, 3), Item(1, None, 5)])
    machine.gate.set()
    batcher.close()
    [report] = machine.reports
    assert sorted(report.sizes) == [3, 5]
    assert len(report.waited_seconds) == 2
    assert min(report.waited_seconds) >= 0
    assert report.seconds >= 0


def test_what_cannot_be_reported_is_answered_all_the_same(caplog: pytest.LogCaptureFixture) -> None:
    def refuse(report: BatchReport) -> None:
        raise PoisonError

    batcher = Batcher(Machine().compute, BatchLimits(), report=refuse)
    for value in (1, 2):
        assert batcher.submit(1, lambda value=value: [Item(value, None)]).result(TIMEOUT_SECONDS) == [100 * value]
    batcher.close()
    assert "could not be reported" in caplog.text
