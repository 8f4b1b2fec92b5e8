"""The events of an answer as parts of the page, in the order in which they come."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from fastapi.sse import format_sse_event

from rectune.core.types import Locale
from rectune.serving.problems import Problem
from rectune.serving.streams import Told
from rectune.serving.web.answer_view import MARKS, Card, brief
from rectune.serving.web.render import html

_STATUS = {"engine_busy": 503, "engine_closed": 503, "database_unavailable": 503, "too_many_requests": 429}


class AnswerParts:
    """Encodes the events of one answer; `rectune.serving.streams.streamed` calls it with each.

    First comes the frame with the place in line, then cards without reasons, then each reason, at the end the
    whole answer in place of all that.

    Args:
        locale: of the page.
        picture_of: gives the address of an item's picture.
        path: what was asked.
    """

    def __init__(self, locale: Locale, picture_of: Callable[[str], str | None], path: str) -> None:
        self._locale, self._picture_of, self._path = locale, picture_of, path
        self._begun = False
        self._places: dict[str, int] = {}

    def __call__(self, told: Told) -> bytes:
        """An event as one message of the stream."""
        name, data = told
        made = {"status": self._status, "item": self._item, "reason": self._reason, "done": self._done}
        message = made.get(name, self._error)(data)
        return format_sse_event(data_str=message)

    def _status(self, data: Mapping[str, Any]) -> str:
        template = "answer_place.html" if self._begun else "answer_frame.html"
        self._begun = True
        return self._html(template, place=data["place"])

    def _item(self, data: Mapping[str, Any]) -> str:
        card = Card.of_event(data, {})
        self._places[card.item_id] = card.place
        return self._html("answer_card.html", card=card)

    def _reason(self, data: Mapping[str, Any]) -> str:
        place, reason = self._places.get(data["item_id"], 0), brief(data["reason"], 1200)
        card = Card(place, data["item_id"], "", reason=reason, by=data["reasons_by"] or "")
        return self._html("answer_reason.html", card=card)

    def _done(self, data: Mapping[str, Any]) -> str:
        return self._html("answer_done.html", view=data["view"])

    def _error(self, data: Mapping[str, Any]) -> str:
        problem = Problem(_STATUS.get(data["code"], 500), data["message"], data["code"])
        return self._html("answer_problem.html", problem=problem, wait=data.get("retry_after", 0))

    def _html(self, template: str, **values: Any) -> str:
        shared = {"picture_of": self._picture_of, "marks": MARKS, "answer": "", "back": "/for-you"}
        return html(template, self._locale, **shared | values)
