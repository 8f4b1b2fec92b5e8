"""Re-ranking a recommender's candidates for a persona: scored, picked, verified, and checked as a set."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from rectune.core.figures.rerank import MeasuredWeight
from rectune.core.types import Item, Locale
from rectune.dialogue.item_judges import ItemJudge, JudgeMode, claim_text
from rectune.dialogue.knowledge import Claim
from rectune.dialogue.matching import avoided_in, claim_matches, is_firm, liked_in
from rectune.prompts.rerank_prompts import check_question, suits_sentence
from rectune.rankers.base import Scores
from rectune.rankers.rerank import STEPS, fused_scores, measured_weight


@dataclass(frozen=True)
class RerankCandidate:
    """An item and its score in the ranking before; only the order and the distances of scores matter."""

    item: Item
    score: float


@dataclass(frozen=True)
class PersonaPick:
    """A recommended item, and what speaks for it.

    Attributes:
        item: what is recommended.
        score: how well it suits the person, 1 to 10; None where nothing is known of the person.
        place_before: its place in the ranking before, from 1.
        claims: the liked claims that it satisfies, by the catalogue.
        against: what it has that the person seems to avoid, though they never said so; then it is picked only
            where nothing else is left.
        fit: how much the claims raise the probability of a yes to "does it suit this person?"; None where
            nobody was asked.
    """

    item: Item
    score: float | None
    place_before: int
    claims: tuple[Claim, ...]
    against: tuple[Claim, ...] = ()
    fit: float | None = None

    @property
    def verified(self) -> bool:
        """Whether it stood the verification, or none was asked for."""
        return self.fit is None or self.fit > 0


@dataclass(frozen=True)
class LeftOut:
    """A candidate that is not recommended, and why.

    Attributes:
        item: the candidate.
        why: `avoided`: it has what the person said that they avoid; `unsuited`: it failed the verification.
        claims: those that it goes against; empty for `unsuited`.
    """

    item: Item
    why: Literal["avoided", "unsuited"]
    claims: tuple[Claim, ...] = ()


@dataclass(frozen=True)
class ClaimCheck:
    """A question about what was picked, answered by the catalogue.

    Attributes:
        claim: of the persona.
        question: in the language of the answer.
        item_ids: the picks that have what the claim speaks of; for what the person said that they avoid there
            are none.
        left_out: ids of candidates that were left out because they go against it; empty for a like.
    """

    claim: Claim
    question: str
    item_ids: tuple[str, ...]
    left_out: tuple[str, ...] = ()


@dataclass(frozen=True)
class PersonaRanking:
    """What is recommended to a person, and how it was checked.

    Attributes:
        mode: who judged.
        picks: the best first; fewer than asked for where too few candidates may be recommended.
        left_out: in the order in which they would have stood.
        checks: a question for each claim that counts.
    """

    mode: JudgeMode
    picks: tuple[PersonaPick, ...]
    left_out: tuple[LeftOut, ...]
    checks: tuple[ClaimCheck, ...]


def rerank(
    claims: Sequence[Claim],
    candidates: Sequence[RerankCandidate],
    n: int,
    judge: ItemJudge,
    weight: float,
    locale: Locale = "en",
) -> PersonaRanking:
    """Pick n of the candidates for a person.

    What has anything that the person said that they avoid is left out, by the catalogue, whoever judges. The
    others are ordered by the scores of the judge, fused with those of the ranking before; behind all of them
    stands what goes against a dislike that was only concluded. From the first on each is asked for whether it
    suits, where the judge does so; what fails is replaced by the next. Where too few stand that, the first of
    those that failed fill the places, and say so (`PersonaPick.verified`).

    Args:
        claims: of the persona, the weightiest first; removed ones have no say.
        candidates: the best first; the first of two with the same id counts.
        n: how many are wanted.
        judge: gives scores and verifies.
        weight: of the judge's standardised scores beside those of the ranking, 0 to 1 (`persona_weight`).
        locale: of the questions.

    Raises:
        UserError: the model of the judge cannot take a prompt.
    """
    every = [claim for claim in claims if claim.counts]
    placed = dict[tuple[str, str], tuple[int, RerankCandidate]]()
    for at, one in enumerate(candidates, 1):
        placed.setdefault((one.item.domain, one.item.item_id), (at, one))
    avoided, able = list[LeftOut](), list[tuple[int, RerankCandidate]]()
    for at, one in placed.values():
        if against := [claim for claim in avoided_in(one.item, every) if is_firm(claim)]:
            avoided.append(LeftOut(one.item, "avoided", tuple(against)))
        else:
            able.append((at, one))
    judged = judge.scores(every, [one.item for _, one in able]) if every and able else None
    picks, unsuited = _picked(every, _ordered(every, able, judged, weight), n, judge)
    checks = claim_checks(every, [one.item for one in picks], avoided, locale)
    return PersonaRanking(judge.mode, tuple(picks), (*avoided, *unsuited), checks)


def claim_checks(
    claims: Sequence[Claim], items: Sequence[Item], left_out: Sequence[LeftOut], locale: Locale
) -> tuple[ClaimCheck, ...]:
    """A question for each claim that counts, answered by the catalogue.

    Args:
        claims: of the persona.
        items: what is recommended.
        left_out: what is not.
        locale: of the questions.
    """
    return tuple(_check(claim, items, left_out, locale) for claim in claims if claim.counts)


def why_it_suits(pick: PersonaPick, locale: Locale) -> str:
    """A sentence on the claims that a pick satisfies, for its reason; empty where there are none.

    It is the `people` of `rectune.recommender.explanation_request.ExplanationRequest`.
    """
    told = [claim_text(claim, locale) for claim in pick.claims]
    return suits_sentence(told, locale) if told else ""


def persona_weight(
    ranking: Sequence[Scores], judged: Sequence[Scores], targets: Sequence[int]
) -> MeasuredWeight:
    """How much a judge's scores count beside a ranking, by NDCG@10 on validation users.

    As for titles: the best weight, if it surely helps users that it was not chosen on, else 0
    (`rectune.rankers.rerank.measured_weight`).

    Args:
        ranking: by user the scores of the candidates in the ranking.
        judged: by user the judge's scores of the same.
        targets: by user the place of what was really taken among the candidates.
    """
    weights = (0.0, *STEPS)
    ranks = [
        [
            int(np.count_nonzero((fused := fused_scores(base, own, weight)) >= fused[target]))
            for base, own, target in zip(ranking, judged, targets, strict=True)
        ]
        for weight in weights
    ]
    return measured_weight([np.array(row, np.int64) for row in ranks], weights)


def _ordered(
    claims: Sequence[Claim],
    able: Sequence[tuple[int, RerankCandidate]],
    judged: Sequence[float] | None,
    weight: float,
) -> list[PersonaPick]:
    """All that may be recommended, the best first."""
    fused = np.array([one.score for _, one in able])
    if judged is not None:
        fused = fused_scores(fused, np.array(judged), weight)
    picks = [
        PersonaPick(
            able[at][1].item,
            None if judged is None else judged[at],
            able[at][0],
            tuple(liked_in(able[at][1].item, claims)),
            tuple(avoided_in(able[at][1].item, claims)),
        )
        for at in np.argsort(-fused, kind="stable")
    ]
    return sorted(picks, key=lambda one: bool(one.against))


def _picked(
    claims: Sequence[Claim], order: Sequence[PersonaPick], n: int, judge: ItemJudge
) -> tuple[list[PersonaPick], list[LeftOut]]:
    """The first n that stand the verification, and what failed before them."""
    stood, failed = list[PersonaPick](), list[PersonaPick]()
    rest = list(order)
    while rest and len(stood) < n:
        some, rest = rest[: n - len(stood)], rest[n - len(stood) :]
        fits = judge.fits(claims, [one.item for one in some]) if claims else None
        for at, one in enumerate(some):
            asked = replace(one, fit=fits[at] if fits else None)
            (stood if asked.verified else failed).append(asked)
    fill = max(0, n - len(stood))
    return [*stood, *failed[:fill]], [LeftOut(one.item, "unsuited") for one in failed[fill:]]


def _check(claim: Claim, items: Sequence[Item], left_out: Sequence[LeftOut], locale: Locale) -> ClaimCheck:
    having = tuple(item.item_id for item in items if claim_matches(claim, item))
    against = tuple(one.item.item_id for one in left_out if claim in one.claims)
    return ClaimCheck(claim, check_question(claim.stance, claim.value, locale), having, against)
