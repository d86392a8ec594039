"""Compare predictions, whose numbers differ by rounding."""

import pytest


def assert_alike(one: object, other: object) -> None:
    """Assert that two predictions are equal, numbers within 1e-5."""
    if isinstance(one, list) and isinstance(other, list):
        assert len(one) == len(other)
        for each, its in zip(one, other, strict=True):
            assert_alike(each, its)
    elif isinstance(one, dict) and isinstance(other, dict):
        assert one.keys() == other.keys()
        for key in one:
            assert_alike(one[key], other[key])
    elif isinstance(one, float):
        assert one == pytest.approx(other, abs=1e-5)
    else:
        assert one == other
