"""Routes for the files of jobs, for clients that cannot reach the storage itself."""

from collections.abc import Iterator
from contextlib import ExitStack
from os import SEEK_END
from typing import IO

from fastapi import APIRouter, HTTPException, Request
from fastapi.concurrency import contextmanager_in_threadpool, run_in_threadpool
from fastapi.responses import StreamingResponse
from pydantic import BaseModel, Field

from .jobs import Jobs
from .storage import NoSuchFile, Storage, StorageFull, StorageUnavailable, reached

router = APIRouter(prefix="/files", tags=["files"])

CHUNK = 1 << 18
"""Bytes that are read at once."""

BYTES = {"content": {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}}}


class StoredFile(BaseModel):
    """A file of the storage."""

    path: str = Field(description="As jobs name it.")
    size: int = Field(description="Bytes.")


@router.put("/{path:path}", status_code=201, openapi_extra={"requestBody": BYTES})
async def put(request: Request, path: str) -> StoredFile:
    """Keep what is sent as a file, whole or not at all, in place of the one that there may be."""
    size = 0
    try:
        async with contextmanager_in_threadpool(_storage(request).replacing(path)) as stream:
            async for chunk in request.stream():
                await run_in_threadpool(_write, stream, chunk)
                size += len(chunk)
    except StorageFull as error:
        raise HTTPException(507, str(error)) from None
    except StorageUnavailable as error:
        raise HTTPException(503, str(error), {"Retry-After": "5"}) from None
    return StoredFile(path=path, size=size)


@router.get("/{path:path}", response_class=StreamingResponse, responses={200: BYTES})
def get(request: Request, path: str) -> StreamingResponse:
    """Send a file."""
    storage = _storage(request)
    with ExitStack() as opened:
        try:
            stream = opened.enter_context(storage.read(path))
            with reached("the storage"):
                size = stream.seek(0, SEEK_END)
                stream.seek(0)
                first = stream.read(CHUNK)  # a store may know of a file whose content it cannot give
        except NoSuchFile as error:
            raise HTTPException(404, str(error)) from None
        except StorageUnavailable as error:
            raise HTTPException(503, str(error), {"Retry-After": "5"}) from None
        sent = _chunks(first, stream, opened.pop_all())
    # Whoever may store a file must not get to run a script in the name of this server.
    headers = {"Content-Length": str(size), "Content-Disposition": "attachment", "X-Content-Type-Options": "nosniff"}
    return StreamingResponse(sent, media_type="application/octet-stream", headers=headers)


@router.delete("/{path:path}", status_code=204)
def delete(request: Request, path: str) -> None:
    """Delete a file."""
    try:
        _storage(request).delete(path)
    except NoSuchFile as error:
        raise HTTPException(404, str(error)) from None
    except StorageUnavailable as error:
        raise HTTPException(503, str(error), {"Retry-After": "5"}) from None


def _storage(request: Request) -> Storage:
    jobs: Jobs = request.app.state.jobs
    return jobs.storage


def _write(stream: IO[bytes], chunk: bytes) -> None:
    with reached("the storage"):
        stream.write(chunk)


def _chunks(chunk: bytes, stream: IO[bytes], opened: ExitStack) -> Iterator[bytes]:
    with opened:
        while chunk:
            yield chunk
            chunk = stream.read(CHUNK)
