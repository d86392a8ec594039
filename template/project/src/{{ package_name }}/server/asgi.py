"""Entry point of ASGI servers: `uvicorn --factory PACKAGE.server.asgi:create`."""

from fastapi import FastAPI

from .app import create_app


def create() -> FastAPI:
    """Return the application with the project's settings and components.

    Raises:
        pydantic.ValidationError: A setting is not valid.
    """
    from .. import components

    settings = components.get_settings()
    return create_app(settings, components.server_components(settings))
