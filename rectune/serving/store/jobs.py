"""Work in the background. A job is taken by one worker; what a dead worker left is taken up again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import case, select, update
from sqlalchemy.orm import Session

from rectune.serving.store.columns import now_ms
from rectune.serving.store.statements import changed
from rectune.serving.store.tables import Job

MAX_ATTEMPTS = 3  # a job that kills its process each time must end
ABANDONED_MS = 60_000  # without a heartbeat for so long a worker counts as dead


def add(
    session: Session,
    kind: str,
    payload: Mapping[str, Any],
    *,
    user_id: int | None = None,
    total: int | None = None,
    now: int | None = None,
) -> Job:
    """A new job at the end of the queue.

    Args:
        payload: what it works on, ready for JSON; nothing that a user wrote unless `user_id` is theirs.
        total: how many steps there are, where that is known.
    """
    job = Job(
        user_id=user_id, kind=kind, state="queued", attempts=0, progress=0, total=total, error="",
        payload=dict(payload), created=now_ms() if now is None else now,
    )  # fmt: skip
    session.add(job)
    session.flush()
    return job


def find(session: Session, id: int) -> Job | None:
    """The job of this id; None if there is none."""
    return session.get(Job, id)


def latest(session: Session, limit: int) -> Sequence[Job]:
    """The newest jobs, the last one first."""
    return session.scalars(select(Job).order_by(Job.id.desc()).limit(limit)).all()


def is_waiting(session: Session, kind: str) -> bool:
    """Whether a job of this kind waits."""
    return session.scalar(select(Job.id).where(Job.state == "queued", Job.kind == kind).limit(1)) is not None


def take_next(session: Session, kinds: Sequence[str] | None = None, *, now: int | None = None) -> Job | None:
    """Take the job that has waited longest, as running; None if none waits. Two workers never get the same.

    Args:
        kinds: only these kinds, None for all.
    """
    now = now_ms() if now is None else now
    rows = select(Job).where(Job.state == "queued").order_by(Job.id).limit(1)
    if kinds is not None:
        rows = rows.where(Job.kind.in_(kinds))
    job = session.scalar(rows.with_for_update(skip_locked=True))
    if job is not None:
        job.state, job.attempts, job.progress, job.error = "running", job.attempts + 1, 0, ""
        job.started = job.heartbeat = now
        session.flush()
    return job


def heartbeat(
    session: Session,
    job: Job,
    *,
    progress: int | None = None,
    total: int | None = None,
    now: int | None = None,
) -> bool:
    """The worker lives and is so far; False where the job is not its own any more: stop then."""
    values: dict[str, Any] = {"heartbeat": now_ms() if now is None else now}
    values |= {name: value for name, value in (("progress", progress), ("total", total)) if value is not None}
    return changed(session, _own(job).values(**values)) > 0


def finish(session: Session, job: Job, *, now: int | None = None) -> bool:
    """The job is done; False where it is not the worker's own any more."""
    now = now_ms() if now is None else now
    return changed(session, _own(job).values(state="done", finished=now, heartbeat=now)) > 0


def fail(session: Session, job: Job, error: str, *, now: int | None = None) -> bool:
    """The job failed for good; False where it is not the worker's own any more.

    Args:
        error: why, for people; nothing that a user wrote.
    """
    now = now_ms() if now is None else now
    return changed(session, _own(job).values(state="failed", error=error, finished=now, heartbeat=now)) > 0


def requeue_abandoned(session: Session, *, silent_ms: int = ABANDONED_MS, now: int | None = None) -> int:
    """Put back into the queue what runs without a sign of life; returns how many jobs.

    A job that was taken `MAX_ATTEMPTS` times has failed.

    Args:
        silent_ms: since when there is no heartbeat; 0 where no other process can be working, at the start.
    """
    now = now_ms() if now is None else now
    again = Job.attempts < MAX_ATTEMPTS
    statement = (
        update(Job)
        .where(Job.state == "running", Job.heartbeat <= now - silent_ms)
        .values(
            state=case((again, "queued"), else_="failed"),
            error=case((again, ""), else_=f"its process ended {MAX_ATTEMPTS} times while it ran"),
            finished=case((again, None), else_=now),
        )
        .execution_options(synchronize_session=False)
    )
    return changed(session, statement)


def _own(job: Job) -> Any:
    """An update of this job while it is the worker's own: nobody has taken it since."""
    mine = update(Job).where(Job.id == job.id, Job.state == "running", Job.attempts == job.attempts)
    return mine.execution_options(synchronize_session=False)
