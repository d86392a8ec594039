"""The command line, put together from the modules in commands/."""

import gc
import importlib
import pkgutil
import sys
from typing import Annotated

import typer
from pydantic import ValidationError

from . import __doc__ as description
from . import __version__, commands
from .predictor import InvalidInput, ModelUnavailable

# Imports and weights make millions of objects that stay: looking for garbage among them takes a fifth of a start.
gc.set_threshold(50_000, 20, 100)

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)

for module in pkgutil.iter_modules(commands.__path__):
    command = getattr(importlib.import_module(f"{commands.__name__}.{module.name}"), module.name, None)
    if command:
        app.command(module.name)(command)


def main() -> None:
    """Runs the command line. What a user can mend is one line on standard error, with exit code 1."""
    try:
        app()
        return
    except (InvalidInput, ModelUnavailable) as error:
        message = str(error)
    except ValidationError as error:
        message = "; ".join(f"{'.'.join(map(str, each['loc']))}: {each['msg']}" for each in error.errors())
    except UnicodeDecodeError as error:
        message = f"not UTF-8: {error}"
    except OSError as error:
        message = f"{error.filename}: {error.strerror}" if error.filename else str(error)
    typer.echo(f"error: {message}", err=True)
    sys.exit(1)


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(__version__)
        raise typer.Exit


@app.callback(help=description)
def options(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version and exit.")
    ] = False,
) -> None:
    """Options before the subcommand."""
