"""Routes at the paths that a hosting platform chooses: readiness, and predictions in the format of Vertex AI."""

from collections.abc import Iterable
from typing import Any

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, ConfigDict, Field, create_model, field_validator
from starlette.routing import BaseRoute, Match

from ...base_settings import ServiceSettings
from ...inference.schemas import TaskSchemas
from ..dependencies import engine_of
from ..disconnects import while_connected
from ..health_paths import HEALTH_PATHS
from ..responses import Json
from .health import ready
from .predict import StreamHandler, as_list, parameters_field, several

PREDICT_PATHS = frozenset({"/", "/predict", "/invocations"})
"""Paths that the platform's predictions may take over."""


class RouteTakenError(ValueError):
    """The path of a platform's route means something else already."""


class InstancesRequest(BaseModel):
    """Instances and parameters of a prediction; null means the default of the parameters."""

    model_config = ConfigDict(extra="forbid")

    instances: Any
    parameters: Any

    @field_validator("parameters", mode="before")
    @classmethod
    def _default(cls, given: Any) -> Any:
        return dict[str, Any]() if given is None else given


def hosted_router(settings: ServiceSettings, schemas: TaskSchemas, stream: StreamHandler | None) -> APIRouter:
    """Return the routes at the paths of the settings `health_route` and `predict_route`, as far as they are set."""
    max_inputs = settings.max_inputs

    async def predict(request: Request, body: InstancesRequest) -> Response:
        """Predict instances, in the format of Vertex AI."""
        instances = as_list(body.instances, "instances", max_inputs)
        engine = engine_of(request)
        if stream and getattr(body.parameters, "stream", False):
            return await stream(request, engine, instances, body.parameters)
        return Json({"predictions": await while_connected(request, engine.predict(instances, body.parameters))})

    predict.__annotations__["body"] = create_model(
        "InstancesRequest",
        __base__=InstancesRequest,
        instances=(several(schemas, max_inputs, "instances"), Field()),
        parameters=parameters_field(schemas),
    )
    router = APIRouter()
    if settings.health_route:
        router.add_api_route(settings.health_route, ready, include_in_schema=False)
    if settings.predict_route:
        router.add_api_route(settings.predict_route, predict, methods=["POST"], include_in_schema=False)
    return router


def check_hosted_routes(settings: ServiceSettings, others: Iterable[BaseRoute], prefixes: Iterable[str]) -> None:
    """Check that the paths of a platform's routes take no other route's place.

    A path for health checks needs no API key: it must open nothing else.

    Args:
        settings: Name the paths.
        others: The other routes of the application.
        prefixes: Beginnings of paths whose bodies have limits of their own.

    Raises:
        RouteTakenError: A path is taken.
    """
    health, predict = settings.health_route, settings.predict_route
    paths = {"health_route": (health, HEALTH_PATHS), "predict_route": (predict, PREDICT_PATHS)}
    if health and health == predict:
        raise RouteTakenError(f"health_route and predict_route are both {health}: they need two paths")
    taken, prefixes = list(others), tuple(prefixes)
    for name, (path, free) in paths.items():
        scope = {"type": "http", "method": "GET", "path": path, "root_path": ""}
        is_taken = path.startswith(prefixes) or any(route.matches(scope)[0] is not Match.NONE for route in taken)
        if path and path not in free and is_taken:
            raise RouteTakenError(f"{name}: {path} is another route of this server; choose a path of its own")
