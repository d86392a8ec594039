"""Hosting platforms: their variables, and their own calls acted out on a server with real connections."""

import json
import subprocess
import sys
from collections.abc import Generator
from contextlib import contextmanager
from http.client import HTTPConnection
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from fastapi import APIRouter
from fastapi.testclient import TestClient
from machinery.live import BAD, BODIES, live
from machinery.server.test_app import components as parts
from machinery.server.test_app import wait
from machinery.server.test_authentication import KEY, bearer, line
from pydantic import ValidationError

from my_project.base_settings import ServiceSettings
from my_project.errors import ModelUnavailableError
from my_project.server.app import create_app
from my_project.server.asgi import create
from my_project.server.routes.hosted import RouteTakenError
from my_project.settings import Settings

VERTEX_HEALTH = "/v1/endpoints/123/deployedModels/456"
VERTEX_PREDICT = f"{VERTEX_HEALTH}:predict"
"""Paths that Vertex AI chooses where the owner of the model chooses none."""

VERTEX = {"AIP_HEALTH_ROUTE": VERTEX_HEALTH, "AIP_PREDICT_ROUTE": VERTEX_PREDICT}


@pytest.fixture(autouse=True)
def no_platform(monkeypatch: pytest.MonkeyPatch) -> None:
    """Remove the variables of platforms."""
    for name in (*VERTEX, "AIP_HTTP_PORT", "PORT", "MY_PROJECT_PORT", "MY_PROJECT_WEIGHTS_FOLDERS"):
        monkeypatch.delenv(name, raising=False)


@contextmanager
def doubler(**settings: Any) -> Generator[TestClient]:
    """Yield a client of an API that doubles numbers, with its model loaded."""
    with TestClient(create_app(ServiceSettings(**settings), parts())) as client:
        wait(client)
        yield client


def call(url: str, method: str, path: str, body: Any = None) -> tuple[int, bytes]:
    """Return status and body of an answer, over a connection of its own and with the headers of a platform."""
    connection = HTTPConnection(urlsplit(url).netloc, timeout=60)
    headers = {"Content-Type": "application/json", "X-Amzn-SageMaker-Custom-Attributes": "trace"}
    connection.request(method, path, None if body is None else json.dumps(body), headers)
    with connection.getresponse() as response:
        content = response.read()
    connection.close()
    return response.status, content


@pytest.mark.parametrize(
    ("variables", "port"),
    [
        ({}, 8000),
        ({"PORT": "10000"}, 10000),
        ({"PORT": "10000", "AIP_HTTP_PORT": "8080"}, 8080),
        ({"PORT": "10000", "AIP_HTTP_PORT": "8080", "MY_PROJECT_PORT": "7860"}, 7860),
        ({"PORT": "", "AIP_HTTP_PORT": ""}, 8000),
    ],
)
def test_the_port_is_your_setting_then_that_of_the_platform(
    monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], port: int
) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert Settings().port == port


