"""An answer is checked against the persona: judged, what is avoided left out, a question for each claim."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from rectune.core.errors import UserError
from rectune.core.types import Item, Locale
from rectune.dialogue.item_judges import ClaimJudge, ItemJudge, JudgeMode, claim_text
from rectune.dialogue.reranking import LeftOut, PersonaRanking, RerankCandidate, claim_checks, rerank
from rectune.rankers.base import ScoredItem
from rectune.serving.answers import AnswerCheck
from rectune.serving.persona_say import PersonaSay, in_places

WEIGHT = 0.0
"""Of a judge's scores beside the ranking. No judge was measured to help (docs/experiments.md), so the order
of the ranking stays; what fails the model's verification is replaced all the same.
"""

_CANDIDATES = 20  # that are judged, at least


@dataclass
class PersonaCheck:
    """Checks one answer.

    Attributes:
        say: what the persona says.
        items: the catalogue, by id.
        n: how many items are wanted.
        locale: of the questions.
        judge: gives who judges, when it is asked for.
        reorders: whether the claims re-order the ranking before; not where words were searched for.
        mode: who has judged.
        avoided: what was left out.
    """

    say: PersonaSay
    items: Mapping[str, Item]
    n: int
    locale: Locale
    judge: Callable[[], ItemJudge]
    reorders: bool
    mode: JudgeMode | None = None
    avoided: list[LeftOut] = field(default_factory=list)

    def reordered(self, ranked: Sequence[ScoredItem]) -> list[ScoredItem]:
        """The ranking with what is picked in front, without what the user said that they avoid."""
        base = self.say.reordered(ranked) if self.reorders else list(ranked)
        found = self._judged(self._candidates(base, ranked))
        self.mode = found.mode
        self.avoided += [one for one in found.left_out if one.why == "avoided"]
        picked = [one.item.item_id for one in found.picks]
        gone = {*picked, *self.say.absent, *(one.item.item_id for one in found.left_out)}
        return in_places([*picked, *(one.item_id for one in base if one.item_id not in gone)], ranked)

    def checks(self, shown: Sequence[str]) -> tuple[AnswerCheck, ...]:
        """A question for each claim about the items that are shown."""
        items, locale = [self.items[item] for item in shown], self.locale
        return tuple(
            AnswerCheck(
                one.claim.id, one.claim.stance, claim_text(one.claim, locale), one.question,
                one.item_ids, tuple(dict.fromkeys(one.left_out)),
            )
            for one in claim_checks(self.say.persona.active, items, self.avoided, locale)
        )  # fmt: skip

    def _candidates(self, base: Sequence[ScoredItem], ranked: Sequence[ScoredItem]) -> list[RerankCandidate]:
        """The first of the new order, and what would have stood among them and is avoided."""
        first = base[: max(_CANDIDATES, 2 * self.n)]
        avoided = [one for one in ranked[: len(first)] if one.item_id in self.say.absent]
        there = {one.item_id for one in first}
        both = [*first, *(one for one in avoided if one.item_id not in there)]
        return [RerankCandidate(self.items[one.item_id], one.score) for one in both]

    def _judged(self, candidates: Sequence[RerankCandidate]) -> PersonaRanking:
        claims = self.say.persona.active
        try:
            return rerank(claims, candidates, self.n, self.judge(), WEIGHT, self.locale)
        except UserError:  # a prompt is longer than the model can read
            return rerank(claims, candidates, self.n, ClaimJudge(), WEIGHT, self.locale)
