"""Routes for work that takes longer than a request may."""

from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Header, HTTPException, Query, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from .jobs import Jobs
from .kinds import Order
from .ledger import Conflict
from .tables import Job, State

router = APIRouter(prefix="/jobs", tags=["jobs"])


class JobView(BaseModel):
    """A job, as clients see it."""

    model_config = ConfigDict(from_attributes=True)

    id: str
    kind: str
    arguments: dict[str, Any]
    state: State
    done: int = Field(description="How far it is, of `total`; what is counted depends on the kind.")
    total: int | None
    failures: int = Field(description="Attempts that failed; it is tried again until they are too many.")
    result: dict[str, Any] | None
    error: str | None = Field(description="Why the last attempt failed.")
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None


@router.post("", status_code=202, response_model=JobView)
def submit(
    request: Request,
    response: Response,
    order: Order,
    key: Annotated[
        str | None,
        Header(
            alias="Idempotency-Key",
            pattern=r"^[!-~]{1,200}$",
            description="Any text that is new for each job: who asks twice with the same one gets one job.",
        ),
    ] = None,
) -> Job:
    """Take a job, which is done later: 202, and where to ask about it."""
    try:
        job, _ = _jobs(request).submit(order.kind, order.arguments.model_dump(mode="json"), key)
    except Conflict as error:
        raise HTTPException(409, f"Idempotency-Key: {error}") from None
    response.headers["Location"] = f"/jobs/{job.id}"
    return job


@router.get("", response_model=list[JobView])
def list_(
    request: Request,
    state: State | None = None,
    before: Annotated[datetime | None, Query(description="Only older ones, such as the last one's.")] = None,
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
) -> Any:
    """List jobs, the newest first."""
    return _jobs(request).ledger.newest(state, before, limit)


@router.get("/{id}", response_model=JobView)
def get(request: Request, id: str) -> Job:
    """Tell of a job."""
    job = _jobs(request).ledger.get(id)
    if job is None:
        raise HTTPException(404, "there is no such job")
    return job


@router.delete("/{id}", response_model=JobView)
def cancel(request: Request, id: str) -> Job:
    """Cancel a job that has not ended; one that is being done ends at its next word about its progress."""
    job = get(request, id)
    if not _jobs(request).ledger.cancel(id) and job.state != State.CANCELLED:
        raise HTTPException(409, f"the job has {get(request, id).state} already")
    return get(request, id)


def _jobs(request: Request) -> Jobs:
    jobs: Jobs = request.app.state.jobs
    return jobs
