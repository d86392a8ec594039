"""The Open Inference Protocol (KServe v2): one tensor of inputs, and one of predictions.

https://github.com/kserve/open-inference-protocol. Tensors have no type for the inputs of most tasks, so the mapping is:
the input tensor is called `inputs`; its element, or its row if it has two dimensions, is an input as in `/predict`. An
element of type BYTES that is an object in JSON is that object, if the task takes objects. Predictions that are numbers,
or lists of as many numbers each, are a tensor FP64 called `predictions`; others are BYTES, each the JSON of one.
"""

import json
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Request
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError, field_validator
from starlette.exceptions import HTTPException

from ... import __version__
from ...base_settings import ServiceSettings
from ...errors import InvalidInputError
from ...inference.schemas import TaskSchemas
from ...json_limits import check_fields, json_problem
from ..dependencies import engine_of
from ..disconnects import while_connected
from ..responses import Json, encode
from .health import ready
from .predict import as_list, several

INPUTS, PREDICTIONS = "inputs", "predictions"
"""Names of the tensors."""

Integer = Literal["INT8", "INT16", "INT32", "INT64", "UINT8", "UINT16", "UINT32", "UINT64"]
Datatype = Literal["BOOL", "FP32", "FP64", "BYTES"] | Integer


class Tensor(BaseModel):
    """A tensor of inputs, with its elements in one list or in nested ones."""

    model_config = ConfigDict(extra="forbid")

    name: Literal["inputs"]
    shape: Annotated[list[Annotated[int, Field(ge=1)]], Field(min_length=1, max_length=2)]
    datatype: Datatype
    parameters: dict[str, Any] | None = None
    data: list[Any] = Field(min_length=1)


class OutputRequest(BaseModel):
    """A tensor that the client asks for."""

    model_config = ConfigDict(extra="forbid")

    name: Literal["predictions"]
    parameters: dict[str, Any] | None = None


class InferRequest(BaseModel):
    """An inference request; `parameters` are those of `/predict`."""

    model_config = ConfigDict(extra="forbid")

    id: Annotated[str, Field(max_length=256)] | None = None
    parameters: dict[str, Any] | None = None
    inputs: list[Tensor] = Field(min_length=1, max_length=1)
    outputs: Annotated[list[OutputRequest], Field(max_length=1)] | None = None

    @field_validator("parameters")
    @classmethod
    def _count(cls, given: dict[str, Any] | None) -> dict[str, Any] | None:
        check_fields(given or {})
        return given


def open_inference_router(settings: ServiceSettings, schemas: TaskSchemas) -> APIRouter:
    """Return the protocol's routes for the model, under the name of the setting `open_inference_name`."""
    name, max_inputs = settings.open_inference_name, settings.max_inputs
    inputs_of = TypeAdapter[list[Any]](several(schemas, max_inputs, INPUTS))

    async def live() -> Json:
        return Json({"live": True})

    async def server(request: Request) -> Json:
        return Json({"name": request.app.title, "version": __version__, "extensions": list[str]()})

    async def is_ready(request: Request) -> Json:
        answer = await ready(request, engine_of(request))
        return Json({"name": name, "ready": answer.status_code == 200}, answer.status_code)

    async def metadata(request: Request) -> Json:
        tensor = {"datatype": "BYTES", "shape": [-1]}
        return Json(
            {
                "name": name,
                "versions": [revision] if (revision := engine_of(request).revision) else list[str](),
                "platform": "slipway",
                "inputs": [{"name": INPUTS, **tensor}],
                "outputs": [{"name": PREDICTIONS, **tensor}],
            }
        )

    async def infer(request: Request, body: InferRequest) -> Json:
        given = _elements(body.inputs[0])
        try:
            inputs = as_list(inputs_of.validate_python(given), INPUTS, max_inputs)
        except ValidationError as error:
            raise InvalidInputError(f"inputs: {error.errors()[0]['msg']}") from error
        parameters = schemas.parameters(**(body.parameters or {}))
        engine = engine_of(request)
        predictions = await while_connected(request, engine.predict(inputs, parameters))
        answer: dict[str, Any] = {"model_name": name, "model_version": engine.revision}
        if body.id is not None:
            answer["id"] = body.id
        return Json({**answer, "outputs": [_tensor(predictions)]})

    async def versioned(request: Request, version: str, body: InferRequest) -> Json:
        if version != engine_of(request).revision:
            raise HTTPException(404, f"version {version} is not served")
        return await infer(request, body)

    router = APIRouter(prefix="/v2", include_in_schema=False)
    router.add_api_route("", server)
    router.add_api_route("/health/live", live)
    router.add_api_route("/health/ready", is_ready)
    router.add_api_route(f"/models/{name}", metadata)
    router.add_api_route(f"/models/{name}/ready", is_ready)
    router.add_api_route(f"/models/{name}/infer", infer, methods=["POST"])
    router.add_api_route(f"/models/{name}/versions/" + "{version}/infer", versioned, methods=["POST"])
    return router


def _elements(tensor: Tensor) -> list[Any]:
    """Return the elements of a tensor, or its rows if it has two dimensions.

    Raises:
        InvalidInputError: Shape and data do not agree.
    """
    rows, columns = tensor.shape[0], tensor.shape[1] if len(tensor.shape) == 2 else 0
    data = tensor.data
    if columns and len(data) == rows * columns and not isinstance(data[0], list):
        data = [data[start : start + columns] for start in range(0, len(data), columns)]
    if len(data) != rows or (columns and any(not isinstance(row, list) or len(row) != columns for row in data)):
        raise InvalidInputError(f"inputs: the data does not have the shape {tensor.shape}")
    if columns == 1:  # clients send a list of texts as a column, too
        data = [row[0] for row in data]
    return [_object(each) for each in data] if tensor.datatype == "BYTES" else data


def _object(element: Any) -> Any:
    """Return the object of a text in JSON, and anything else as it is.

    Raises:
        InvalidInputError: The object has too many values, or too many levels.
    """
    if not isinstance(element, str) or not element.startswith("{"):
        return element
    if problem := json_problem(element.encode(errors="replace")):
        raise InvalidInputError(f"inputs: {problem}")
    try:
        return json.loads(element)
    except ValueError:
        return element


def _tensor(predictions: list[Any]) -> dict[str, Any]:
    """Return predictions as a tensor, flat as the protocol prefers it."""
    rows = [each if isinstance(each, list) else [each] for each in predictions]
    width = len(rows[0])
    if all(len(row) == width and all(type(value) in (int, float) for value in row) for row in rows):
        shape = [len(rows), width] if isinstance(predictions[0], list) else [len(rows)]
        values = [value for row in rows for value in row]
        return {"name": PREDICTIONS, "datatype": "FP64", "shape": shape, "data": values}
    texts = [each if isinstance(each, str) else encode(each).decode() for each in predictions]
    return {"name": PREDICTIONS, "datatype": "BYTES", "shape": [len(texts)], "data": texts}
