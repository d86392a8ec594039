"""Authentication by API key."""

from base64 import b64decode
from collections.abc import Callable
from typing import Protocol

from starlette.requests import Request
from starlette.types import ASGIApp, Receive, Scope, Send

from ...observability.logging import client_name
from ..client import ANONYMOUS, DEFAULT, Client

MAX_TOKEN_BYTES = 512
"""Maximum length of a key; a longer one is refused without hashing it."""

BASIC_CHALLENGE = 'Basic realm="an API key as the password"'

POLICY_VIOLATION = 1008
"""Code that closes a WebSocket without a key."""

NO_KEY = "send an API key: Authorization: Bearer KEY"
WRONG_KEY = "the API key is not valid"


class Keys(Protocol):
    """What Authentication needs of the API keys."""

    def identify(self, token: bytes | None) -> Client | None:
        """Return whose key a token is: DEFAULT while no keys are set, None if it is nobody's."""
        ...


class Authentication:
    """ASGI middleware that refuses requests without a valid API key with status 401, before their body is read.

    It stores the client in `scope["user"]`, where `client_of` finds it. Without keys, it is always DEFAULT.
    """

    def __init__(
        self,
        app: ASGIApp,
        keys: Keys,
        public: frozenset[str],
        pages: frozenset[str],
        files: frozenset[str],
        refuse: Callable[[Request, int, str, dict[str, str]], ASGIApp],
    ) -> None:
        """Protect an application.

        Args:
            app: The application.
            keys: Who may enter.
            public: Paths that need no key.
            pages: Paths of pages for browsers, which ask for a key as the password of any user name. Other paths do not
                take passwords: a browser sends them with requests of foreign sites, too.
            files: Paths of files that need no key to be read; other methods do.
            refuse: Answers other requests.
        """
        self._app, self._keys, self._refuse = app, keys, refuse
        self._public, self._pages, self._files = public, pages, files

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, or refuse it."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        values = [value for name, value in scope["headers"] if name == b"authorization"]
        is_page = scope["path"] in self._pages
        client = self._keys.identify(_token(values, is_page))
        if client is None and (scope["path"] in self._public or self._is_file(scope)):
            client = ANONYMOUS
        if client is not None:
            scope["user"] = client
            if client is not DEFAULT:
                client_name.set(client.name)
            await self._app(scope, receive, send)
        elif scope["type"] == "http":
            # A challenge names an error only if the request had credentials (RFC 6750).
            challenge, message = ('Bearer error="invalid_token"', WRONG_KEY) if values else ("Bearer", NO_KEY)
            if is_page:
                challenge = BASIC_CHALLENGE
            response = self._refuse(Request(scope), 401, message, {"WWW-Authenticate": challenge})
            await response(scope, receive, send)
        else:
            await send({"type": "websocket.close", "code": POLICY_VIOLATION})

    def _is_file(self, scope: Scope) -> bool:
        return scope["path"] in self._files and scope.get("method") in ("GET", "HEAD")


def _token(values: list[bytes], takes_password: bool) -> bytes | None:
    """Return the token of the only Authorization header, or None."""
    if len(values) != 1:
        return None
    scheme, _, token = values[0].partition(b" ")
    token = token.strip(b" ")
    if takes_password and scheme.lower() == b"basic":
        try:
            token = b64decode(token, validate=True).partition(b":")[2]
        except ValueError:
            return None
        scheme = b"bearer"
    return token if scheme.lower() == b"bearer" and 0 < len(token) <= MAX_TOKEN_BYTES else None
