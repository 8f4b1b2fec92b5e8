"""The tables. Times are milliseconds since 1970, UTC. Everything of a user goes with the row in `users`.

A table with personal text hangs on `users` by a foreign key that deletes with it, directly or over one other
table (`user_tables.py` finds them so). No other table may hold what a user wrote. Ids of items are no foreign
keys: what somebody liked stays known while its item is not in the catalogue.
"""

from __future__ import annotations

from typing import Any, ClassVar, Literal, get_args

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, Index, Integer, MetaData, UniqueConstraint
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from rectune.dialogue.knowledge import FactKind
from rectune.serving.store.columns import SECRET, Json, PlainText

FeedbackType = Literal["seen", "like", "dislike", "click", "hide"]
JobState = Literal["queued", "running", "done", "failed"]
FEEDBACK_TYPES: tuple[FeedbackType, ...] = get_args(FeedbackType)
JOB_STATES: tuple[JobState, ...] = get_args(JobState)
FACT_KINDS: tuple[FactKind, ...] = get_args(FactKind)
# An id of a deleted row is never given again: whoever still holds it would reach another's row.
NO_REUSE = {"sqlite_autoincrement": True}


class Base(DeclarativeBase):
    """The metadata that migrations are compared with; every constraint has a name."""

    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
            "fk": "fk_%(table_name)s_%(column_0_name)s",
            "pk": "pk_%(table_name)s",
        }
    )
    type_annotation_map: ClassVar = {
        # 64 bits in both; in SQLite only a column of the type INTEGER counts up.
        int: BigInteger().with_variant(Integer(), "sqlite"),
        str: PlainText,
        FeedbackType: PlainText,
        JobState: PlainText,
        FactKind: PlainText,
        dict[str, Any]: Json,
        list[Any]: Json,
        list[str]: Json,
    }


def one_of(column: str, values: tuple[str, ...]) -> CheckConstraint:
    """A column holds one of these words."""
    return CheckConstraint(f"{column} IN ({', '.join(repr(value) for value in values)})", name=column)


def _of_user(*, indexed: bool = True) -> Mapped[int]:
    return mapped_column(ForeignKey("users.id", ondelete="CASCADE"), index=indexed)


class User(Base):
    """A user and their profile. `without_profile`: they chose to say nothing, and are not asked again."""

    __tablename__ = "users"
    __table_args__ = NO_REUSE
    id: Mapped[int] = mapped_column(primary_key=True)
    external_id: Mapped[str] = mapped_column(unique=True)
    created: Mapped[int]
    updated: Mapped[int]
    locale: Mapped[str]
    age_band: Mapped[str | None]
    sex: Mapped[str | None]
    occupation: Mapped[str | None]
    tastes: Mapped[list[str]]
    consented: Mapped[int | None]
    without_profile: Mapped[bool]


class UserSession(Base):
    """A signed-in browser. Only the SHA-256 of its token is kept."""

    __tablename__ = "sessions"
    id: Mapped[int] = mapped_column(primary_key=True)
    user_id: Mapped[int] = _of_user()
    token_sha256: Mapped[str] = mapped_column(unique=True, info=SECRET)
    created: Mapped[int]
    last_seen: Mapped[int]
    expires: Mapped[int] = mapped_column(index=True)


class PersonalCode(Base):
    """The code by which a user comes back on another device; one a user, only its SHA-256 is kept."""

    __tablename__ = "personal_codes"
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), primary_key=True)
    code_sha256: Mapped[str] = mapped_column(unique=True, info=SECRET)
    created: Mapped[int]
    used: Mapped[int | None]


class Recommendation(Base):
    """One answer of the recommender. `previous` is the one that it continues (`again`).

    Without a user it belongs to nobody, and only its age deletes it. Where two rankers are compared,
    `experiment` names both and `arm` the one that ranked this answer. `told` is what else the answer said,
    for who looks at it again: what ranked, whether it fits, titles that were not found, notes; empty in
    answers of earlier versions.
    """

    __tablename__ = "recommendations"
    id: Mapped[str] = mapped_column(primary_key=True)
    user_id: Mapped[int | None] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), index=True)
    previous: Mapped[str | None] = mapped_column(
        ForeignKey("recommendations.id", ondelete="SET NULL"), index=True
    )
    request: Mapped[dict[str, Any]]
    strategy: Mapped[str]
    created: Mapped[int] = mapped_column(index=True)
    took_ms: Mapped[int]
    experiment: Mapped[str | None]
    arm: Mapped[str | None]
    told: Mapped[dict[str, Any] | None]


class RecommendedItem(Base):
    """What was shown: `place` counts from 1; `evidence` is what the reason stands on."""

    __tablename__ = "recommended_items"
    recommendation_id: Mapped[str] = mapped_column(
        ForeignKey("recommendations.id", ondelete="CASCADE"), primary_key=True
    )
    place: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    item_id: Mapped[str]
    score: Mapped[float | None]
    reason: Mapped[str]
    reason_by: Mapped[str]
    evidence: Mapped[list[Any]]


class Feedback(Base):
    """What a user did with an item: one row a user, item and type.

    `time` is when they did it, `received` when the server got it; None in rows of earlier versions.
    """

    __tablename__ = "feedback"
    __table_args__ = (
        UniqueConstraint("user_id", "item_id", "type"),
        one_of("type", FEEDBACK_TYPES),
        Index(None, "user_id", "type", "time"),
    )
    id: Mapped[int] = mapped_column(primary_key=True)
    user_id: Mapped[int] = _of_user(indexed=False)
    item_id: Mapped[str]
    type: Mapped[FeedbackType]
    value: Mapped[float | None]
    time: Mapped[int] = mapped_column(index=True)
    recommendation_id: Mapped[str | None] = mapped_column(
        ForeignKey("recommendations.id", ondelete="SET NULL"), index=True
    )
    received: Mapped[int | None]


