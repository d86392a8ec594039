"""Download of a file that a job names by its address, from public hosts only.

Anyone may submit a job, and servers inside a network often trust each other: without a guard, a job could read internal
services (server-side request forgery). The guard resolves a host name once, requires every address to be public, and
connects to exactly these addresses; it does so again for each redirect.
"""

import asyncio
import socket
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager, suppress
from pathlib import PurePosixPath
from typing import IO, Any

import httpcore2 as httpcore
from yarl import URL

from ..base_settings import ServiceSettings
from ..errors import InvalidInputError
from ..storage import validate_path
from .addresses import is_public, is_web_port, parse_address
from .context import JobContext

MAX_REDIRECTS = 5

IDLE_TIMEOUT_SECONDS = 10.0
"""Maximum time without a byte from the server, in seconds."""


def validate_source(source: str) -> str:
    """Return a path below the storage, or an address, unchanged.

    Raises:
        InvalidInputError: The source is neither.
    """
    if "://" not in source:
        return validate_path(source)
    parse_address(source)
    return source


def download_source(source: str, context: JobContext) -> str:
    """Return the path below the storage of a job's source.

    A file at an address is downloaded to the storage once, so that every attempt reads the same content.

    Raises:
        InvalidInputError: The address is refused, or the file is missing or too large.
        OSError: The download failed and may succeed later.
    """
    if "://" not in source:
        return source
    path = f"sources/{context.id}{PurePosixPath(parse_address(source).path).suffix}"
    if not context.storage.exists(path):
        with context.storage.write(path) as stream:
            download(source, stream, context.settings, lambda done: context.progress(done))
    return path


def download(address: str, stream: IO[bytes], settings: ServiceSettings, progress: Callable[[int], None]) -> None:
    """Write the content of an address to a stream, and call `progress` with the number of bytes so far.

    Raises:
        InvalidInputError: The address is refused, or the file is missing or too large.
        OSError: The server is unavailable or too slow.
    """
    try:
        asyncio.run(_download(parse_address(address), stream, settings, progress))
    except TimeoutError:
        limit = settings.download_timeout_seconds
        raise ConnectionError(f"{address} took longer than {limit:g} s to download") from None
    except (httpcore.NetworkError, httpcore.ProtocolError, httpcore.TimeoutException) as error:
        raise ConnectionError(f"{address} cannot be downloaded: {error or type(error).__name__}") from error


async def _download(url: URL, stream: IO[bytes], settings: ServiceSettings, progress: Callable[[int], None]) -> None:
    async with asyncio.timeout(settings.download_timeout_seconds), _open(url, settings) as chunks:
        done = 0
        async for chunk in chunks:
            done += len(chunk)
            if done > settings.max_file_bytes:
                raise InvalidInputError(f"{url} is larger than {settings.max_file_bytes:,} bytes")
            stream.write(chunk)
            progress(done)


@asynccontextmanager
async def _open(url: URL, settings: ServiceSettings) -> AsyncGenerator[AsyncIterator[bytes]]:
    """Yield the chunks of a response, after following redirects."""
    headers = [("Accept", "*/*"), ("Accept-Encoding", "identity")]
    options = {"timeout": dict.fromkeys(["connect", "read", "write", "pool"], IDLE_TIMEOUT_SECONDS)}
    backend = PublicHostsBackend(settings.download_hosts.split())
    async with httpcore.AsyncConnectionPool(network_backend=backend) as pool:
        for _ in range(MAX_REDIRECTS + 1):
            async with pool.stream("GET", _for_httpcore(url), headers=headers, extensions=options) as response:
                if response.status == 200:
                    yield response.aiter_stream()
                    return
                received = {name.lower(): value.decode("latin-1") for name, value in response.headers}
                location = received.get(b"location", "")
                if response.status not in (301, 302, 303, 307, 308) or not location:
                    problem = f"{url} answers {response.status}"
                    raise ConnectionError(problem) if response.status >= 500 else InvalidInputError(problem)
                url = parse_address(location, url)
    raise InvalidInputError(f"too many redirects: {url}")


def _for_httpcore(url: URL) -> httpcore.URL:
    """Return the parts of an address, which httpcore must not parse once more."""
    return httpcore.URL(scheme=url.scheme, host=url.raw_host or "", port=url.explicit_port, target=url.raw_path_qs)


class PublicHostsBackend(httpcore.AsyncNetworkBackend):
    """Connects to public addresses, and to the hosts of an allow list."""

    def __init__(self, allowed_hosts: Iterable[str] = ()) -> None:
        """Allow these hosts although their addresses are not public."""
        self._allowed_hosts = frozenset(allowed_hosts)
        self._backend: Any = httpcore.AnyIOBackend()

    async def connect_tcp(self, host: str, port: int, *arguments: Any, **options: Any) -> httpcore.AsyncNetworkStream:
        """Connect to a host. Raise InvalidInputError if an address of it is not public, or the port not the web's."""
        is_allowed = host in self._allowed_hosts
        if not is_allowed and not is_web_port(port):
            raise InvalidInputError(f"{host}:{port} is not the port of a web server")
        try:
            found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
        except OSError as error:
            raise httpcore.ConnectError(f"there is no host {host}") from error
        except UnicodeError as error:
            raise InvalidInputError(f"{host} is not a host") from error
        addresses = [str(each[4][0]) for each in found]
        if not is_allowed and not all(map(is_public, addresses)):
            raise InvalidInputError(f"{host} is not a public host")
        for address in addresses[:-1]:
            with suppress(httpcore.NetworkError, httpcore.TimeoutException):
                return await self._backend.connect_tcp(address, port, *arguments, **options)
        return await self._backend.connect_tcp(addresses[-1], port, *arguments, **options)
