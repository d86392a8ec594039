"""Protection from DNS rebinding."""

import re
from collections.abc import Callable, Sequence
from ipaddress import ip_address

from starlette.requests import Request
from starlette.types import ASGIApp, Receive, Scope, Send

from .authentication import POLICY_VIOLATION

HOST = re.compile(rb"\[([0-9A-Fa-f:.]+)\](?::\d{0,5})?|([A-Za-z0-9_.-]+)(?::\d{0,5})?")


class TrustedHosts:
    """ASGI middleware that refuses requests to foreign host names with status 421.

    A web page of a foreign site reaches a server that only its visitor can reach once the site's name leads to the
    server's address; the browser then names the site in the header Host. IP addresses, names without a dot and
    `localhost` are always trusted: nobody can let them lead somewhere else.
    """

    def __init__(
        self, app: ASGIApp, trusted: Sequence[str], refuse: Callable[[Request, int, str], ASGIApp], setting: str
    ) -> None:
        """Let in requests to the names that are `trusted`: `a.example`, or `*.example` for all names below it.

        Args:
            app: The application.
            trusted: The names, without ports.
            refuse: Answers other requests.
            setting: Where to add a name, for the message.
        """
        self._app, self._refuse, self._setting = app, refuse, setting
        self._names = {name.lower() for name in trusted if not name.startswith("*")}
        self._endings = tuple(name[1:].lower() for name in trusted if name.startswith("*."))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, or refuse it."""
        if scope["type"] == "lifespan" or self._is_trusted(
            [value for key, value in scope["headers"] if key == b"host"]
        ):
            await self._app(scope, receive, send)
        elif scope["type"] == "http":
            message = f"this host name is not trusted: add it to {self._setting}"
            await self._refuse(Request(scope), 421, message)(scope, receive, send)
        else:
            await send({"type": "websocket.close", "code": POLICY_VIOLATION})

    def _is_trusted(self, headers: list[bytes]) -> bool:
        if not headers:  # HTTP/1.0; browsers always send it
            return True
        match = HOST.fullmatch(headers[0]) if len(headers) == 1 else None
        if not match:
            return False
        name = (match[1] or match[2]).decode().lower().removesuffix(".")
        return is_local(name) or name in self._names or name.endswith(self._endings)


def is_local(name: str) -> bool:
    """Return whether a host name is an IP address, has no dot or is below `localhost`."""
    return "." not in name or name.endswith(".localhost") or _is_address(name)


def is_loopback(host: str) -> bool:
    """Return whether a server that listens on a host can be reached from this machine only."""
    if not _is_address(host):
        return host.lower() == "localhost"
    address = ip_address(host)
    return (getattr(address, "ipv4_mapped", None) or address).is_loopback


def _is_address(text: str) -> bool:
    try:
        ip_address(text)
    except ValueError:
        return False
    return True
