"""What is known of a person: what they did with items, what they said, and what was concluded from it.

These are values: whatever changes makes new ones. The store keeps them, `rectune.dialogue` works on them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Literal

from rectune.dialogue.traits import found_by

Stance = Literal["likes", "avoids"]
FactKind = Literal["like", "avoid", "want", "not_now", "seen", "mood", "occasion", "company", "time"]
ClaimState = Literal["inferred", "kept", "edited", "removed"]
WordedBy = Literal["model", "template", "person"]

SESSION_KINDS: tuple[FactKind, ...] = ("want", "not_now", "mood", "occasion", "company", "time")
"""Facts of these kinds end with the session: they say what somebody wants now, not who they are."""


@dataclass(frozen=True)
class ChatFact:
    """Something that a person said in a chat.

    Attributes:
        kind: see `FactKind`; `avoid` holds until it is taken back, `not_now` ("no horror tonight") for the
            session.
        value: what it speaks of: a category, maker or title as the catalogue has it, else words as said.
        quote: their words, literally.
        message_id: of the message that the words stand in.
        created: milliseconds since 1970.
        item_id: of the item that it names; empty where it names none.
        id: of the store; 0 before it is kept.
    """

    kind: FactKind
    value: str
    quote: str
    message_id: int
    created: int
    item_id: str = ""
    id: int = 0


@dataclass(frozen=True)
class UserKnowledge:
    """All that is known of a person when something is asked.

    Attributes:
        liked: ids of items, oldest first.
        disliked, seen, hidden: ids of items.
        tastes: what they said at the entrance that they like, in words.
        facts: what they said in chats, oldest first; what was superseded or forgotten is not in it.
        profile: age band, sex and occupation in words; empty unless the service is set to use them.
    """

    liked: Sequence[str] = ()
    disliked: frozenset[str] = frozenset()
    seen: frozenset[str] = frozenset()
    hidden: frozenset[str] = frozenset()
    tastes: Sequence[str] = ()
    facts: Sequence[ChatFact] = ()
    profile: Sequence[str] = ()


@dataclass(frozen=True)
class Claim:
    """Something that is thought of a person's taste.

    Attributes:
        id: a hash of stance, aspect and value: the same claim, found again later, is the same.
        stance: whether they like it or avoid it.
        aspect: `category`, `maker`, `decade`, `word`, or the name of a fact of the catalogue; `taste` for
            what they said themselves, in words.
        value: as the catalogue has it, or as they said it.
        item_ids: the items of theirs that it rests on, the latest first; empty for what they said.
        count, of: so many of so many items of theirs have it.
        lift: how many times as frequent it is among theirs as in the catalogue; 0 for what they said.
        recent: whether it is true of the latest items and was not of those before.
        quote: their words, for what they said.
        text: the claim in a sentence.
        worded_by: who wrote the sentence.
        state: `removed` claims are kept, so that they are not found anew; they count for nothing.
    """

    id: str
    stance: Stance
    aspect: str
    value: str
    item_ids: tuple[str, ...] = ()
    count: int = 0
    of: int = 0
    lift: float = 0.0
    recent: bool = False
    quote: str = ""
    text: str = ""
    worded_by: WordedBy = "template"
    state: ClaimState = "inferred"

    @property
    def counts(self) -> bool:
        """Whether it has a say in what is recommended."""
        return self.state != "removed"

    @cached_property
    def terms(self) -> frozenset[str]:
        """What items are found by for the words of its value; split once, and gone with the claim."""
        return found_by(self.value)


@dataclass(frozen=True)
class Persona:
    """What the service thinks a person likes.

    Attributes:
        claims: the weightiest first; removed ones too.
        portrait: at most three sentences.
        worded_by: who wrote the portrait.
        version: grows with each change.
    """

    claims: tuple[Claim, ...] = ()
    portrait: tuple[str, ...] = field(default=())
    worded_by: WordedBy = "template"
    version: int = 0

    @property
    def active(self) -> tuple[Claim, ...]:
        """The claims that have a say."""
        return tuple(claim for claim in self.claims if claim.counts)
