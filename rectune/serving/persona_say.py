"""What a user's persona has to say in one request: what does not come, and in which order the rest does."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from rectune.dialogue.claim_ranking import POOL, left_out, ordered_by_claims, query_of
from rectune.dialogue.knowledge import Persona
from rectune.dialogue.traits import CatalogueTraits
from rectune.rankers.base import ScoredItem


@dataclass(frozen=True)
class PersonaSay:
    """What a persona has to say.

    Attributes:
        persona: of the user who asks.
        traits: of the catalogue.
        absent: ids that do not come, since the user said that they avoid what these have.
    """

    persona: Persona
    traits: CatalogueTraits
    absent: frozenset[str]

    @classmethod
    def of(cls, persona: Persona, traits: CatalogueTraits) -> PersonaSay | None:
        """What a persona says in a catalogue; None where it claims nothing."""
        return cls(persona, traits, left_out(persona, traits)) if persona.active else None

    @property
    def query(self) -> str:
        """What the user said that they like, to be searched for where they like no item yet."""
        return query_of(self.persona)

    def reordered(self, ranked: Sequence[ScoredItem]) -> list[ScoredItem]:
        """A ranking without what is `absent`, whose first items are re-ordered by the claims.

        Scores belong to places: the first item has the highest score of the ranking, whichever it is.
        """
        head = ordered_by_claims(ranked[:POOL], self.persona, self.traits)
        return in_places([one.item_id for one in (*head, *ranked[POOL:])], ranked)


def in_places(item_ids: Sequence[str], ranked: Sequence[ScoredItem]) -> list[ScoredItem]:
    """Items in a new order, with the scores that the ranking has at their places."""
    return [ScoredItem(item, one.score) for item, one in zip(item_ids, ranked, strict=False)]
