"""The pictures of items that lie in the folder of pictures."""

from __future__ import annotations

from fastapi import APIRouter, Request
from starlette.exceptions import HTTPException
from starlette.responses import FileResponse, Response

from rectune.serving.state import state_of

router = APIRouter(include_in_schema=False)


@router.get("/pictures/{item_id:path}")
def picture(request: Request, item_id: str) -> Response:
    """The picture of an item."""
    state = state_of(request)
    image = state.service.catalogue.current.images.get(item_id, "")
    found = state.pictures.found(image)
    if found is None:
        raise HTTPException(404, "there is no such picture")
    return FileResponse(
        found.path, media_type=found.media_type, headers={"Cache-Control": "private, max-age=3600"}
    )
