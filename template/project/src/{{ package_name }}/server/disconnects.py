"""Cancellation of work for clients that have disconnected."""

import asyncio
from collections.abc import Coroutine
from typing import Any

from starlette.requests import ClientDisconnect, Request


async def while_connected(request: Request, work: Coroutine[Any, Any, Any]) -> Any:
    """Return the result of `work`; cancel it if the client disconnects. The request's body must have been read.

    Raises:
        ClientDisconnect: The client disconnected first.
    """
    answer = asyncio.ensure_future(work)
    gone = asyncio.ensure_future(_disconnected(request))
    try:
        await asyncio.wait([answer, gone], return_when=asyncio.FIRST_COMPLETED)
        if not answer.done():
            raise ClientDisconnect
        return answer.result()
    finally:
        answer.cancel()
        gone.cancel()


async def _disconnected(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass
