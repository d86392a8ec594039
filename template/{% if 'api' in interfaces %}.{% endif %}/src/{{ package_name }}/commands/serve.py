"""Runs the API."""

from typing import Annotated

import typer


def serve(
    host: Annotated[str | None, typer.Option(help="Address to listen on.  [default: 127.0.0.1]")] = None,
    port: Annotated[int | None, typer.Option(min=0, max=65535, help="Port to listen on.  [default: 8000]")] = None,
    reload: Annotated[bool, typer.Option("--reload", help="Start again when a source file changes.")] = False,
) -> None:
    """Serve the model over HTTP until SIGTERM or Ctrl-C."""
    import logging

    import uvicorn

    from ..settings import get_settings

    settings = get_settings()
    logging.basicConfig(level=settings.log_level.upper(), format="%(levelname)s: %(name)s: %(message)s")
    uvicorn.run(
        f"{__name__.partition('.')[0]}.api:app",
        host=settings.host if host is None else host,
        port=settings.port if port is None else port,
        reload=reload,
        log_level=settings.log_level,
        timeout_graceful_shutdown=30,
    )
