"""Files of records that are made to hurt are refused, or predicted from without holding up another client."""

import json
import re
import time

import httpx
import pytest

from tests.attack.neighbour import Neighbour
from tests.attack.recipes import Recipe
from tests.attack.recipes.parquet_files import PARQUET_FILES
from tests.attack.recipes.tables import TABLES
from tests.installed import Server

pytestmark = pytest.mark.project

TIMEOUT_SECONDS = 300
"""Maximum time of an upload, or of a job."""

TARGET = "attacks/result.jsonl"

TOO_LONG = "tokens"
"""What the model says of a text that it cannot take."""


def predicted(server: Server, content: bytes, kind: str) -> list[str]:
    """Return the errors of a job over a file, and of its records, each once."""
    with httpx.Client(base_url=server.url, timeout=TIMEOUT_SECONDS) as client:
        stored = client.put("/files/attacks/source", content=content)
        assert stored.status_code == 201, stored.text
        arguments = {"source": "attacks/source", "target": TARGET, "format": kind}
        job = client.post("/jobs", json={"kind": "predict", "arguments": arguments}).json()
        deadline = time.monotonic() + TIMEOUT_SECONDS
        while job["state"] in ("queued", "running"):
            assert time.monotonic() < deadline, job
            time.sleep(0.1)
            job = client.get(f"/jobs/{job['id']}").json()
        if job["state"] == "failed":
            assert job["failures"] == 1, "what cannot succeed is not retried"
            return [job["error"]]
        assert job["state"] == "succeeded", job
        assert job["result"]["records"]
        with client.stream("GET", f"/files/{TARGET}") as result:
            found = {json.loads(line).get("error") for line in result.iter_lines()}
        return [each for each in found if each]


each_file = pytest.mark.parametrize("recipe", [*TABLES, *PARQUET_FILES], ids=str)


@each_file
def test_no_file_holds_up_another_client(texts: Server, neighbour: Neighbour, recipe: Recipe) -> None:
    predict_beside(neighbour, texts, recipe)


@pytest.mark.exhaustive
@each_file
def test_a_worker_keeps_files_away_from_another_client(
    texts_with_worker: Server, neighbour_of_worker: Neighbour, recipe: Recipe
) -> None:
    predict_beside(neighbour_of_worker, texts_with_worker, recipe)


def predict_beside(neighbour: Neighbour, texts: Server, recipe: Recipe) -> None:
    """Predict from a file while another client sends requests; assert the bounds of both, and what is refused."""
    content = recipe.make()
    errors: list[str] = []
    neighbour.beside(lambda: errors.extend(predicted(texts, content, recipe.kind)))
    assert all("\n" not in each and len(each) < 600 for each in errors)
    if recipe.refusal:
        assert any(re.search(recipe.refusal, each) for each in errors), errors
    else:
        assert all(TOO_LONG in each for each in errors), errors
