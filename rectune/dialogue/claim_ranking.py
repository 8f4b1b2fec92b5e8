"""How claims change what is recommended, at once: items that meet what is liked rise, what is avoided sinks.

What a person said, wrote or confirmed that they avoid is left out altogether; what was only concluded from
their dislikes sinks. A removed claim counts for nothing.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from rectune.dialogue.knowledge import Claim, Persona
from rectune.dialogue.matching import is_firm, shares_met
from rectune.dialogue.traits import CatalogueTraits
from rectune.rankers.base import ScoredItem, Scores
from rectune.rankers.rerank import fused_scores

WEIGHT = 0.3
"""Of the standardised claims beside the standardised ranking, 0 to 1; how it was chosen stands in
docs/experiments.md (`python -m bench.persona`).
"""

POOL = 200  # items of a ranking that are re-ordered, at least: claims cannot lift what is not in it
_SAID_LIFT = 4.0  # what a person says counts as what is four times as frequent among their likes
_HIGHEST_LIFT = 16.0  # of a rare value: more does not say more


def surely_avoids(claim: Claim) -> bool:
    """Whether a person said, wrote or confirmed that they avoid this: then it is not recommended."""
    return claim.counts and claim.stance == "avoids" and is_firm(claim)


def left_out(persona: Persona, catalogue: CatalogueTraits) -> frozenset[str]:
    """The ids of the items that are not recommended, since a person said that they avoid what these have.

    Of what the catalogue has no value for, those are left out whose text has all of its words.
    """
    found = set[str]()
    every = list(catalogue.items)
    for claim in filter(surely_avoids, persona.claims):
        shares = zip(every, shares_met(claim, catalogue, every), strict=True)
        found |= {item for item, share in shares if share >= 1}
    return frozenset(found)


def claim_ranking(
    ranked: Sequence[ScoredItem], persona: Persona, catalogue: CatalogueTraits, weight: float = WEIGHT
) -> list[ScoredItem]:
    """A ranking for one person, re-ordered by their persona, without what they said that they avoid.

    Args:
        ranked: the best first, `POOL` items or more; their order is kept where the persona says nothing.
        persona: of the person.
        catalogue: the traits of the items.
        weight: of the claims, 0 to 1.

    Returns:
        The items with new scores, standardised over those given, the best first.
    """
    absent = left_out(persona, catalogue)
    return ordered_by_claims([one for one in ranked if one.item_id not in absent], persona, catalogue, weight)


def ordered_by_claims(
    kept: Sequence[ScoredItem], persona: Persona, catalogue: CatalogueTraits, weight: float = WEIGHT
) -> list[ScoredItem]:
    """The same of a ranking that has nothing of `left_out` in it."""
    own = claim_scores(persona, catalogue, [one.item_id for one in kept])
    if not own.any():
        return list(kept)
    fused = fused_scores(np.array([one.score for one in kept], np.float64), own, weight)
    order = np.argsort(-fused, kind="stable")
    return [ScoredItem(kept[at].item_id, float(fused[at])) for at in order]


def claim_scores(persona: Persona, catalogue: CatalogueTraits, item_ids: Sequence[str]) -> Scores:
    """[len(item_ids)] what the persona says for each item, less what it says against it.

    The sum over claims of the logarithm of their lift, as in naive Bayes: of how many times as frequent what
    the item has is among a person's items as in the catalogue.
    """
    scores = np.zeros(len(item_ids), np.float64)
    for claim in persona.active:
        sign = strength(claim) * (1 if claim.stance == "likes" else -1)
        scores += sign * np.array(shares_met(claim, catalogue, item_ids))
    return scores


def strength(claim: Claim) -> float:
    """How much a claim counts: the logarithm, to base 2, of its lift; of what a person said or confirmed at
    least that of a lift of 4.
    """
    least = _SAID_LIFT if claim.quote or claim.state != "inferred" else 1.0
    return math.log2(min(max(claim.lift, least), _HIGHEST_LIFT))


def query_of(persona: Persona) -> str:
    """What a person said that they like, as words to search with; empty where they said nothing.

    With it somebody whose only claims are tastes typed at the entrance is recommended to by the query path.
    """
    said = [one.value for one in persona.active if one.stance == "likes" and one.quote]
    return "; ".join(dict.fromkeys(said))
