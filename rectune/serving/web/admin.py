"""The page of whoever runs the service, behind a key with the scope `admin`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

from fastapi import APIRouter, Form, Request
from starlette.responses import Response

from rectune.serving.state import ServerState, state_of
from rectune.serving.store import api_keys, items, jobs, statistics
from rectune.serving.store.columns import now_ms
from rectune.serving.store.feedback_rates import ENOUGH
from rectune.serving.store.tables import ApiKey, Job, JobState
from rectune.serving.web.bar_chart import bars
from rectune.serving.web.render import go_to, page
from rectune.serving.web.times import day, minute

router = APIRouter(include_in_schema=False)

COOKIE = "rectune_admin"
_PATH = "/admin"
_SCOPE = "admin"
_JOBS, _VERSIONS, _DAYS = 20, 10, 14
STATES: Mapping[JobState, str] = {
    "queued": "queued", "running": "running", "done": "done", "failed": "failed",
}  # fmt: skip
"""What the state of a job is called on the page."""
AGES = (("{n} days", 86_400_000), ("{n} h", 3_600_000), ("{n} min", 60_000), ("{n} s", 1_000))
"""What a time span is called on the page, and its unit in milliseconds."""


@router.get("/admin")
def overview(request: Request) -> Response:
    """The state of the service; without a key, the form that takes one."""
    if _key_of(request, request.cookies.get(COOKIE, "")) is None:
        return _entrance(request)
    return page(request, "admin.html", **_service(state_of(request)), **_store(state_of(request)))


@router.post("/admin")
def enter(request: Request, key: Annotated[str, Form(max_length=200)] = "") -> Response:
    """Keep a key in a cookie that only this page gets, until the browser is closed."""
    key = key.strip()
    if _key_of(request, key) is None:
        return _entrance(request, "This is no key with the scope admin, or it was revoked.")
    response = go_to(request, _PATH)
    response.set_cookie(
        COOKIE, key, path=_PATH, httponly=True, samesite="strict", secure=state_of(request).config.https
    )
    return response


@router.post("/admin/leave")
def leave(request: Request) -> Response:
    """Forget the key on this device."""
    response = go_to(request, _PATH)
    response.delete_cookie(COOKIE, path=_PATH, httponly=True, samesite="strict")
    return response


def _key_of(request: Request, key: str) -> ApiKey | None:
    """The key where it is right, not revoked, and allows this page; looked up anew at every request."""
    if not key:
        return None
    with state_of(request).service.database.reading() as session:
        found = api_keys.verify(session, key)
        return found if found and api_keys.allows(found, _SCOPE) else None


def _entrance(request: Request, told: str = "") -> Response:
    with state_of(request).service.database.reading() as session:
        keys = api_keys.list_all(session)
    there = any(key.revoked is None and api_keys.allows(key, _SCOPE) for key in keys)
    return page(request, "admin_key.html", 403 if told else 200, told=told, has_key=there)


def _service(state: ServerState) -> dict[str, Any]:
    """What this process knows by itself."""
    statuses, engine = state.metrics.by_status(), state.service.engine
    catalogue = state.service.catalogue.current
    return {
        "requests": sum(statuses.values()), "unavailable": statuses.get(503, 0),
        "faults": sum(count for status, count in statuses.items() if status >= 500 and status != 503),
        "engine": engine.snapshot() if engine else None, "items": len(catalogue.items),
        "version": catalogue.version, "domain": catalogue.recommender.domain,
        "rates": state.positive_feedback.rates(), "enough": ENOUGH, "keep_days": state.config.keep_days,
    }  # fmt: skip


def _store(state: ServerState) -> dict[str, Any]:
    """What the database knows, in one state of it."""
    now = now_ms()
    with state.service.database.reading() as session:
        answers = statistics.answers_by_day(session, _DAYS, now=now)
        return {
            "users": statistics.count_users(session), "sessions": statistics.count_sessions(session, now=now),
            "marks": statistics.feedback_by_type(session), "stored_version": items.version(session),
            "jobs": [_job(job, now) for job in jobs.latest(session, _JOBS)],
            "versions": [
                (one.version, minute(one.created), one.upserted, len(one.deleted))
                for one in statistics.catalogue_versions(session, _VERSIONS)
            ],
            "keys": [
                (key.name, ", ".join(key.scopes), day(key.created), key.revoked is None)
                for key in api_keys.list_all(session)
            ],
            "days": bars([(day(at), count) for at, count in answers]), "today": sum(answers[-1][1:]),
        }  # fmt: skip


def _job(job: Job, now: int) -> dict[str, Any]:
    """A job without its payload, which may hold what a user wrote."""
    return {
        "id": job.id, "kind": job.kind, "state": STATES[job.state], "failed": job.state == "failed",
        "attempts": job.attempts, "error": job.error,
        "progress": f"{job.progress} / {job.total}" if job.total else str(job.progress),
        "age": _age(max(0, now - job.created)),
    }  # fmt: skip


def _age(ms: int) -> tuple[str, int]:
    """A time span as a sentence for `tr` and its number."""
    return next(((sentence, ms // unit) for sentence, unit in AGES if ms >= unit), (AGES[-1][0], 0))
