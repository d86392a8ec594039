"""Batches of items."""

from hypothesis import given
from hypothesis import strategies as some

from my_project.inference.batching import BatchLimits, Item


@given(
    items=some.lists(some.tuples(some.integers(1, 60), some.integers(0, 2))),
    limits=some.builds(BatchLimits, some.integers(1, 8), some.integers(1, 100), some.none() | some.integers(0, 50)),
)
def test_every_item_is_in_one_batch_within_the_limits(items: list[tuple[int, int]], limits: BatchLimits) -> None:
    entries = [Item(number, None, size, group) for number, (size, group) in enumerate(items)]
    batches = list(limits.split(entries, lambda entry: entry))
    assert sorted(item.value for batch in batches for item in batch) == list(range(len(items)))
    for batch in batches:
        assert len({item.group for item in batch}) == 1
        assert len(batch) <= limits.max_items
        longest, shortest = max(item.size for item in batch), min(item.size for item in batch)
        assert len(batch) == 1 or len(batch) * longest <= limits.max_tokens
        assert limits.max_padding is None or longest - shortest <= limits.max_padding


def test_items_of_similar_size_are_together() -> None:
    sizes = [90, 10, 80, 12, 85, 11]
    batches = BatchLimits(max_items=3).split(sizes, lambda size: Item(None, None, size))
    assert list(batches) == [[90, 85, 80], [12, 11, 10]]
