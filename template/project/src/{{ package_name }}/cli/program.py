"""The command line, built from the modules of this package and of the owner's package `commands`."""

import gc
import importlib
import pkgutil
import re
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Annotated, Any

import typer
from pydantic import ValidationError
from typer.core import TyperGroup

from .. import __doc__ as description
from .. import __version__, cli
from ..errors import InvalidInputError, ModelUnavailableError
from ..inference.missing_libraries import explain

PACKAGE = Path(__file__).parents[1]

# Imports and weights create millions of objects that stay: scanning them for garbage takes a fifth of the start-up.
gc.set_threshold(50_000, 20, 100)


class Commands(TyperGroup):
    """Commands found by name, the owner's first. Only the module of the chosen command is imported."""

    def list_commands(self, ctx: Any) -> list[str]:  # Typer has its own copy of click, whose types are private
        """Return the names of all commands."""
        owners: dict[str, str] = {}
        try:
            owners = _owners_modules()
        except Exception as error:  # the help must list the other commands
            typer.echo(f"warning: your commands are missing: {import_failure(error) or error}", err=True)
        return [name for name in sorted({**_modules_of(cli), **owners}) if self.get_command(ctx, name)]

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """Return a command, or None if there is none of that name."""
        module = _modules_of(cli).get(cmd_name)
        try:
            module = _owners_modules().get(cmd_name, module)
        except Exception:
            if module is None:
                raise
        if module is None:
            return None
        try:
            function = getattr(importlib.import_module(module), cmd_name, None)
        except Exception as error:  # only this command must fail
            return _broken_command(cmd_name, error)
        return _command(cmd_name, function) if callable(function) else None


app = typer.Typer(cls=Commands, no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)


def main() -> None:
    """Run the command line. An error that a user can fix is one line on standard error, with exit code 1."""
    try:
        app()
        return
    except (InvalidInputError, ModelUnavailableError) as error:
        message = str(error)
    except ValidationError as error:
        message = "; ".join(f"{'.'.join(map(str, each['loc']))}: {each['msg']}" for each in error.errors())
    except UnicodeDecodeError as error:
        message = f"not UTF-8: {error}"
    except OSError as error:
        message = f"{error.filename}: {error.strerror}" if error.filename else str(error)
    except Exception as error:
        message = import_failure(error)
        if not message:
            raise
    typer.echo(f"error: {message}", err=True)
    sys.exit(1)


def import_failure(error: BaseException) -> str:
    """Return where and why a module of this package cannot be imported, in one line; empty for any other error."""
    found = None
    if isinstance(error, SyntaxError) and error.filename:
        found = Path(error.filename), error.lineno or 0
    else:
        for frame in traceback.extract_tb(error.__traceback__):
            if frame.name == "<module>" and Path(frame.filename).is_relative_to(PACKAGE):
                found = Path(frame.filename), frame.lineno or 0
    if not found or not found[0].is_relative_to(PACKAGE):
        return ""
    reason = error.msg if isinstance(error, SyntaxError) else str(error)
    place = f"{found[0].relative_to(PACKAGE.parent)}:{found[1]}"
    needed = explain(error)
    return f"{place}: {type(error).__name__}: {' '.join(reason.split())}{f'; it {needed}' if needed else ''}"


def plain_help(text: str) -> str:
    """Return the text as a help text in which Typer takes no brackets for markup."""
    return re.sub(r"(\\*)(\[[a-z#/@][^[]*?\])", r"\1\1\\\2", text)


def _owners_modules() -> dict[str, str]:
    """Return the owner's command modules by name. Raises what importing the owner's modules raises."""
    from .. import components

    return _modules_of(components.commands())


def _modules_of(package: ModuleType) -> dict[str, str]:
    return {each.name: f"{package.__name__}.{each.name}" for each in pkgutil.iter_modules(package.__path__)}


def _command(name: str, function: Callable[..., None], description: str | None = None) -> Any:
    single = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
    single.command(name, help=description)(function)
    return typer.main.get_command(single)


def _broken_command(name: str, error: Exception) -> Any:
    """Return a command that raises the error, whatever its arguments."""

    def fail(arguments: Annotated[list[str] | None, typer.Argument(hidden=True)] = None) -> None:
        raise error

    reason = import_failure(error) or f"{type(error).__name__}: {error}"
    command = _command(name, fail, plain_help(f"Cannot be imported: {reason}"))
    command.context_settings = {"ignore_unknown_options": True}
    return command


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(__version__)
        raise typer.Exit


@app.callback(help=plain_help(description or ""))
def options(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Show the version and exit.")
    ] = False,
) -> None:
    """Take the options before the command."""
