"""FastAPI dependencies for routes, yours included.

All are coroutines: FastAPI would run a plain function in a thread, for each request. Resolving a dependency costs some
50 microseconds, so the prediction routes call `engine_of` instead.
"""

from collections.abc import Callable, Coroutine
from typing import Annotated, Any, TypeVar

from fastapi import Depends
from starlette.requests import Request

from ..base_settings import ServiceSettings
from ..inference.engine import Engine

ServiceT = TypeVar("ServiceT")


def engine_of(request: Request) -> Engine:
    """Return the engine of the application."""
    engine: Engine = request.app.state.engine
    return engine


async def get_engine(request: Request) -> Engine:
    """Return the engine of the application."""
    return engine_of(request)


async def get_settings(request: Request) -> Any:
    """Return the settings of the application, an instance of the class in settings.py."""
    return request.app.state.settings


def get_service(kind: type[ServiceT]) -> Callable[[Request], Coroutine[Any, Any, ServiceT]]:
    """Return a dependency that returns the service of a class."""

    async def service(request: Request) -> ServiceT:
        return next(each for each in request.app.state.services if isinstance(each, kind))

    return service


EngineDep = Annotated[Engine, Depends(get_engine)]
SettingsDep = Annotated[ServiceSettings, Depends(get_settings)]