class CatalogueItem(Base):
    """An item of the catalogue. `version`: in which it was last changed; `search_title`: see `items.py`."""

    __tablename__ = "items"
    item_id: Mapped[str] = mapped_column(primary_key=True)
    title: Mapped[str]
    search_title: Mapped[str] = mapped_column(index=True)
    categories: Mapped[list[str]]
    description: Mapped[str]
    year: Mapped[int | None]
    facts: Mapped[list[str]]
    image: Mapped[str]
    hidden: Mapped[bool]
    version: Mapped[int] = mapped_column(ForeignKey("catalogue_versions.version"), index=True)
    updated: Mapped[int]


class CatalogueVersion(Base):
    """One change of the catalogue: how many items came or changed, and which went."""

    __tablename__ = "catalogue_versions"
    __table_args__ = NO_REUSE
    version: Mapped[int] = mapped_column(primary_key=True)
    created: Mapped[int]
    upserted: Mapped[int]
    deleted: Mapped[list[str]]


class ApiKey(Base):
    """A key of the API; its public part is the id, of its secret part only the SHA-256 is kept."""

    __tablename__ = "api_keys"
    id: Mapped[str] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(unique=True)
    secret_sha256: Mapped[str] = mapped_column(info=SECRET)
    scopes: Mapped[list[str]]
    created: Mapped[int]
    revoked: Mapped[int | None]


class Job(Base):
    """Work in the background. `attempts` counts how often it was taken; `progress` of `total` is done.

    A job that works on what a user wrote has that user, so that it goes with them.
    """

    __tablename__ = "jobs"
    __table_args__ = (one_of("state", JOB_STATES), Index(None, "state", "id"), NO_REUSE)
    id: Mapped[int] = mapped_column(primary_key=True)
    user_id: Mapped[int | None] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), index=True)
    kind: Mapped[str]
    state: Mapped[JobState]
    attempts: Mapped[int]
    progress: Mapped[int]
    total: Mapped[int | None]
    error: Mapped[str]
    payload: Mapped[dict[str, Any]]
    created: Mapped[int]
    started: Mapped[int | None]
    finished: Mapped[int | None]
    heartbeat: Mapped[int | None]


class Persona(Base):
    """What the service thinks a user likes, one a user: claims with their evidence, the weightiest first.

    `portrait` is at most three sentences, `worded_by` who wrote them. `version` grows with each change;
    `basis` is a hash of what it was inferred from.
    """

    __tablename__ = "personas"
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), primary_key=True)
    claims: Mapped[list[Any]]
    portrait: Mapped[list[str]]
    worded_by: Mapped[str]
    version: Mapped[int]
    basis: Mapped[str]
    created: Mapped[int]
    updated: Mapped[int]


class PersonaVersion(Base):
    """What a persona was before a change; `created` is when it was replaced. Only the latest are kept."""

    __tablename__ = "persona_versions"
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), primary_key=True)
    version: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    claims: Mapped[list[Any]]
    portrait: Mapped[list[str]]
    worded_by: Mapped[str]
    created: Mapped[int]


class Chat(Base):
    """A conversation; `updated` is the time of its last message, at first of its beginning."""

    __tablename__ = "chats"
    id: Mapped[str] = mapped_column(primary_key=True)
    user_id: Mapped[int] = _of_user()
    created: Mapped[int]
    updated: Mapped[int] = mapped_column(index=True)


class Message(Base):
    """One turn of a conversation: what a user wrote, and what was answered.

    `answer` are its sentences, each with the ids of the items that it speaks of; `items` are ids of what it
    recommends. `focus`, `ask`, `query` and `question`: see `rectune.dialogue.chat_turn.ChatTurn`.
    """

    __tablename__ = "messages"
    __table_args__ = NO_REUSE
    id: Mapped[int] = mapped_column(primary_key=True)
    chat_id: Mapped[str] = mapped_column(ForeignKey("chats.id", ondelete="CASCADE"), index=True)
    text: Mapped[str]
    answer: Mapped[list[Any]]
    items: Mapped[list[str]]
    focus: Mapped[str]
    ask: Mapped[str]
    query: Mapped[str]
    question: Mapped[str]
    locale: Mapped[str]
    worded_by: Mapped[str]
    created: Mapped[int]


class MemoryFact(Base):
    """What a user said of themselves, with their words; goes with the message that these stand in.

    See `rectune.dialogue.knowledge.ChatFact`. `item_id` is empty where it names none; at `ends` the session
    is over to which it belongs, None for what stays.
    """

    __tablename__ = "memory_facts"
    __table_args__ = (one_of("kind", FACT_KINDS), NO_REUSE)
    id: Mapped[int] = mapped_column(primary_key=True)
    user_id: Mapped[int] = _of_user()
    message_id: Mapped[int] = mapped_column(ForeignKey("messages.id", ondelete="CASCADE"), index=True)
    kind: Mapped[FactKind]
    value: Mapped[str]
    quote: Mapped[str]
    item_id: Mapped[str]
    created: Mapped[int]
    ends: Mapped[int | None] = mapped_column(index=True)
