"""What gorse's clients send and get, and how it maps to what is kept here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Annotated

from pydantic import AfterValidator, ConfigDict, Field

from rectune.core.errors import UserError
from rectune.serving.api.bodies import Body, ItemId, UserId
from rectune.serving.store.items import ItemEntry
from rectune.serving.store.tables import FEEDBACK_TYPES, Feedback, FeedbackType, User

# gorse lets every shop invent types of feedback; these are the names in its documentation.
_TYPES: Mapping[str, FeedbackType] = {
    "star": "like",
    "read": "seen",
    **{name: name for name in FEEDBACK_TYPES},
}
_NAMES: Mapping[FeedbackType, str] = {"seen": "read"}
POSITIVE: FeedbackType = "like"
_LABEL = "label"  # the name of facts that are gorse's labels
_NO_TIME = "0001-01-01T00:00:00Z"  # as Go writes a time that nobody gave
Count = Annotated[int, Field(ge=1, le=1000)]
Offset = Annotated[int, Field(ge=0, le=1000)]


def _empty(text: str) -> str:
    if text:
        raise ValueError("this is not kept here: leave it out")
    return text


NotKept = Annotated[str, AfterValidator(_empty)]


class Success(Body):
    """How many rows a request named."""

    RowAffected: int


class Score(Body):
    """An item and its score."""

    Id: str
    Score: float


class FeedbackBody(Body):
    """What a user did with an item."""

    FeedbackType: Annotated[str, Field(max_length=100)]
    UserId: UserId
    ItemId: ItemId
    Timestamp: Annotated[str, Field(max_length=64)] = ""
    """ISO 8601; now if empty."""
    Value: Annotated[float, Field(allow_inf_nan=False)] = 0
    """0 for none."""
    Comment: NotKept = ""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [
                {"FeedbackType": "star", "UserId": "ann", "ItemId": "12", "Timestamp": "2026-01-31T12:00:00Z"}
            ]
        },
    )


class FeedbackIterator(Body):
    """A page of everybody's feedback; an empty cursor is the end."""

    Cursor: str
    Feedback: list[FeedbackBody]


class UserBody(Body):
    """A user; labels are their tastes."""

    UserId: UserId
    Labels: list[Annotated[str, Field(min_length=1, max_length=200)]] | None = Field(None, max_length=100)
    Subscribe: NotKept | list[NotKept] | None = None
    Comment: NotKept = ""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"examples": [{"UserId": "ann", "Labels": ["science fiction"]}]}
    )

    @classmethod
    def of(cls, user: User) -> UserBody:
        """The user for clients."""
        return cls(UserId=user.external_id, Labels=user.tastes)


class UserIterator(Body):
    """A page of users; an empty cursor is the end."""

    Cursor: str
    Users: list[UserBody]


class ItemPatch(Body):
    """A change of an item; what is null or left out stays."""

    IsHidden: bool | None = None
    Categories: list[Annotated[str, Field(max_length=100)]] | None = Field(None, max_length=50)
    Timestamp: Annotated[str, Field(max_length=64)] | None = None
    """Not kept here."""
    Labels: list[Annotated[str, Field(max_length=480)]] | None = Field(None, max_length=50)
    Comment: Annotated[str, Field(max_length=500)] | None = None
    """The title."""

    def altered(self, entry: ItemEntry) -> ItemEntry:
        """The item after this change.

        Raises:
            UserError: a text cannot be.
        """
        if self.IsHidden is not None:
            entry = replace(entry, hidden=self.IsHidden)
        if self.Categories is not None:
            names = dict.fromkeys(_line(name, "a category") for name in self.Categories)
            entry = replace(entry, categories=tuple(names))
        if self.Labels is not None:
            labels = dict.fromkeys(f"{_LABEL}: {_line(name, 'a label')}" for name in self.Labels)
            others = [fact for fact in entry.facts if not _is_label(fact)]
            entry = replace(entry, facts=(*others, *labels))
        if self.Comment is not None:
            entry = replace(entry, title=_line(self.Comment, "an item's Comment, which is its title,"))
        return entry


class NewItem(ItemPatch):
    """An item; `Comment` is its title, and labels are facts of it."""

    ItemId: ItemId

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [{"ItemId": "x1", "Comment": "Moon Base (2031)", "Categories": ["Space"]}]
        },
    )

    def entry(self, before: ItemEntry | None) -> ItemEntry:
        """The item for the store; of one that was there before stays what gorse has no word for.

        Raises:
            UserError: it has no title, or a text cannot be.
        """
        if self.Comment is None:
            raise UserError("an item needs a title", where=self.ItemId, hint="give it as Comment")
        if before is None:
            return self.altered(ItemEntry(self.ItemId, ""))
        others = tuple(fact for fact in before.facts if not _is_label(fact))
        return self.altered(replace(before, categories=(), facts=others, hidden=False))


class ItemBody(Body):
    """An item for clients. `Timestamp` is empty of meaning: no times of items are kept."""

    ItemId: str
    IsHidden: bool
    Categories: list[str]
    Timestamp: str
    Labels: list[str]
    Comment: str

    @classmethod
    def of(cls, entry: ItemEntry) -> ItemBody:
        """The item as it is kept."""
        labels = [fact.partition(": ")[2] for fact in entry.facts if _is_label(fact)]
        return cls(
            ItemId=entry.item_id, IsHidden=entry.hidden, Categories=list(entry.categories),
            Timestamp=_NO_TIME, Labels=labels, Comment=entry.title,
        )  # fmt: skip


class ItemIterator(Body):
    """A page of items; an empty cursor is the end."""

    Cursor: str
    Items: list[ItemBody]


def type_of(name: str) -> FeedbackType:
    """Our type of feedback for a name.

    Raises:
        UserError: there is none.
    """
    if name not in _TYPES:
        hint = f"there are {', '.join(_TYPES)}; star is a like, read is seen"
        raise UserError(f"there is no feedback of the type {name[:50]}", where="FeedbackType", hint=hint)
    return _TYPES[name]


def milliseconds(text: str) -> int | None:
    """A time of a client in milliseconds since 1970; None for none.

    Raises:
        UserError: it is no time.
    """
    if not text or text == _NO_TIME:
        return None
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        hint = "write it as 2026-01-31T12:00:00Z"
        raise UserError("this is no time", where="Timestamp", hint=hint) from None
    try:
        return int((found if found.tzinfo else found.replace(tzinfo=UTC)).timestamp() * 1000)
    except (OverflowError, ValueError):
        raise UserError("this time cannot be", where="Timestamp", hint="give one since 1970") from None


def feedback_of(user: str, row: Feedback, name: str = "") -> FeedbackBody:
    """Feedback for clients; of the type that was asked for, where one was."""
    return FeedbackBody(
        FeedbackType=name or _NAMES.get(row.type, row.type), UserId=user, ItemId=row.item_id,
        Timestamp=_written(row.time), Value=row.value or 0,
    )  # fmt: skip


def _written(time: int) -> str:
    try:
        found = datetime.fromtimestamp(time / 1000, UTC)
    except (OverflowError, ValueError):  # further away than year 9999
        found = datetime.max.replace(tzinfo=UTC)
    whole = "seconds" if time % 1000 == 0 else "milliseconds"
    return found.isoformat(timespec=whole).replace("+00:00", "Z")


def _is_label(fact: str) -> bool:
    return fact.startswith(f"{_LABEL}: ")


def _line(text: str, what: str) -> str:
    found = " ".join(text.split())
    if not found:
        raise UserError(f"{what} is empty", hint="leave it out, or give a text")
    return found
