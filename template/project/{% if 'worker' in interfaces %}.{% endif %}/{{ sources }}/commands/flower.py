"""Shows the workers."""

from typing import Annotated

import typer


def flower(
    port: Annotated[int, typer.Option(min=1, max=65535, help="Port to listen on.")] = 5555,
) -> None:
    """Show workers, and the messages that they get, on a page behind a password until SIGTERM or Ctrl-C."""
    from ..broker import Broker
    from ..settings import get_settings

    settings = get_settings()
    if not settings.broker or not settings.flower_password:
        typer.echo("error: set a broker, where workers are, and a flower_password for the page", err=True)
        raise typer.Exit(1)
    allowed = f"admin:{settings.flower_password.get_secret_value()}"
    options = [f"--address={settings.host}", f"--port={port}", f"--basic_auth={allowed}"]
    Broker(settings).celery.start(["flower", *options])