def test_the_published_port_in_the_env_file_is_not_the_servers(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    Path(".env").write_text("PORT=8000-8003\n")
    assert Settings().port == 8000


@pytest.mark.parametrize("variable", ["AIP_HTTP_PORT", "PORT"])
@pytest.mark.parametrize("value", ["http", "-1", "65536", "8080 ", "\u0668\u0660", "8000-8003", "9" * 5000])
def test_a_platforms_port_that_is_none_is_refused(monkeypatch: pytest.MonkeyPatch, variable: str, value: str) -> None:
    monkeypatch.setenv(variable, value)
    with pytest.raises(ValidationError, match=f"{variable}\n  not a port from 0 to 65535"):
        Settings()


def test_the_calls_of_sagemaker_and_of_vertex_are_answered(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in VERTEX.items():
        monkeypatch.setenv(name, value)
    with live(create()) as url:
        assert call(url, "GET", "/ping") == (200, b"")
        assert call(url, "GET", VERTEX_HEALTH)[0] == 200
        status, expected = call(url, "POST", "/predict", {"inputs": BODIES[:2]})
        assert status == 200
        assert call(url, "POST", "/invocations", {"inputs": BODIES[:2]}) == (200, expected)
        status, answer = call(url, "POST", VERTEX_PREDICT, {"instances": BODIES[:2], "parameters": None})
        assert status == 200
        assert json.loads(answer) == {"predictions": json.loads(expected)}
        assert call(url, "POST", VERTEX_PREDICT, {"instances": [BAD]})[0] == 422
        assert call(url, "POST", "/invocations", {"inputs": BAD})[0] == 422
        status, metrics = call(url, "GET", "/metrics")
    assert status == 200
    assert f'http_requests_total{{method="POST",route="{VERTEX_PREDICT}",status="200"}}' in metrics.decode()


def test_a_model_that_is_not_loaded_is_ready_for_no_platform(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {**VERTEX, "MY_PROJECT_MODEL": "/no/model", "MY_PROJECT_EXPORTED": "/no/export"}.items():
        monkeypatch.setenv(name, value)
    app = create_app(Settings(), parts(load_model=_fail))
    with TestClient(app) as client:
        app.state.engine.loading.result(timeout=60)
        assert (client.get("/ping").status_code, client.get("/ping").content) == (503, b"")
        assert client.get(VERTEX_HEALTH).status_code == 503
        assert client.post(VERTEX_PREDICT, json={"instances": [1]}).status_code == 503


def _fail() -> Any:
    raise ModelUnavailableError("there is none")


@pytest.mark.parametrize(
    ("body", "status", "message"),
    [
        ({}, 422, "instances: Field required"),
        ({"instances": []}, 422, "instances: List should have at least 1 item"),
        ({"instances": 1}, 422, "instances: "),
        ({"instances": ["one"]}, 422, "instances.0: "),
        ({"instances": [1] * 1000}, 413, "instances: 1000 exceed the limit of 256"),
        ({"instances": [1], "parameters": [1]}, 422, "parameters: "),
        ({"instances": [1], "inputs": [1]}, 422, "inputs: "),
        ([], 422, "body: "),
    ],
)
def test_bad_instances_are_refused_in_one_line(body: Any, status: int, message: str) -> None:
    with doubler(predict_route="/vertex") as client:
        answer = client.post("/vertex", json=body)
        assert (answer.status_code, message in answer.json()["error"]) == (status, True), answer.text
        assert "\n" not in answer.json()["error"]


def test_limits_and_keys_hold_on_the_platforms_routes() -> None:
    settings: dict[str, Any] = {"health_route": "/well", "predict_route": "/vertex", "api_keys": line("laptop", KEY)}
    bodies = {"/vertex": {"instances": [2]}, "/invocations": {"inputs": [2]}}
    with doubler(**settings, max_body_bytes=1000, quota_requests_per_second=1) as client:
        assert client.get("/ping").status_code == client.get("/well").status_code == 200
        assert client.post("/vertex", json=bodies["/vertex"], headers=bearer()).json() == {"predictions": [4]}
        for path, body in bodies.items():
            assert client.post(path, json=body).status_code == 401
            assert client.post(path, json=body, headers=bearer()).status_code == 429
            assert client.post("/well").status_code == 405
    with doubler(**settings, max_body_bytes=1000) as client:
        for path in bodies:
            assert client.post(path, json={"inputs": [2] * 1000}, headers=bearer()).status_code == 413
    with doubler(**settings, rate_limit_per_second=1) as client:
        answers = [client.get(path).status_code for path in ("/well", "/ping") * 3]
        assert answers == [200] * 6, "health checks are never limited"
        assert [client.post("/vertex", json={}, headers=bearer()).status_code for _ in range(2)] == [422, 429]


@pytest.mark.parametrize("path", ["/predict", "/", "/invocations"])
def test_vertex_may_name_the_paths_of_predictions_and_health(path: str) -> None:
    with doubler(health_route="/health", predict_route=path, docs=False) as client:
        assert client.get("/health").json() == {"status": "ready"}
        assert client.post(path, json={"instances": [2, 3]}).json() == {"predictions": [4, 6]}


@pytest.mark.parametrize("setting", ["health_route", "predict_route"])
def test_an_owners_route_is_not_taken_over(setting: str) -> None:
    router = APIRouter()

    @router.delete("/items/{name}")
    async def delete(name: str) -> None:
        """Do nothing."""

    settings: dict[str, Any] = {setting: "/items/a"}
    with pytest.raises(RouteTakenError, match=f"{setting}: /items/a is another route"):
        create_app(ServiceSettings(**settings), parts(routers=[router]))


@pytest.mark.parametrize(
    ("settings", "named"),
    [
        ({"health_route": "/predict"}, "health_route: /predict"),
        ({"health_route": "/metrics"}, "health_route: /metrics"),
        ({"health_route": "/docs/assets/swagger-ui.css"}, "health_route: /docs"),
        ({"predict_route": "/health"}, "predict_route: /health"),
        ({"predict_route": "/files/a/b/c"}, "predict_route: /files/a/b/c"),
        ({"health_route": "/same", "predict_route": "/same"}, "both /same"),
    ],
)
def test_a_route_that_opens_another_one_is_refused(settings: dict[str, Any], named: str) -> None:
    with pytest.raises(RouteTakenError, match=named):
        create_app(ServiceSettings(**settings), parts(body_limits={"/files/": 1_000_000_000}))


NO_PATHS = ["predict", "//a", "/a//b", "/a/", "/a/../b", "/..", "/a/./b", "/{name}", "/a?b=1", "/a#b", "/a%2fb"]


@pytest.mark.parametrize("route", [*NO_PATHS, "/\u00e9", "/a b", "/a\n", "/" + "a" * 256, "https://a.example/"])
@pytest.mark.parametrize("variable", VERTEX)
def test_a_path_that_could_be_read_in_two_ways_is_refused(
    monkeypatch: pytest.MonkeyPatch, variable: str, route: str
) -> None:
    monkeypatch.setenv(variable, route)
    with pytest.raises(ValidationError, match="not a path such as /predict"):
        Settings()


@pytest.mark.parametrize("processes", ["1", "2"])
@pytest.mark.parametrize(
    ("variables", "line"),
    [
        ({"AIP_HTTP_PORT": "http"}, "error: AIP_HTTP_PORT: not a port from 0 to 65535"),
        ({"AIP_HEALTH_ROUTE": "/predict"}, "error: health_route: /predict is another route of this server"),
    ],
)
def test_a_server_says_in_one_line_what_is_wrong(
    monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], line: str, processes: str
) -> None:
    for name, value in {**variables, "WEB_CONCURRENCY": processes}.items():
        monkeypatch.setenv(name, value)
    serve = [sys.executable, "-m", "my_project", "serve", "--port", "0"]
    done = subprocess.run(serve, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 1
    errors = [each for each in done.stderr.splitlines() if "Uvicorn running" not in each]
    assert len(errors) == 1, done.stderr
    assert errors[0].startswith(line)


def test_the_first_folder_with_files_has_the_weights(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    folders = [tmp_path / name for name in ("repository", "ml", "mnt", "image")]
    monkeypatch.setenv("MY_PROJECT_WEIGHTS_FOLDERS", ":".join(map(str, folders)))
    monkeypatch.delenv("MY_PROJECT_MODEL")
    default = ServiceSettings.model_fields["model"].default
    assert Settings().model == default
    folders[0].mkdir()
    assert Settings().model == default, "SageMaker makes a folder that it may leave empty"
    for folder in folders[:0:-1]:
        folder.mkdir()
        (folder / "model.safetensors").touch()
        assert Settings().model == str(folder)
    monkeypatch.setenv("MY_PROJECT_MODEL", "an-org/mine")
    assert Settings().model == "an-org/mine"


TENSOR: dict[str, Any] = {"name": "inputs", "shape": [2], "datatype": "INT64", "data": [2, 3]}


def test_the_calls_of_kserve_are_answered() -> None:
    with doubler(open_inference_name="doubler", api_keys=line("laptop", KEY)) as client:
        assert client.get("/v2/health/live").json() == {"live": True}
        assert client.get("/v2/health/ready").status_code == 200
        assert client.get("/v2/models/doubler/ready").status_code == 401
        client.headers.update(bearer())
        assert client.get("/v2").json()["name"] == "Doubler"
        assert client.get("/v2/models/doubler/ready").json() == {"name": "doubler", "ready": True}
        assert client.get("/v2/models/doubler").json()["versions"] == ["1"]
        answer = client.post("/v2/models/doubler/infer", json={"id": "a", "inputs": [TENSOR]}).json()
        tensor = {"name": "predictions", "datatype": "FP64", "shape": [2], "data": [4, 6]}
        assert answer == {"model_name": "doubler", "model_version": "1", "id": "a", "outputs": [tensor]}
        column = {**TENSOR, "shape": [2, 1], "data": [[2], [3]]}
        body = {"inputs": [column], "outputs": [{"name": "predictions"}]}
        assert client.post("/v2/models/doubler/versions/1/infer", json=body).json()["outputs"] == [tensor]
        assert client.post("/v2/models/doubler/versions/2/infer", json=body).status_code == 404
        assert client.post("/v2/models/other/infer", json=body).status_code == 404


def test_kserves_protocol_is_off_unless_the_model_has_a_name() -> None:
    with doubler() as client:
        assert client.get("/v2/health/live").status_code == 404
        assert client.post("/v2/models//infer", json={"inputs": [TENSOR]}).status_code == 404


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"shape": [3]}, "inputs: the data does not have the shape [3]"),
        ({"shape": [1, 3]}, "inputs: the data does not have the shape [1, 3]"),
        ({"shape": []}, "shape"),
        ({"shape": [2, 1, 1]}, "shape"),
        ({"name": "text"}, "name"),
        ({"datatype": "TEXT"}, "datatype"),
        ({"data": ["two", 3]}, "inputs: "),
        ({"shape": [1], "datatype": "BYTES", "data": ['{"a":' * 1000]}, "inputs: nested more than 400 deep"),
        ({"shape": [300], "data": [1] * 300}, "inputs: 300 exceed the limit of 256"),
    ],
)
def test_a_tensor_that_does_not_fit_is_refused_in_one_line(change: dict[str, Any], message: str) -> None:
    with doubler(open_inference_name="doubler") as client:
        answer = client.post("/v2/models/doubler/infer", json={"inputs": [TENSOR | change]})
        assert answer.status_code in (413, 422)
        assert message in answer.json()["error"]
        assert "\n" not in answer.json()["error"]


@pytest.mark.skipif("exported" not in Settings.model_fields, reason="the project has no ONNX Runtime")
def test_a_mounted_export_is_served_as_the_model_that_it_is_of(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("MY_PROJECT_WEIGHTS_FOLDERS", str(tmp_path))
    monkeypatch.delenv("MY_PROJECT_MODEL")
    (tmp_path / "model.onnx").touch()
    manifest = tmp_path / "weights.json"
    for broken in ("", "[]", "{", '{"model": 5}'):
        manifest.write_text(broken)
        assert Settings().model == ServiceSettings.model_fields["model"].default, broken
    manifest.write_text(json.dumps({"model": "an-org/mine", "commit": "c" * 40}))
    served: Any = Settings()
    assert (served.exported, served.model, served.revision) == (tmp_path, "an-org/mine", "c" * 40)
