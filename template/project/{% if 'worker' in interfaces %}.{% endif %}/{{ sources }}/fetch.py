"""Fetches a file that a job names by its address, from public hosts alone.

A job may come from anybody, and inside a network servers trust each other. So what a name stands for is looked up once,
all of it must be public, and just that is connected to: for each redirect anew.
"""

import asyncio
import socket
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager, suppress
from ipaddress import IPv6Address, IPv6Network, ip_address
from pathlib import PurePosixPath
from typing import IO, Any

import httpcore2 as httpcore
from yarl import URL

from .attempts import Context
from .predictor import InvalidInput
from .settings import Settings
from .storage import check

REDIRECTS = 5
"""How often an address may lead to another one."""

SILENCE = 10.0
"""Seconds without a byte until a server counts as away."""

NAT64 = IPv6Network("64:ff9b::/96")
"""IPv6 addresses that stand for the IPv4 address in their last 32 bits."""


def check_source(source: str) -> str:
    """The path below the storage, or the address. Raises InvalidInput where it is neither."""
    if "://" not in source:
        return check(source)
    _url(source)
    return source


def fetched(source: str, context: Context) -> str:
    """The path below the storage of what a job reads; what an address leads to is kept there, and fetched once.

    Raises InvalidInput where it cannot be had, OSError where it may be had later.
    """
    if "://" not in source:
        return source
    path = f"sources/{context.id}{PurePosixPath(_url(source).path).suffix}"
    if not context.storage.holds(path):
        with context.storage.replacing(path) as stream:
            fetch(source, stream, context.settings, lambda done: context.progress(done))
    return path


def fetch(address: str, stream: IO[bytes], settings: Settings, tell: Callable[[int], None]) -> None:
    """Writes what an address leads to into a stream; `tell` is told how many bytes that are.

    Raises InvalidInput where it is refused or too large, OSError where the server is away or too slow.
    """
    try:
        asyncio.run(_fetch(_url(address), stream, settings, tell))
    except TimeoutError:
        raise ConnectionError(f"{address} took longer than {settings.fetch_seconds:g} s") from None
    except (httpcore.NetworkError, httpcore.ProtocolError, httpcore.TimeoutException) as error:
        raise ConnectionError(f"{address} cannot be fetched: {error or type(error).__name__}") from error


async def _fetch(url: URL, stream: IO[bytes], settings: Settings, tell: Callable[[int], None]) -> None:
    async with asyncio.timeout(settings.fetch_seconds), _opened(url, settings) as chunks:
        done = 0
        async for chunk in chunks:
            done += len(chunk)
            if done > settings.max_file_bytes:
                raise InvalidInput(f"{url} is larger than {settings.max_file_bytes:,} bytes")
            stream.write(chunk)
            tell(done)


@asynccontextmanager
async def _opened(url: URL, settings: Settings) -> AsyncGenerator[AsyncIterator[bytes]]:
    """The content of what an address leads to."""
    headers = [("Accept", "*/*"), ("Accept-Encoding", "identity")]
    options = {"timeout": dict.fromkeys(["connect", "read", "write", "pool"], SILENCE)}
    async with httpcore.AsyncConnectionPool(network_backend=PublicHosts(settings.fetch_hosts.split())) as pool:
        for _ in range(REDIRECTS + 1):
            async with pool.stream("GET", str(url), headers=headers, extensions=options) as answer:
                if answer.status == 200:
                    yield answer.aiter_stream()
                    return
                told = {name.lower(): value.decode("latin-1") for name, value in answer.headers}
                location = told.get(b"location", "")
                if answer.status not in (301, 302, 303, 307, 308) or not location:
                    problem = f"{url} answers {answer.status}"
                    raise ConnectionError(problem) if answer.status >= 500 else InvalidInput(problem)
                url = _url(location, url)
    raise InvalidInput(f"{url} leads on and on")


class PublicHosts(httpcore.AsyncNetworkBackend):
    """Connects to public addresses, and to hosts that are named."""

    def __init__(self, named: Iterable[str] = ()) -> None:
        self._named = frozenset(named)
        self._backend: Any = httpcore.AnyIOBackend()

    async def connect_tcp(self, host: str, port: int, *arguments: Any, **options: Any) -> httpcore.AsyncNetworkStream:
        """Raises InvalidInput for a host that is not public."""
        try:
            found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
        except OSError as error:
            raise httpcore.ConnectError(f"there is no host {host}") from error
        addresses = [str(each[4][0]) for each in found]
        if host not in self._named and not all(map(is_public, addresses)):
            raise InvalidInput(f"{host} is not a public host")
        for address in addresses[:-1]:
            with suppress(httpcore.NetworkError, httpcore.TimeoutException):
                return await self._backend.connect_tcp(address, port, *arguments, **options)
        return await self._backend.connect_tcp(addresses[-1], port, *arguments, **options)


def is_public(address: str) -> bool:
    """Whether an IP address is reached over the internet, and the one that it stands for, if it does, too."""
    ip = ip_address(address)
    meant = [ip]
    if isinstance(ip, IPv6Address):
        embedded = [ip.ipv4_mapped, ip.sixtofour, *(ip.teredo or ())]
        meant += [each for each in embedded if each]
        if ip in NAT64:
            meant.append(ip_address(int(ip) & 0xFFFFFFFF))
    return all(each.is_global and not each.is_multicast for each in meant)


def _url(address: str, base: URL | None = None) -> URL:
    with suppress(ValueError):
        url = base.join(URL(address)) if base else URL(address)
        is_web = url.scheme in ("http", "https") and url.host and url.port
        if is_web and url.user is None and len(address) <= 2000 and address.isprintable():
            return url.with_fragment(None)
    raise InvalidInput(f"{address[:100]!r}: not an http or https address, or one with a password in it")
