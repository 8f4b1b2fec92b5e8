"""/api/v1/jobs: how far a change of the catalogue is."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Request
from pydantic import BaseModel

from rectune.serving.answers import NotFound
from rectune.serving.api.bodies import PROBLEMS
from rectune.serving.catalogue_changes import KIND
from rectune.serving.state import state_of
from rectune.serving.store import jobs
from rectune.serving.store.tables import Job, JobState

router = APIRouter(prefix="/api/v1/jobs", tags=["items"], responses=PROBLEMS)


class JobBody(BaseModel):
    """A change of the catalogue. Times are milliseconds since 1970."""

    id: int
    state: JobState
    progress: int
    """Steps that are done: what is wanted is read, index and rankers are made, it is served."""
    total: int | None
    error: str
    items: int
    """How many items the request named."""
    version: int
    """The version of the catalogue that has the change; `/api/health/ready` says which one is served."""
    created: int
    finished: int | None

    @classmethod
    def of(cls, job: Job) -> JobBody:
        """The job for clients."""
        return cls(
            id=job.id, state=job.state, progress=job.progress, total=job.total, error=job.error,
            items=job.payload["items"], version=job.payload["version"], created=job.created,
            finished=job.finished,
        )  # fmt: skip


@router.get("/{id}", response_model=JobBody)
def get_job(request: Request, id: Annotated[int, Path(ge=1, lt=2**53)]) -> JobBody:
    """A job."""
    with state_of(request).service.database.reading() as session:
        job = jobs.find(session, id)
        if job is None or job.kind != KIND:
            raise NotFound(f"there is no job {id}", hint="changes of items give the id of their job")
        return JobBody.of(job)
