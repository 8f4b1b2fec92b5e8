"""The buttons of an item: what a person says of it, and taking that back."""

from __future__ import annotations

from typing import Literal

from sqlalchemy.orm import Session

from rectune.core.errors import UserError
from rectune.serving.store import feedback
from rectune.serving.store.feedback import FeedbackEntry
from rectune.serving.store.users import check_id

Mark = Literal["", "like", "dislike", "seen", "hide"]
"""The value of a button; empty for one that was not pressed."""


def press(
    session: Session, user_id: int, item_id: str, mark: Mark, take_back: Mark, answer: str | None = None
) -> frozenset[str]:
    """Keep what a person says of an item, or take it back; returns all that they say of it now.

    Args:
        mark, take_back: one of them is empty.
        answer: the id of the recommendation that showed the item.

    Raises:
        UserError: the id cannot be, or not exactly one button was pressed.
    """
    check_id(item_id, "an item")
    if bool(mark) == bool(take_back):
        raise UserError("this is none of the buttons of an item")
    if mark:
        feedback.put_many(session, [FeedbackEntry(user_id, item_id, mark, recommendation=answer)])
    elif take_back:
        feedback.delete(session, user_id, item_id, take_back)
    return feedback.types_of(session, user_id, [item_id]).get(item_id, frozenset())
