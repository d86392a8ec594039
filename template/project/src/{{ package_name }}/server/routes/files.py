"""Routes of the files of jobs, for clients that cannot access the storage directly."""

from collections.abc import Iterator
from contextlib import ExitStack
from datetime import datetime
from os import SEEK_END
from typing import IO, Annotated

from fastapi import APIRouter, Depends, HTTPException, Query, Request
from fastapi.concurrency import contextmanager_in_threadpool, run_in_threadpool
from fastapi.responses import StreamingResponse
from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from ...jobs.owner import QuotaExceededError
from ...storage import MAX_PATH_LENGTH, NoSuchFileError, StorageUnavailableError, storage_errors
from .jobs import JobServiceDep, OwnerDep, storage_unavailable


async def _refuse_line_break(request: Request) -> None:
    """Refuse a path that ends with a line break: the router drops it, so the file would have two paths."""
    if request.scope["path"].endswith("\n"):
        raise HTTPException(422, "the path ends with a line break")


router = APIRouter(prefix="/files", tags=["files"], dependencies=[Depends(_refuse_line_break)])

CHUNK_BYTES = 1 << 18
"""Bytes read from the storage at once."""

BINARY = {"content": {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}}}


class ListedFile(BaseModel):
    """A file in a list."""

    model_config = ConfigDict(from_attributes=True)

    path: str
    owner: str = Field(description="Name of the API key that stored it, or whose job did.")
    size: int
    created_at: datetime


ListedPath = Annotated[str, StringConstraints(max_length=MAX_PATH_LENGTH, pattern=r"^[^\x00]*$")]


class StoredFile(BaseModel):
    """A file of the storage."""

    path: str = Field(description="Path as jobs name it.")
    size: int = Field(description="Size in bytes.")


@router.get("")
def list_files(
    jobs: JobServiceDep,
    owner: OwnerDep,
    prefix: Annotated[ListedPath, Query(description="Begin of each path.")] = "",
    after: Annotated[ListedPath, Query(description="Only paths after this one: the last of the page before.")] = "",
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
) -> list[ListedFile]:
    """List your files by path, a page at a time; with the key of an administrator, those of all.

    Files that were put into the storage by other means are not listed.
    """
    found = jobs.files(owner).find(prefix, after, limit)
    return [ListedFile.model_validate(each) for each in found]


@router.put("/{path:path}", status_code=201, openapi_extra={"requestBody": BINARY})
async def put(request: Request, jobs: JobServiceDep, owner: OwnerDep, path: str) -> StoredFile:
    """Store the body as a file. It replaces an existing file only when it is complete."""
    size = 0
    length = request.headers.get("content-length", "")
    announced = int(length) if length.isdecimal() else 0
    try:
        async with contextmanager_in_threadpool(jobs.files(owner).write(path, announced)) as stream:
            async for chunk in request.stream():
                await run_in_threadpool(_write, stream, chunk)
                size += len(chunk)
    except NoSuchFileError as error:
        raise HTTPException(404, str(error)) from None
    except QuotaExceededError as error:
        raise HTTPException(507, str(error)) from None
    except StorageUnavailableError as error:
        raise storage_unavailable(error) from None
    return StoredFile(path=path, size=size)


@router.get("/{path:path}", response_class=StreamingResponse, responses={200: BINARY})
def get(jobs: JobServiceDep, owner: OwnerDep, path: str) -> StreamingResponse:
    """Return a file."""
    with ExitStack() as opened:
        try:
            stream = opened.enter_context(jobs.files(owner).read(path))
            with storage_errors("the storage"):
                size = stream.seek(0, SEEK_END)
                stream.seek(0)
                first = stream.read(CHUNK_BYTES)  # a store may list a file whose content it cannot return
        except NoSuchFileError as error:
            raise HTTPException(404, str(error)) from None
        except StorageUnavailableError as error:
            raise storage_unavailable(error) from None
        content = _chunks(first, stream, opened.pop_all())
    # A browser must not run a stored file as a page of this server.
    headers = {"Content-Length": str(size), "Content-Disposition": "attachment", "X-Content-Type-Options": "nosniff"}
    return StreamingResponse(content, media_type="application/octet-stream", headers=headers)


@router.delete("/{path:path}", status_code=204)
def delete(jobs: JobServiceDep, owner: OwnerDep, path: str) -> None:
    """Delete a file."""
    try:
        jobs.files(owner).delete(path)
    except NoSuchFileError as error:
        raise HTTPException(404, str(error)) from None
    except StorageUnavailableError as error:
        raise storage_unavailable(error) from None


def _write(stream: IO[bytes], chunk: bytes) -> None:
    with storage_errors("the storage"):
        stream.write(chunk)


def _chunks(chunk: bytes, stream: IO[bytes], opened: ExitStack) -> Iterator[bytes]:
    with opened:
        while chunk:
            yield chunk
            chunk = stream.read(CHUNK_BYTES)
