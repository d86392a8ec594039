import io

import pytest
from fastapi.testclient import TestClient
from PIL import Image

from app.main import app, diagnosis


@pytest.fixture(scope="module")
def client():
    with TestClient(app) as client:
        yield client


def photo(color):
    buffer = io.BytesIO()
    Image.new("RGB", (64, 48), color).save(buffer, "PNG")
    return buffer.getvalue()


def test_crops(client):
    assert client.get("/api/crops").json() == {"crops": ["maize", "tomato"]}


def test_diagnose(client):
    response = client.post("/api/diagnose", files={"photo": ("leaf.png", photo((30, 160, 40)))})
    assert response.status_code == 200
    body = response.json()
    assert body["label"] in diagnosis.labels
    assert 0 < body["confidence"] <= 1
    assert body["advice"]


def test_not_a_photo(client):
    response = client.post("/api/diagnose", files={"photo": ("leaf.png", b"hello")})
    assert response.status_code == 415
