"""Kinds of job, and the requests for them."""

from typing import Any, cast

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient
from pydantic import BaseModel, TypeAdapter, ValidationError

from my_project.jobs.context import JobContext
from my_project.jobs.predict import PredictJob
from my_project.jobs.types import JobRequest, JobType, JobTypes
from my_project.server.routes.jobs import jobs_router

CONTEXT = cast(JobContext, None)

MANY = {f"field{number}": 1 for number in range(1001)}


class Parameters(BaseModel):
    """Parameters of a task."""

    top_k: int = 5


class AddArguments(BaseModel):
    """Two numbers."""

    left: int
    right: int = 1


class AddJob(JobType[AddArguments]):
    """Add two numbers."""

    name = "add"
    arguments = AddArguments

    def run(self, arguments: AddArguments, context: JobContext) -> dict[str, Any]:
        """Return the sum."""
        return {"sum": arguments.left + arguments.right}


TYPES = JobTypes([PredictJob(Parameters), AddJob()])


def parse(request: Any, types: JobTypes = TYPES) -> JobRequest:
    """Return a validated request."""
    found: JobRequest = TypeAdapter(types.request).validate_python(request)
    return found


def test_requests_are_told_apart_by_their_kind() -> None:
    assert parse({"kind": "add", "arguments": {"left": 1}}).arguments == AddArguments(left=1)
    assert parse({"kind": "predict", "arguments": {"source": "a.txt"}}).kind == "predict"
    assert parse({"arguments": {"source": "a.txt"}}).kind == "predict", "the first kind is the default"
    assert parse({"arguments": {"left": 1}}, JobTypes([AddJob()])).kind == "add"
    assert TYPES.run("add", {"left": 2}, CONTEXT) == {"sum": 3}


@pytest.mark.parametrize(
    ("request_", "reason"),
    [
        ({"kind": "nothing", "arguments": {}}, "not one of predict, add"),
        ({"kind": ["add"], "arguments": {}}, "not one of predict, add"),
        ({"kind": "add", "arguments": {"left": "x"}}, "valid integer"),
        ({"kind": "add"}, "Field required"),
        ({"kind": "add", "arguments": {"left": 1}, "more": 1}, "Extra inputs"),
        ({"kind": "predict", "arguments": {"source": "a", "more": 1}}, "Extra inputs"),
        ({"kind": "predict", "arguments": {"source": "a"}, **MANY}, "1003 fields exceed the limit of 1000"),
        ({"kind": "predict", "arguments": {"source": "a", **MANY}}, "1002 fields exceed the limit of 1000"),
        ({"kind": "predict", "arguments": {"source": "/a"}}, "not a path below the storage"),
        ("add", "not one of predict, add"),
    ],
)
def test_an_invalid_request_is_refused(request_: Any, reason: str) -> None:
    with pytest.raises(ValidationError, match=reason):
        parse(request_)


def test_a_job_that_is_no_longer_valid_is_refused() -> None:
    with pytest.raises(ValidationError):
        TYPES.run("removed", {}, CONTEXT)
    with pytest.raises(ValidationError):
        TYPES.run("add", {}, CONTEXT)


def test_invalid_sets_of_kinds_are_refused() -> None:
    class Long(AddJob):
        name = "a" * 51

    class Bad(AddJob):
        name = "Add it"

    with pytest.raises(ValueError, match="defined twice"):
        JobTypes([AddJob(), AddJob()])
    for bad in (Long(), Bad()):
        with pytest.raises(ValueError, match="a name is 1 to 50"):
            JobTypes([bad])
    with pytest.raises(ValueError, match="no job types"):
        JobTypes([])


def test_parameters_of_the_task_are_validated() -> None:
    arguments: Any = parse({"arguments": {"source": "a.txt", "parameters": {"top_k": 2}}}).arguments
    assert arguments.parameters == Parameters(top_k=2)
    with pytest.raises(ValidationError, match="top_k"):
        parse({"arguments": {"source": "a.txt", "parameters": {"top_k": "x"}}})


def test_the_api_documents_every_kind() -> None:
    app = FastAPI()
    app.include_router(jobs_router(TYPES))
    schema = TestClient(app).get("/openapi.json").json()
    body = schema["paths"]["/jobs"]["post"]["requestBody"]["content"]["application/json"]["schema"]
    names = [each["$ref"].rpartition("/")[2] for each in body["oneOf"]]
    assert names == ["PredictRequest", "AddRequest"]
    kinds = [schema["components"]["schemas"][name]["properties"]["kind"]["const"] for name in names]
    assert kinds == ["predict", "add"]
