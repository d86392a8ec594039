"""Images that are made to hurt are refused, or read without holding up another client."""

import base64
import re
import time
from collections.abc import Sequence

import httpx
import pytest

from tests.attack.neighbour import Neighbour
from tests.attack.recipes import Recipe
from tests.attack.recipes.images import IMAGES, saved
from tests.installed import Server

pytestmark = pytest.mark.project

ATTACK_SECONDS = 3.0
"""Time for which an attacker sends the same request, one after the other."""

AT_THE_BOUND = [
    Recipe("black and white PNG", "image/png", lambda: saved("1", (4000, 4000), "PNG")),
    Recipe("colour PNG", "image/png", lambda: saved("RGB", (4000, 4000), "PNG")),
    Recipe("colour WebP", "image/webp", lambda: saved("RGB", (4000, 4000), "WEBP")),
]
"""Images of which a request may hold three."""


def post(server: Server, images: Sequence[bytes]) -> httpx.Response:
    """Return the response to images, which are sent together."""
    inputs = [base64.b64encode(each).decode() for each in images]
    return httpx.post(f"{server.url}/predict", json={"inputs": inputs}, timeout=60)


def send_again_and_again(server: Server, images: Sequence[bytes], refusal: str = "") -> None:
    """Send images for a while, after asserting that they are refused for this reason, or read."""
    answer = post(server, images)
    assert answer.status_code == (422 if refusal else 200), answer.text
    if refusal:
        assert re.search(refusal, answer.json()["error"])
    deadline = time.monotonic() + ATTACK_SECONDS
    while time.monotonic() < deadline:
        assert post(server, images).status_code == answer.status_code


@pytest.mark.parametrize("recipe", IMAGES, ids=str)
def test_no_image_holds_up_another_client(images: Server, neighbour_of_images: Neighbour, recipe: Recipe) -> None:
    data = recipe.make()
    neighbour_of_images.beside(lambda: send_again_and_again(images, [data], recipe.refusal))


@pytest.mark.parametrize("recipe", AT_THE_BOUND, ids=str)
def test_as_many_pixels_as_allowed_hold_up_nobody(
    images: Server, neighbour_of_images: Neighbour, recipe: Recipe
) -> None:
    data = recipe.make()
    neighbour_of_images.beside(lambda: send_again_and_again(images, [data] * 3))


def test_many_large_images_are_refused_by_their_headers(images: Server, neighbour_of_images: Neighbour) -> None:
    data = saved("1", (7070, 7070), "PNG")
    neighbour_of_images.beside(lambda: send_again_and_again(images, [data] * 8, "at most 16,000,000 are read"))
