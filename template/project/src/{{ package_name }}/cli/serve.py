"""The HTTP server."""

import logging
import math
import os
from pathlib import Path
from typing import Annotated

import typer

logger = logging.getLogger(__name__)

SHUTDOWN_BATCH_SECONDS = 5
"""Time for a batch that begins with an input about to time out: the shutdown waits for it, too."""

STARTUP_FAILURE = 3
"""uvicorn's exit code when the server cannot listen."""


def serve(
    host: Annotated[str | None, typer.Option(help="Address to listen on.  [default: 127.0.0.1]")] = None,
    port: Annotated[int | None, typer.Option(min=0, max=65535, help="Port to listen on.  [default: 8000]")] = None,
    reload: Annotated[bool, typer.Option("--reload", help="Restart when a source file changes.")] = False,
) -> None:
    """Serve the model over HTTP until SIGTERM or Ctrl-C."""
    from uvicorn import Config

    from ..components import get_settings
    from ..observability import tracing
    from ..observability.logging import configuration
    from ..server.api_keys import ApiKeys
    from ..server.health_paths import routine_paths
    from ..server.middleware.trusted_hosts import is_loopback
    from ..server.uvicorn_server import Server

    settings = get_settings()
    if host is not None:  # the application reads the settings, possibly in other processes
        os.environ[f"{settings.model_config.get('env_prefix', '')}HOST"] = host
        get_settings.cache_clear()
        settings = get_settings()
    keys = ApiKeys(settings)
    if settings.tracing and (module := tracing.missing_module()):
        typer.echo(f"error: tracing needs {module}: install the extra `tracing`, see docs/http-api.md", err=True)
        raise typer.Exit(1)
    package = __name__.partition(".")[0]
    config = Config(
        f"{package}.server.asgi:create",
        factory=True,
        http=f"{package}.server.http_protocol:HttpProtocol",  # a name: this process may not import metrics
        limit_concurrency=settings.max_connections,
        host=settings.host,
        port=settings.port if port is None else port,
        reload=reload,
        reload_dirs=[str(Path(__file__).parents[1])] if reload else None,
        log_config=configuration(settings.log_level, settings.log_format, routine_paths(settings)),
        log_level=settings.log_level,
        timeout_graceful_shutdown=math.ceil(settings.max_wait_seconds) + SHUTDOWN_BATCH_SECONDS,
        workers=1,  # Processes starts several, each with one
    )
    if not keys.are_set and not is_loopback(settings.host):
        logger.warning("no API keys: whoever reaches %s may use the API; make one with keys make", settings.host)
    if settings.processes > 1 and not reload:
        from ..server.processes import Processes

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
        raise typer.Exit(STARTUP_FAILURE)
