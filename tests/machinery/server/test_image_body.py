"""Image files as request bodies."""

from example import INPUTS
from fastapi.testclient import TestClient
from machinery.live import BODIES

from my_project.server.middleware.image_body import ImageBody

assert ImageBody


def test_an_image_file_may_be_the_body(client: TestClient) -> None:
    raw = client.post("/predict", content=INPUTS[0], headers={"content-type": "image/png"})
    assert raw.json() == client.post("/predict", json={"inputs": BODIES[0]}).json()
