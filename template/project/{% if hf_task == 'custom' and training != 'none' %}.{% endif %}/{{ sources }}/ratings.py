"""Ratings, which the recommender learns from."""

from typing import NamedTuple

import numpy as np


class Rating(NamedTuple):
    """What a user thinks of an item: the higher, the better."""

    user: str
    item: str
    value: float


def make_ratings(users: int = 200, items: int = 60, tastes: int = 4, seed: int = 0) -> list[Rating]:
    """Ratings from 1 to 5 of made-up people with a few tastes, who have rated about a third of the items."""
    random = np.random.default_rng(seed)
    liking = random.random((users, tastes)) @ random.random((tastes, items))
    liking = 1 + 4 * (liking - liking.min()) / np.ptp(liking)
    rated = random.random((users, items)) < 0.3
    return [Rating(f"user-{user}", f"item-{item}", round(liking[user, item])) for user, item in np.argwhere(rated)]
