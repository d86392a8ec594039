"""Inputs to measure with: users. Write what your own model takes."""


def make_inputs(count: int) -> list[str]:
    """That many users, some of them several times."""
    return [f"user-{number % 20}" for number in range(count)]
