"""Entry point of ASGI servers: `uvicorn --factory PACKAGE.server.asgi:create`."""

from fastapi import FastAPI

from .app import create_app
from .routes.hosted import RouteTakenError


def create() -> FastAPI:
    """Return the application with the project's settings and components.

    Raises:
        pydantic.ValidationError: A setting is not valid.
        SystemExit: A hosting platform gives a route the path of another one.
    """
    from .. import components

    settings = components.get_settings()
    try:
        return create_app(settings, components.server_components(settings))
    except RouteTakenError as error:
        raise SystemExit(f"error: {error}") from error
