"""API keys."""

import re
from enum import StrEnum
from typing import Annotated

import typer


class Action(StrEnum):
    """What to do."""

    MAKE = "make"
    LIST = "list"
    REVOKE = "revoke"


def keys(
    action: Annotated[Action, typer.Argument(help="Make a key, list all, or revoke one.")],
    name: Annotated[str | None, typer.Argument(help="Name of the key: who has it.")] = None,
    admin: Annotated[
        bool, typer.Option("--admin", help="Let the key see what belongs to other keys; for make.")
    ] = False,
) -> None:
    """Make, list and revoke API keys. A server takes changes within a second."""
    from ..components import get_settings
    from ..errors import InvalidInputError
    from ..server import api_keys

    settings = get_settings()
    path = settings.api_keys_file
    fixed = api_keys.parse_setting(settings.api_keys.get_secret_value())
    stored = api_keys.parse_file(path, api_keys.read(path)[0]) if path.exists() else []
    if (name is None) != (action is Action.LIST):
        raise typer.BadParameter("name a key" if name is None else "list takes no name", param_hint="NAME")
    if admin and action is not Action.MAKE:
        raise typer.BadParameter("only make takes it", param_hint="--admin")
    if name is None:
        for each, source in [(key, "api_keys") for key in fixed] + [(key, str(path)) for key in stored]:
            typer.echo("\t".join([each.name, "admin" if each.is_admin else "", source]).rstrip())
        return
    if not re.fullmatch(api_keys.NAME, name, re.ASCII):
        message = f"{name!r} is not a name: use up to 64 of a-z, 0-9, dot, hyphen and underscore; begin with a-z or 0-9"
        raise InvalidInputError(message)
    if name in {key.name for key in fixed}:
        raise api_keys.ApiKeysError(f"{name} is a key of the setting api_keys: change it there")
    if action is Action.MAKE:
        key = api_keys.make_key()
        api_keys.add(path, api_keys.ApiKey(name, api_keys.digest(key.encode()), admin))
        typer.echo(f"added {name} to {path}; the key is shown only now:", err=True)
        typer.echo(key)
    else:
        api_keys.remove(path, name)
        typer.echo(f"revoked {name}", err=True)
        if not fixed and stored == [key for key in stored if key.name == name]:
            typer.echo("no key is left: a running server refuses every request, until there is one", err=True)
