"""Image files as request bodies."""

import base64

from example import INPUTS
from fastapi.testclient import TestClient
from machinery.live import BODIES
from machinery.recipes.images import saved

from my_project.server.middleware.image_body import ImageBody

assert ImageBody


def test_an_image_file_may_be_the_body(client: TestClient) -> None:
    raw = client.post("/predict", content=INPUTS[0], headers={"content-type": "image/png"})
    assert raw.json() == client.post("/predict", json={"inputs": BODIES[0]}).json()


def test_the_pixels_of_a_request_are_limited_before_any_is_decoded(client: TestClient) -> None:
    image = base64.b64encode(saved("1", (4000, 4000), "PNG")).decode()
    assert client.post("/predict", json={"inputs": [image] * 3}).status_code == 200
    answer = client.post("/predict", json={"inputs": [image] * 4})
    assert answer.status_code == 422
    assert answer.json()["error"] == "4 images have 64,000,000 pixels; at most 50,000,000 are read from a request"
