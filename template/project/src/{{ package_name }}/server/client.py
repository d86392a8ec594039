"""Who sent a request."""

from dataclasses import dataclass

from starlette.requests import HTTPConnection


@dataclass(frozen=True)
class Client:
    """Who sent a request, as its API key says."""

    name: str
    """Name of the key. What belongs to a client carries this name."""
    is_admin: bool
    """Whether the client may see and change what belongs to other clients."""


DEFAULT = Client("default", is_admin=True)
"""Sender of every request while no keys are set."""

ANONYMOUS = Client("", is_admin=False)
"""Sender of a request without a key to a route that needs none. No key has an empty name."""


def client_of(request: HTTPConnection) -> Client:
    """Return who sent a request.

    Raises:
        RuntimeError: The request has not passed the middleware Authentication.
    """
    client = request.scope.get("user")
    if not isinstance(client, Client):
        raise RuntimeError("no client is known: the application lacks the middleware Authentication")
    return client
