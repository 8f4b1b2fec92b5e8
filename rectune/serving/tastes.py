"""What is known of a user when they ask: what they like, what must not come, what they were shown."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

from rectune.core.types import Locale
from rectune.dialogue.knowledge import SESSION_KINDS, ChatFact, UserKnowledge
from rectune.recommender.recommender import Recommender
from rectune.serving.answers import NotFound
from rectune.serving.profile_attributes import agreed_profile
from rectune.serving.store import feedback, memory, users
from rectune.serving.store.database import Database
from rectune.serving.store.tables import User

_SHOWN = 200  # items that were shown without a reaction and come last: the latest


@dataclass(frozen=True)
class Taste:
    """What is known of a user.

    Attributes:
        user_id: of the store; None for nobody.
        liked: ids of the catalogue, oldest first: the run's likes, then those of the store, but for what they
            said in a conversation since that they avoid.
        refused: ids that never come again: seen, disliked, hidden and liked ones, by feedback or as was said
            in conversations.
        shown: ids that were shown without any reaction; they come last.
        locale: their language.
        tastes: what they said they like, in words.
        knowledge: the same and what else their persona is inferred from.
        profile: age, sex and occupation, of who has agreed that they are kept; rankers get them only where
            the server was started so.
    """

    user_id: int | None = None
    liked: Sequence[str] = ()
    refused: frozenset[str] = frozenset()
    shown: frozenset[str] = frozenset()
    locale: Locale = "en"
    tastes: Sequence[str] = ()
    knowledge: UserKnowledge = field(default_factory=UserKnowledge)
    profile: Mapping[str, str] = field(default_factory=dict)


def user_of(database: Database, recommender: Recommender, external_id: str) -> User:
    """The user of this id; one whom only the run knows is made in the store.

    Raises:
        NotFound: neither knows them.
    """
    with database.reading() as session:
        found = users.find(session, external_id)
    if found is None and external_id in recommender.users:
        with database.writing() as session:
            found = users.find(session, external_id) or users.create(session, external_id)
    if found is None:
        raise NotFound(f"there is no user {external_id}", hint="create it first: POST /api/v1/users")
    return found


def taste_of(
    database: Database, recommender: Recommender, external_id: str | None, with_shown: bool = True
) -> Taste:
    """What is known of a user now; feedback counts as soon as it is kept.

    `with_shown`: whether what they were shown is looked up.

    Raises:
        NotFound: there is no such user.
    """
    if external_id is None:
        return Taste()
    user = user_of(database, recommender, external_id)
    with database.reading() as session:
        likes = feedback.liked(session, user.id)
        seen = feedback.item_ids(session, user.id, ("seen",))
        disliked = feedback.item_ids(session, user.id, ("dislike",))
        hidden = feedback.item_ids(session, user.id, ("hide",))
        said = feedback.opinion_times(session, user.id)
        lasting = [one for one in memory.facts(session, user.id) if one.kind not in SESSION_KINDS]
        shown = feedback.shown_without_reaction(session, user.id)[-_SHOWN:] if with_shown else []
    facts = [one for one in lasting if not _outdated(one, said)]
    avoided = {one.item_id for one in facts if one.kind == "avoid"}
    against = disliked | hidden
    past = recommender.history_of(external_id) if external_id in recommender.users else ()
    liked = [
        item
        for item in latest([*past, *likes])
        if item not in against | avoided and item in recommender.items
    ]
    locale: Locale = "ko" if user.locale.lower().startswith("ko") else "en"
    said_of = {fact.item_id for fact in facts if fact.item_id}
    refused = frozenset(seen | against | set(likes) | said_of)
    tastes = tuple(user.tastes)
    known = UserKnowledge(
        liked, frozenset(disliked), frozenset(seen), frozenset(hidden), tastes, tuple(facts)
    )
    profile = agreed_profile(user)
    return Taste(user.id, liked, refused, frozenset(shown), locale, tastes, known, profile)


def _outdated(fact: ChatFact, said: Mapping[str, int]) -> bool:
    """Whether a person has said the like or the contrary of an item by feedback since (item id -> when)."""
    return fact.kind in ("like", "avoid") and said.get(fact.item_id, -1) > fact.created


def latest(items: Collection[str]) -> list[str]:
    """Each once, where it came last."""
    return list(dict.fromkeys(reversed(list(items))))[::-1]
