"""The page's own files: styles, scripts, a sign. An address changes with its file, so browsers keep it."""

from __future__ import annotations

from fastapi import APIRouter
from starlette.exceptions import HTTPException
from starlette.responses import FileResponse, Response

from rectune.serving.web.render import STATIC, digests

router = APIRouter(include_in_schema=False)
_TYPES = {".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml", ".txt": "text/plain"}


@router.get("/static/{digest}/{name}")
def static(digest: str, name: str) -> Response:
    """A file of the page."""
    if digests().get(name) != digest:
        raise HTTPException(404, "there is no such file")
    path = STATIC / name
    kept = {"Cache-Control": "public, max-age=31536000, immutable"}
    return FileResponse(path, media_type=_TYPES[path.suffix], headers=kept)
