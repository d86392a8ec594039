import pytest
from fastapi.testclient import TestClient

from moldash import __version__
from moldash.asgi import app


@pytest.fixture(scope="module")
def client():
    with TestClient(app) as client:
        yield client


def test_healthz_once_loaded(client):
    assert client.get("/healthz").json() == {"ok": True, "version": __version__}


def test_package_data(client):
    assert "log S" in client.get("/about").text


def test_solubility(client):
    response = client.post("/v1/solubility", json={"smiles": ["CCO", "c1ccccc1", "CC(=O)O"]})
    assert response.status_code == 200
    assert len(response.json()["log_s"]) == 3


@pytest.mark.parametrize("bad", ["", "C~C", "ethanol!"])
def test_bad_smiles(client, bad):
    assert client.post("/v1/solubility", json={"smiles": [bad]}).status_code == 422
