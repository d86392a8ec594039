"""Your tests of your routes. Updates never touch this file."""

from fastapi.testclient import TestClient


def test_the_documentation_lists_the_routes(client: TestClient) -> None:
    assert "/predict" in client.get("/openapi.json").json()["paths"]
