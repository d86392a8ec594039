"""Routes of background jobs."""

import logging
from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Header, HTTPException, Query, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from ...db.models import Job, JobState
from ...jobs.owner import Owner, QuotaExceededError
from ...jobs.service import JobService
from ...jobs.store import IdempotencyConflictError
from ...jobs.types import JobRequest, JobTypes
from ...storage import NoSuchFileError, StorageFullError, StorageUnavailableError
from ..client import client_of
from ..dependencies import get_service

logger = logging.getLogger(__name__)


async def get_owner(request: Request) -> Owner:
    """Return the owner of what the client of a request makes."""
    client = client_of(request)
    return Owner(client.name, client.is_admin)


JobServiceDep = Annotated[JobService, Depends(get_service(JobService))]
OwnerDep = Annotated[Owner, Depends(get_owner)]


class JobView(BaseModel):
    """A job, as clients see it."""

    model_config = ConfigDict(from_attributes=True)

    id: str
    owner: str = Field(description="Name of the API key that submitted the job.")
    kind: str
    arguments: dict[str, Any]
    state: JobState
    done: int = Field(description="Progress, out of `total`; the unit depends on the kind.")
    total: int | None
    failures: int = Field(description="Failed attempts; a job is retried until there are too many.")
    result: dict[str, Any] | None
    error: str | None = Field(description="Error of the last attempt.")
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None


IdempotencyKey = Annotated[
    str | None,
    Header(
        alias="Idempotency-Key",
        pattern=r"^[!-~]{1,200}$",
        description="A unique text for each job: a repeated request with the same key returns the existing job.",
    ),
]


def jobs_router(job_types: JobTypes) -> APIRouter:
    """Return the routes below `/jobs`, which accept these kinds of job."""
    router = APIRouter(prefix="/jobs", tags=["jobs"])

    def submit(
        response: Response, jobs: JobServiceDep, owner: OwnerDep, body: JobRequest, key: IdempotencyKey = None
    ) -> Job:
        """Create a job, which a worker runs later; `Location` is the address of its state."""
        try:
            job, _ = jobs.submit(body.kind, body.arguments.model_dump(mode="json"), key, owner)
        except NoSuchFileError as error:
            raise HTTPException(404, str(error)) from None
        except QuotaExceededError as error:
            raise HTTPException(429, str(error), {"Retry-After": "5"}) from None
        except IdempotencyConflictError as error:
            raise HTTPException(409, f"Idempotency-Key: {error}") from None
        except StorageUnavailableError as error:
            raise storage_unavailable(error) from None
        response.headers["Location"] = f"/jobs/{job.id}"
        return job

    submit.__annotations__["body"] = job_types.request  # FastAPI reads the type at run time
    router.add_api_route("", submit, methods=["POST"], status_code=202, response_model=JobView)
    router.add_api_route("", list_jobs, methods=["GET"], response_model=list[JobView])
    router.add_api_route("/{id}", get, methods=["GET"], response_model=JobView)
    router.add_api_route("/{id}", cancel, methods=["DELETE"], response_model=JobView)
    return router


def storage_unavailable(error: StorageUnavailableError) -> HTTPException:
    """Return the response to a storage that fails; the log names its paths."""
    logger.warning("%s", error)
    if isinstance(error, StorageFullError):
        return HTTPException(507, str(error))
    return HTTPException(503, str(error), {"Retry-After": "5"})


def list_jobs(
    jobs: JobServiceDep,
    owner: OwnerDep,
    state: JobState | None = None,
    before: Annotated[datetime | None, Query(description="Only jobs created before this time (UTC).")] = None,
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
) -> Any:
    """List your jobs, newest first; with the key of an administrator, those of all."""
    return jobs.store.find(owner.scope, state, before, limit)


def get(jobs: JobServiceDep, owner: OwnerDep, id: str) -> Job:
    """Return the state of a job."""
    job = jobs.store.get(id, owner.scope)
    if job is None:
        raise HTTPException(404, f"there is no job {id}")
    return job


def cancel(jobs: JobServiceDep, owner: OwnerDep, id: str) -> Job:
    """Cancel a job. A running one ends at its next progress report."""
    job = get(jobs, owner, id)
    if not jobs.store.cancel(id, owner.scope) and job.state != JobState.CANCELLED:
        raise HTTPException(409, f"the job has {get(jobs, owner, id).state} already")
    return get(jobs, owner, id)
