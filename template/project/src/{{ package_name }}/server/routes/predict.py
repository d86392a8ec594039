"""The prediction route."""

from collections.abc import Awaitable, Callable, Sequence
from types import NoneType
from typing import Annotated, Any

from fastapi import APIRouter, HTTPException, Request, Response
from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    ValidatorFunctionWrapHandler,
    WrapValidator,
    create_model,
    model_validator,
)

from ...base_settings import ServiceSettings
from ...inference import metrics
from ...inference.engine import Engine
from ...inference.schemas import TaskSchemas
from ...json_limits import check_fields
from ..dependencies import engine_of
from ..disconnects import while_connected
from ..responses import Json

StreamHandler = Callable[[Request, Engine, Sequence[Any], Any], Awaitable[Response]]
"""Returns a streamed response to a request, given the engine, inputs and parameters."""


class PredictRequest(BaseModel):
    """Inputs and parameters of a prediction."""

    model_config = ConfigDict(extra="forbid")

    inputs: Any
    parameters: Any

    @model_validator(mode="before")
    @classmethod
    def _collect_parameters(cls, body: Any) -> Any:
        """Accept parameters beside the inputs, as some clients send them; null means the default."""
        if not isinstance(body, dict) or not isinstance(body.get("parameters"), (dict, NoneType)):
            return body
        beside = {name: value for name, value in body.items() if name not in ("inputs", "parameters")}
        parameters = {**beside, **(body.get("parameters") or {})}
        check_fields(parameters)
        given = {name: value for name, value in parameters.items() if value is not None}
        return {"parameters": given} | ({"inputs": body["inputs"]} if "inputs" in body else {})


def at_most(max_inputs: int, field: str) -> WrapValidator:
    """Return what refuses a list of more inputs with status 413, after a look at the first one alone."""

    def check(value: Any, validate: ValidatorFunctionWrapHandler) -> Any:
        if isinstance(value, list) and len(value) > max_inputs:
            validate(value[:1])  # raises if it is no list of inputs, but a single input
            raise too_many(len(value), field, max_inputs)
        return validate(value)

    return WrapValidator(check)


def several(schemas: TaskSchemas, max_inputs: int, field: str) -> Any:
    """Return the type of a field that holds a list of inputs."""
    return Annotated[list[schemas.input], Field(min_length=1, fail_fast=True), at_most(max_inputs, field)]


def one_or_more(schemas: TaskSchemas, max_inputs: int, field: str) -> Any:
    """Return the type of a field that holds an input or a list of them."""
    # An input may be a list itself, as a pair of texts is: a list of two texts are two inputs.
    inputs = several(schemas, max_inputs, field)
    return Annotated[inputs | schemas.input, Field(union_mode="left_to_right")]


def parameters_field(schemas: TaskSchemas) -> Any:
    """Return type and default of a field that holds the parameters, required if one of them is."""
    is_required = any(each.is_required() for each in schemas.parameters.model_fields.values())
    return (schemas.parameters, ... if is_required else schemas.parameters())


def as_list(value: Any, field: str, max_inputs: int) -> list[Any]:
    """Return the inputs of such a field as a list.

    Raises:
        HTTPException: 413, there are too many.
    """
    inputs = value if isinstance(value, list) else [value]
    if len(inputs) > max_inputs:
        raise too_many(len(inputs), field, max_inputs)
    metrics.INPUTS.observe(len(inputs))
    return inputs


def too_many(count: int, field: str, max_inputs: int) -> HTTPException:
    """Return what refuses more inputs than a request may have."""
    return HTTPException(413, f"{field}: {count} exceed the limit of {max_inputs}")


def predict_request(schemas: TaskSchemas, max_inputs: int) -> type[PredictRequest]:
    """Return the request model of a task."""
    return create_model(
        "PredictRequest",
        __base__=PredictRequest,
        __doc__=PredictRequest.__doc__,
        inputs=(one_or_more(schemas, max_inputs, "inputs"), Field(description="One input, or a list of them.")),
        parameters=parameters_field(schemas),
    )


def predict_router(settings: ServiceSettings, schemas: TaskSchemas, stream: StreamHandler | None) -> APIRouter:
    """Return the route `POST /predict`, also at `/`, for clients that have an address alone, and at `/invocations`.

    SageMaker sends what its clients sent to `/invocations`.
    """
    max_inputs = settings.max_inputs

    async def predict(request: Request, body: PredictRequest) -> Response:
        """Predict: a single input is answered with one prediction, a list with a list."""
        inputs = as_list(body.inputs, "inputs", max_inputs)
        engine = engine_of(request)
        if stream and getattr(body.parameters, "stream", False):
            return await stream(request, engine, inputs, body.parameters)
        predictions = await while_connected(request, engine.predict(inputs, body.parameters))
        return Json(predictions if isinstance(body.inputs, list) or engine.model.nest_single_output else predictions[0])

    predict.__annotations__["body"] = predict_request(schemas, max_inputs)  # FastAPI reads the request model from there
    router = APIRouter()
    response = schemas.output | list[schemas.output]
    for path in ("/", "/invocations"):
        router.add_api_route(path, predict, methods=["POST"], include_in_schema=False)
    router.add_api_route("/predict", predict, methods=["POST"], response_model=response)
    return router
