"""Interactive documentation, whose scripts and styles come from this server and not from a CDN."""

from pathlib import Path
from typing import Any

import fastapi_offline
from fastapi import FastAPI
from fastapi.openapi.docs import get_redoc_html, get_swagger_ui_html
from starlette.requests import Request
from starlette.responses import HTMLResponse
from starlette.staticfiles import StaticFiles

from .api_keys import ApiKeys

OPENAPI_PATH = "/openapi.json"
ASSETS_PATH = "/docs/assets"

ASSETS = ("favicon.png", "redoc.standalone.js", "swagger-ui-bundle.js", "swagger-ui.css")

PATHS = frozenset({"/docs", "/redoc", OPENAPI_PATH, *(f"{ASSETS_PATH}/{name}" for name in ASSETS)})
"""All paths of the documentation."""


def add_docs(app: FastAPI) -> None:
    """Add `/docs` and `/redoc` to an application that was made without them."""
    folder = Path(fastapi_offline.__file__).with_name("static")

    async def swagger(request: Request) -> HTMLResponse:
        root = request.scope.get("root_path", "")
        return get_swagger_ui_html(
            openapi_url=f"{root}{OPENAPI_PATH}",
            title=app.title,
            swagger_js_url=f"{root}{ASSETS_PATH}/swagger-ui-bundle.js",
            swagger_css_url=f"{root}{ASSETS_PATH}/swagger-ui.css",
            swagger_favicon_url=f"{root}{ASSETS_PATH}/favicon.png",
        )

    async def redoc(request: Request) -> HTMLResponse:
        root = request.scope.get("root_path", "")
        return get_redoc_html(
            openapi_url=f"{root}{OPENAPI_PATH}",
            title=app.title,
            redoc_js_url=f"{root}{ASSETS_PATH}/redoc.standalone.js",
            redoc_favicon_url=f"{root}{ASSETS_PATH}/favicon.png",
            with_google_fonts=False,
        )

    app.add_route("/docs", swagger, include_in_schema=False)
    app.add_route("/redoc", redoc, include_in_schema=False)
    app.mount(ASSETS_PATH, StaticFiles(directory=folder))


def describe_keys(app: FastAPI, keys: ApiKeys, public: frozenset[str]) -> None:
    """Let the schema of an application say which routes need a key, so that `/docs` asks for it."""
    original = app.openapi

    def openapi() -> dict[str, Any]:
        schema = original()
        if not keys.are_set:
            return schema
        components = {**schema.get("components", {}), "securitySchemes": {"key": {"type": "http", "scheme": "bearer"}}}
        without_key: dict[str, list[Any]] = {"security": []}
        open_paths = {
            path: {method: {**operation, **without_key} for method, operation in operations.items()}
            for path, operations in schema["paths"].items()
            if path in public
        }
        paths = {**schema["paths"], **open_paths}
        return {**schema, "components": components, "paths": paths, "security": [{"key": []}]}

    app.openapi = openapi  # type: ignore[method-assign]
