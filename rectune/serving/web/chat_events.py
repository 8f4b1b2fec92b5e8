"""The events of a turn as parts of the page, in the order in which they come."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fastapi.sse import KEEPALIVE_COMMENT, format_sse_event

from rectune.core.types import Locale
from rectune.serving.problems import Problem
from rectune.serving.streams import Told
from rectune.serving.web.answer_view import brief
from rectune.serving.web.chat_view import MARKS, ChatCard, TurnView, cards_of, own_card
from rectune.serving.web.render import html

_STATUS = {
    "engine_busy": 503, "engine_closed": 503, "database_unavailable": 503, "too_many_requests": 429,
    "conflict": 409, "not_found": 404, "invalid_request": 400,
}  # fmt: skip
_SENTENCE = 1200  # characters


class ChatParts:
    """Encodes the events of one turn; `rectune.serving.streams.streamed` calls it with each.

    First comes the message with an empty answer, then items, then each sentence, at the end the whole turn in
    place of all that. Where something goes wrong the message goes back into the field.

    Args:
        locale: of the page.
        text: the message.
        chat: the id of the conversation; empty for a new one.
    """

    def __init__(self, locale: Locale, text: str, chat: str) -> None:
        self._locale, self._text, self._chat = locale, text, chat
        self._begun = False
        self._cards: tuple[ChatCard, ...] = ()

    def __call__(self, told: Told) -> bytes:
        """An event as one message of the stream."""
        name, data = told
        made = {
            "status": self._status, "facts": self._facts, "items": self._items, "sentence": self._sentence,
            "done": self._done,
        }  # fmt: skip
        message = made.get(name, self._error)(data)
        return format_sse_event(data_str=message) if message else KEEPALIVE_COMMENT

    def _status(self, data: Mapping[str, Any]) -> str:
        template = "chat_progress.html" if self._begun else "chat_frame.html"
        self._begun = True
        view = TurnView("now", brief(self._text, _SENTENCE))
        return self._html(template, turn=view, place=data["place"], state=data.get("state", ""), text="")

    def _facts(self, data: Mapping[str, Any]) -> str:
        return ""  # what is remembered is shown when it is kept

    def _items(self, data: Mapping[str, Any]) -> str:
        self._cards = cards_of("now", data["items"], {})
        return self._html("chat_items.html", cards=self._cards)

    def _sentence(self, data: Mapping[str, Any]) -> str:
        card = own_card(self._cards, data["items"])
        return self._html("chat_sentence.html", said=brief(data["text"], _SENTENCE), card=card)

    def _done(self, data: Mapping[str, Any]) -> str:
        return self._html("chat_done.html", **data)

    def _error(self, data: Mapping[str, Any]) -> str:
        problem = Problem(_STATUS.get(data["code"], 500), data["message"], data["code"])
        wait = data.get("retry_after", 0)
        return self._html("chat_problem.html", problem=problem, wait=wait, text=self._text, back="/chat")

    def _html(self, template: str, **values: Any) -> str:
        return html(template, self._locale, **{"marks": MARKS, "chat": self._chat, "gone": ""} | values)
