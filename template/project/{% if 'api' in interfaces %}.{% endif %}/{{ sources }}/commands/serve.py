"""Runs the API."""

import math
from pathlib import Path
from typing import Annotated

import typer

BATCH = 5
"""Seconds of a batch that begins with an input about to be given up: a server that ends waits for it, too."""


def serve(
    host: Annotated[str | None, typer.Option(help="Address to listen on.  [default: 127.0.0.1]")] = None,
    port: Annotated[int | None, typer.Option(min=0, max=65535, help="Port to listen on.  [default: 8000]")] = None,
    reload: Annotated[bool, typer.Option("--reload", help="Start again when a source file changes.")] = False,
) -> None:
    """Serve the model over HTTP until SIGTERM or Ctrl-C."""
    from uvicorn import Config

    from .. import tracing
    from ..logs import configuration
    from ..server import Server
    from ..settings import get_settings

    settings = get_settings()
    if settings.tracing and (module := tracing.missing()):
        typer.echo(f"error: tracing needs {module}, of the extra `tracing`: see docs/http-api.md", err=True)
        raise typer.Exit(1)
    config = Config(
        f"{__name__.partition('.')[0]}.api:app",
        host=settings.host if host is None else host,
        port=settings.port if port is None else port,
        reload=reload,
        reload_dirs=[str(Path(__file__).parents[1])] if reload else None,
        log_config=configuration(settings.log_level, settings.log_format),
        log_level=settings.log_level,
        timeout_graceful_shutdown=math.ceil(settings.max_wait) + BATCH,
        workers=1,  # what reloads is one process; of several, each is one
    )
    if settings.processes > 1 and not reload:
        from ..processes import Processes

        raise typer.Exit(Processes(config, settings.processes).run())
    server = Server(config)
    try:
        if reload:
            from uvicorn.supervisors import ChangeReload

            ChangeReload(config, target=server.run, sockets=[config.bind_socket()]).run()
        else:
            server.run()
    except KeyboardInterrupt:
        return
    if not reload and not server.started:
        raise typer.Exit(3)
