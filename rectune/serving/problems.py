"""What clients are told when something is wrong: one shape, `{"error": {"message", "type", "code"}}`."""

from __future__ import annotations

import logging
import math
import traceback
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse

from rectune.core.errors import RectuneError, UserError
from rectune.inference.service_state import CallCancelled, EngineBusy, EngineClosed
from rectune.serving.answers import Conflict, GenerationTimeout, NotFound
from rectune.serving.limits import TooManyRequests
from rectune.serving.store.faults import DatabaseUnavailable

LOG = logging.getLogger("rectune.serving")
_RETRY = "5"  # seconds
_SHOWN = 5  # faults of a body that are told
_INVALID, _SERVER = "invalid_request_error", "server_error"
_OF_STATUS = {
    400: "bad_request", 401: "invalid_api_key", 403: "forbidden", 404: "not_found",
    405: "method_not_allowed", 413: "body_too_large", 422: "invalid_body", 429: "too_many_requests",
}  # fmt: skip


@dataclass(frozen=True)
class Problem:
    """What went wrong, for a client.

    Attributes:
        status: of HTTP.
        message: what is wrong, and what to do.
        type: `invalid_request_error` or `server_error`.
        code: a word for programs.
        headers: of the response.
    """

    status: int
    message: str
    code: str
    type: str = _INVALID
    headers: Mapping[str, str] = field(default_factory=dict)

    def body(self) -> dict[str, Any]:
        """What is sent."""
        told: dict[str, Any] = {"message": self.message, "type": self.type, "code": self.code}
        if "Retry-After" in self.headers:
            told["retry_after"] = int(self.headers["Retry-After"])
        return {"error": told}

    def response(self) -> JSONResponse:
        """The same as a response."""
        return JSONResponse(self.body(), self.status, dict(self.headers))


def of_status(status: int, message: str, **headers: str) -> Problem:
    """A problem that has no more to it than its status."""
    return Problem(status, message, _OF_STATUS.get(status, "error"), headers=headers)


def problem_of(error: BaseException) -> Problem:
    """What a client is told of an error. Of one that nobody expected only that it happened."""
    if isinstance(error, RequestValidationError):
        return of_status(422, _faults(error))
    if isinstance(error, HTTPException):
        return of_status(error.status_code, str(error.detail), **(error.headers or {}))
    if isinstance(error, TooManyRequests):
        return of_status(429, str(error), **{"Retry-After": str(error.retry_after)})
    if isinstance(error, EngineBusy):
        wait = {"Retry-After": str(math.ceil(error.retry_after))}
        return Problem(503, "the model is busy; try again later", "engine_busy", _SERVER, wait)
    if isinstance(error, EngineClosed):
        return Problem(503, "the model takes no requests", "engine_closed", _SERVER, {"Retry-After": _RETRY})
    if isinstance(error, DatabaseUnavailable):
        says = "the database cannot be reached now"
        return Problem(503, says, "database_unavailable", _SERVER, {"Retry-After": _RETRY})
    if isinstance(error, CallCancelled):
        return Problem(499, "the client has gone", "cancelled")
    if isinstance(error, GenerationTimeout):
        return Problem(504, str(error), "timeout", _SERVER)
    if isinstance(error, UserError):
        status = 404 if isinstance(error, NotFound) else 409 if isinstance(error, Conflict) else 400
        code = {404: "not_found", 409: "conflict"}.get(status, "invalid_request")
        said = f"{error.where}: {error.message}" if error.where else error.message
        return Problem(status, f"{said} ({error.hint})" if error.hint else said, code)
    log_fault(error)
    return Problem(500, "the server failed; its log says where", "internal_error", _SERVER)


def log_fault(error: BaseException) -> None:
    """Log where an error came from, without its message: that may hold what somebody wrote."""
    frames = traceback.extract_tb(error.__traceback__)[-4:]
    places = " < ".join(f"{Path(one.filename).name}:{one.lineno} {one.name}" for one in reversed(frames))
    said = f": {error}" if isinstance(error, RectuneError) and not isinstance(error, UserError) else ""
    LOG.error("%s%s at %s", type(error).__name__, said, places)


def _faults(error: RequestValidationError) -> str:
    """What is wrong with a body or with parameters; what was given is not repeated."""
    told = [f"{'.'.join(map(str, one['loc']))}: {one['msg']}" for one in error.errors()]
    more = f"; and {len(told) - _SHOWN} more" if len(told) > _SHOWN else ""
    return "; ".join(told[:_SHOWN]) + more
