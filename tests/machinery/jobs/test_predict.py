"""The jobs that predict from a file, with a fake model."""

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast

import pytest
from pydantic import BaseModel

from my_project.errors import InvalidInputError
from my_project.jobs.context import JobContext
from my_project.jobs.predict import PredictImagesJob, PredictJob, PredictPairsJob
from my_project.jobs.store import JobLease, JobStore
from my_project.settings import Settings
from my_project.storage import Storage


class Parameters(BaseModel):
    """Parameters of the fake model."""

    suffix: str = "!"


class FakeStore:
    """Keeps every lease."""

    def renew(self, *_: object) -> bool:
        """Keep the lease."""
        return True


class FakeModel:
    """Returns the length of an input; refuses the input `refused`, and with it the whole batch."""

    def parse_text(self, text: str) -> str:
        """Return the text in capitals."""
        return text.upper()

    def predict(self, inputs: Sequence[Any], parameters: Parameters) -> list[Any]:
        """Return the length of each input."""
        if "REFUSED" in inputs:
            raise InvalidInputError("refused")
        return [f"{each if isinstance(each, str) else len(each)}{parameters.suffix}" for each in inputs]


@pytest.fixture
def context(tmp_path: Path) -> JobContext:
    """Return the context of a job with a fake model."""
    settings = Settings(storage=str(tmp_path)).model_copy(update={"max_body_bytes": 10})
    lease = JobLease("id", 1, "predict", {}, datetime.now(UTC))
    return JobContext(lease, cast(JobStore, FakeStore()), settings, Storage(settings), FakeModel)


def run(job: PredictJob, context: JobContext, records: list[str], **arguments: Any) -> list[dict[str, Any]]:
    """Return the records that the job writes."""
    with context.storage.write("a.jsonl") as stream:
        stream.write("".join(json.dumps({"text": text}) + "\n" for text in records).encode())
    result = job.run(job.arguments(source="a.jsonl", **arguments), context)
    assert result["records"] == len(records)
    with context.storage.read(result["target"]) as stream:
        return [json.loads(line) for line in stream]


def test_a_refused_record_does_not_affect_its_batch(context: JobContext) -> None:
    rows = run(PredictJob(Parameters), context, ["a", "refused", "b", ""], parameters={"suffix": "?"}, target="b.jsonl")
    assert [row.get("prediction") for row in rows] == ["A?", None, "B?", None]
    assert [row.get("error") for row in rows] == [None, "refused", None, "empty"]


def test_images_are_read_from_the_storage(context: JobContext) -> None:
    for name, size in (("small.png", 10), ("large.png", 11)):
        with context.storage.write(name) as stream:
            stream.write(b"x" * size)
    rows = run(PredictImagesJob(Parameters), context, ["small.png", "large.png", "missing.png", "/etc/passwd"])
    assert rows[0] == {"text": "small.png", "prediction": "10!"}
    errors = [row["error"] for row in rows[1:]]
    assert errors[0] == "large.png: larger than 10 bytes"
    assert errors[1] == "missing.png: no such file in the storage"
    assert "not a path below the storage" in errors[2]


@pytest.mark.parametrize("arguments", [{}, {"column": ["query", "passage"]}])
def test_pairs_are_read_from_two_columns(context: JobContext, arguments: dict[str, Any]) -> None:
    other = arguments.get("column", ["query", "text"])[1]
    records = [{"query": "a", other: "b", "id": 1}, {"query": "a", "id": 2}]
    with context.storage.write("pairs.jsonl") as stream:
        stream.write("".join(json.dumps(each) + "\n" for each in records).encode())
    job = PredictPairsJob(Parameters)
    result = job.run(job.arguments(source="pairs.jsonl", **arguments), context)
    with context.storage.read(result["target"]) as stream:
        rows = [json.loads(line) for line in stream]
    assert rows[0] == {"query": "a", other: "b", "id": 1, "prediction": '["A", "B"]!'}
    assert rows[1]["error"] == f"no {other}"
