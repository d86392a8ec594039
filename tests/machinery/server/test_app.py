"""create_app: settings and components decide what the application consists of."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest
from fastapi import APIRouter
from fastapi.testclient import TestClient
from prometheus_client.registry import Collector
from pydantic import BaseModel
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.types import Receive, Scope, Send

from my_project.base_settings import ServiceSettings
from my_project.inference.batching import Item
from my_project.inference.engine import AnsweredRequest
from my_project.inference.model import InferenceModel
from my_project.inference.schemas import TaskSchemas
from my_project.server.app import ServerComponents, create_app
from my_project.server.dependencies import EngineDep, SettingsDep


class NoParameters(BaseModel):
    """Nothing to choose."""


class RequiredParameters(BaseModel):
    """A parameter without a default."""

    factor: int


class Doubler(InferenceModel[int, Any, int]):
    """Doubles numbers."""

    name, revision = "doubler", "1"

    def preprocess(self, inputs: Sequence[int], parameters: Any) -> list[Item]:
        """Return the numbers."""
        return [Item(each, parameters) for each in inputs]

    def predict_batch(self, items: Sequence[Item]) -> list[int]:
        """Return twice each number."""
        return [item.value * getattr(item.parameters, "factor", 2) for item in items]


class Recorder:
    """Notes what it is called with."""

    def __init__(self) -> None:
        self.calls: list[Any] = []

    def start(self) -> None:
        """Note the start."""
        self.calls.append("start")

    def stop(self) -> None:
        """Note the stop."""
        self.calls.append("stop")

    def record(self, answered: AnsweredRequest) -> None:
        """Note the model and the inputs."""
        self.calls.append((answered.model, answered.revision, answered.inputs))


class Beside:
    """A service that is not ready."""

    collectors: Sequence[Collector] = ()

    def __init__(self, calls: list[str]) -> None:
        self._calls = calls

    async def start(self) -> None:
        """Note the start."""
        self._calls.append("start")

    async def stop(self) -> None:
        """Note the stop."""
        self._calls.append("stop")

    def reasons(self) -> list[str]:
        """Return a reason, in a thread without an event loop."""
        with pytest.raises(RuntimeError, match="no running event loop"):
            asyncio.get_running_loop()
        return ["beside"]


def components(**changes: Any) -> ServerComponents:
    """Return the components of an API that doubles numbers."""
    plain = ServerComponents("Doubler", "Doubles.", "1", "doubler", TaskSchemas(int, NoParameters, int), Doubler)
    return replace(plain, **changes)


def client_of(**changes: Any) -> TestClient:
    """Return a client of that API; its lifespan begins with a `with` block."""
    return TestClient(create_app(ServiceSettings(), components(**changes)))


def wait(client: TestClient) -> None:
    """Return when the model is loaded."""
    app: Any = client.app
    app.state.engine.loading.result(60)


def test_the_model_of_the_components_answers() -> None:
    with client_of() as client:
        wait(client)
        assert client.post("/predict", json={"inputs": 2}).json() == 4
        assert client.post("/predict", json={"inputs": [2, 3]}).json() == [4, 6]
        assert client.get("/health").json()["model"] == "doubler"
        assert client.get("/openapi.json").json()["info"]["title"] == "Doubler"


def test_two_applications_in_one_process_share_nothing() -> None:
    with client_of() as one, client_of() as other:
        assert one.app is not other.app
        wait(one)
        wait(other)
        assert one.post("/predict", json={"inputs": 2}).json() == other.post("/predict", json={"inputs": 2}).json()


def test_a_parameter_without_a_default_is_required() -> None:
    with client_of(schemas=TaskSchemas(int, RequiredParameters, int)) as client:
        wait(client)
        assert client.post("/predict", json={"inputs": 2, "parameters": {"factor": 5}}).json() == 10
        refused = client.post("/predict", json={"inputs": 2})
        assert (refused.status_code, refused.json()["error"]) == (422, "parameters.factor: Field required")


def test_routers_have_the_engine_and_the_settings() -> None:
    router = APIRouter()

    @router.get("/mine")
    async def mine(engine: EngineDep, settings: SettingsDep) -> dict[str, Any]:
        return {"model": engine.name, "max_inputs": settings.max_inputs}

    with client_of(routers=[router]) as client:
        wait(client)
        assert client.get("/mine").json() == {"model": "doubler", "max_inputs": 256}


def test_services_start_and_stop_with_the_application_and_may_be_unready() -> None:
    calls: list[str] = []
    with client_of(services=[lambda engine: Beside(calls)]) as client:
        wait(client)
        assert calls == ["start"]
        assert client.get("/ready").json()["reasons"] == ["beside"]
    assert calls == ["start", "stop"]


def test_the_recorder_gets_every_answered_request() -> None:
    recorder = Recorder()
    with client_of(recorder=lambda: recorder) as client:
        wait(client)
        client.post("/predict", json={"inputs": [2, 3]})
        client.post("/predict", json={"inputs": "two"})
    assert recorder.calls == ["start", ("doubler", "1", [2, 3]), "stop"]


def test_the_stream_handler_answers_streams() -> None:
    class Streamable(BaseModel):
        stream: bool = False

    async def stream(request: Request, engine: Any, inputs: Sequence[int], parameters: Any) -> Response:
        return PlainTextResponse(f"streams {inputs}")

    with client_of(schemas=TaskSchemas(int, Streamable, int), stream=stream) as client:
        wait(client)
        assert client.post("/predict", json={"inputs": 2, "stream": True}).text == "streams [2]"
        assert client.post("/predict", json={"inputs": 2}).json() == 4


class Stamp:
    """Middleware that notes its name."""

    def __init__(self, app: Any, name: str, seen: list[str]) -> None:
        self._app, self._name, self._seen = app, name, seen

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Note the request and pass it on."""
        if scope["type"] == "http":
            self._seen.append(self._name)
        await self._app(scope, receive, send)


def test_middleware_error_handlers_and_body_limits_are_those_of_the_components() -> None:
    seen: list[str] = []
    router = APIRouter()

    @router.post("/files/{name}")
    async def fail(request: Request) -> None:
        await request.body()
        raise LookupError

    async def handle(request: Request, error: LookupError) -> Response:
        return PlainTextResponse("handled", 418)

    middleware = [Middleware(Stamp, name=name, seen=seen) for name in ("outer", "inner")]
    parts = {"routers": [router], "middleware": middleware, "error_handlers": {LookupError: handle}}
    with client_of(**parts, body_limits={"/files/": 2_000_000}) as client:
        assert client.post("/files/a", content=b" " * 1_500_000).status_code == 418
        assert seen == ["outer", "inner"]
        assert client.post("/files/a", content=b" " * 2_500_000).status_code == 413
