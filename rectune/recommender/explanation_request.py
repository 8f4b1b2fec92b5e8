"""What an explanation is asked for with: an item, and the history or the query that it should fit."""

from __future__ import annotations

from dataclasses import dataclass, replace

from rectune.core.types import Item, Locale, without_opinions
from rectune.prompts.locale_words import one_line
from rectune.prompts.teacher_prompts import rationale_opening


@dataclass(frozen=True, slots=True)
class ExplanationRequest:
    """The input of an explanation: an item, and the history or the query that it should fit.

    `evidence` is the chunk of the item that was found; the prompt has it instead of the whole description.
    `people` is a sentence on people who liked it with an item of the history, which a template sentence has
    where the catalogue shows nothing in common. `history` has the ids of the whole history that the catalogue
    has, oldest first, for a ranker that writes with vectors (`rectune.rankers.reason_writer`).
    """

    item: Item
    liked: tuple[Item, ...]
    query: str
    locale: Locale
    evidence: str = ""
    people: str = ""
    history: tuple[str, ...] = ()

    @property
    def shown(self) -> Item:
        """The item as shown to the model."""
        evidence = without_opinions(self.evidence)  # which are shown as such
        return replace(self.item, description=evidence) if evidence else self.item

    @property
    def opening(self) -> str:
        """The first words of the answer, which are given to the model."""
        liked = [one_line(item.title) for item in self.liked]
        return rationale_opening(liked, self.query, self.locale, 0)
