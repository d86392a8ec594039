"""Flower, the dashboard of workers."""

from typing import Annotated

import typer


def flower(
    port: Annotated[int, typer.Option(min=1, max=65535, help="Port to listen on.")] = 5555,
) -> None:
    """Serve the dashboard of workers and messages, protected by a password, until SIGTERM or Ctrl-C."""
    from ..components import get_settings
    from ..jobs.celery_app import Broker

    settings = get_settings()
    if not settings.broker or not settings.flower_password:
        typer.echo("error: set `broker` and `flower_password`", err=True)
        raise typer.Exit(1)
    login = f"admin:{settings.flower_password.get_secret_value()}"
    options = [f"--address={settings.host}", f"--port={port}", f"--basic_auth={login}"]
    Broker(settings).celery.start(["flower", *options])
