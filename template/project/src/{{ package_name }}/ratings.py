"""Ratings, which the example learns from. Delete this file with the example; updates never touch it."""

from typing import Annotated, NamedTuple

import numpy as np
from pydantic import Field, FiniteFloat

Name = Annotated[str, Field(min_length=1, coerce_numbers_to_str=True)]


class Rating(NamedTuple):
    """How much a user likes an item: the higher, the more."""

    user: Name
    item: Name
    rating: FiniteFloat


def make_ratings(users: int = 200, items: int = 60, tastes: int = 4, seed: int = 0) -> list[Rating]:
    """Generate ratings from 1 to 5 by users with a few tastes, each of whom has rated about a third of the items."""
    random = np.random.default_rng(seed)
    liking = random.random((users, tastes)) @ random.random((tastes, items))
    liking = 1 + 4 * (liking - liking.min()) / np.ptp(liking)
    rated = random.random((users, items)) < 0.3
    return [Rating(f"user-{user}", f"item-{item}", round(liking[user, item])) for user, item in np.argwhere(rated)]
