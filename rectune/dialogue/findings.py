"""What a person's items say of their taste: computed, with the items as evidence; no model takes part.

What is more frequent among the items that somebody liked than in the catalogue, they seem to like; among
those that they disliked, to avoid; and what is more frequent among the latest likes than among all of them is
new. Of a person without any taste, anything at all is found with a chance of at most one in twenty
(`rectune.dialogue.enrichment`).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from rectune.core.types import content_id
from rectune.dialogue.enrichment import at_least, explained, significant
from rectune.dialogue.knowledge import Claim, Stance, UserKnowledge
from rectune.dialogue.traits import CatalogueTraits, Trait, aspect_order

MOST = 12  # findings that are given
_ALPHA = 0.05  # the chance that anything is found of a person without a taste
# How it is parted. Words have a share of their own: there are so many that named traits would drown in them.
_SHARES = {"liked": 0.4, "liked words": 0.2, "lately": 0.1, "disliked": 0.2, "disliked words": 0.1}
_SURE = 0.05  # p-value up to which a trait is more frequent among dislikes than among likes
_LATELY, _LATELY_MOST, _PART = 5, 20, 4  # likes that are the latest: a quarter, at least 5 and at most 20

Basis = Literal["liked", "lately", "disliked"]


def claim_id(stance: Stance, aspect: str, value: str) -> str:
    """The id of a claim; see `Claim`."""
    return content_id("claim", stance, aspect, value.casefold())


def trait_of(claim: Claim) -> Trait:
    """The trait that a claim speaks of."""
    return claim.aspect, claim.value.casefold()


@dataclass(frozen=True)
class Evidence:
    """A person's items, as far as the catalogue has them.

    Attributes:
        liked: oldest first, each once.
        disliked: sorted; nobody keeps their order.
    """

    liked: tuple[str, ...]
    disliked: tuple[str, ...]

    @classmethod
    def of(cls, knowledge: UserKnowledge, catalogue: CatalogueTraits) -> Evidence:
        """What they did, and the items that they named in chats; the latest word on an item counts."""
        liked = [one for one in knowledge.liked if one not in knowledge.disliked]
        against = set(knowledge.disliked)
        for fact in knowledge.facts:
            if fact.item_id and fact.kind == "like":
                liked.append(fact.item_id)
                against.discard(fact.item_id)
            elif fact.item_id and fact.kind == "avoid":
                liked = [one for one in liked if one != fact.item_id]
                against.add(fact.item_id)
        latest = dict.fromkeys(one for one in reversed(liked) if one in catalogue.items)
        return cls(tuple(latest)[::-1], tuple(sorted(against & catalogue.items.keys())))

    @property
    def lately(self) -> tuple[str, ...]:
        """The latest likes; none where there are too few to tell them from those before."""
        size = min(max(_LATELY, len(self.liked) // _PART), _LATELY_MOST)
        return self.liked[-size:] if len(self.liked) >= 2 * size else ()

    def sample(self, basis: Basis) -> tuple[str, ...]:
        """The items that a finding rests on."""
        return getattr(self, basis)  # type: ignore[no-any-return]


@dataclass(frozen=True)
class _Finding:
    trait: Trait
    basis: Basis
    p: float

    @property
    def stance(self) -> Stance:
        return "avoids" if self.basis == "disliked" else "likes"


def findings(
    knowledge: UserKnowledge,
    catalogue: CatalogueTraits,
    settled: Collection[tuple[Stance, Trait]] = (),
) -> list[Claim]:
    """What a person seems to like and to avoid, the surest first, without sentences; at most `MOST`.

    Of several findings that say the same, one is given: what is no more frequent than another finding of the
    same stance explains is left out.

    Args:
        knowledge: what they did.
        catalogue: the traits of its items.
        settled: what the person has decided about (kept, edited, removed): it is not given, and neither is
            what is explained by it.
    """
    evidence = Evidence.of(knowledge, catalogue)
    found = [*_liked(evidence, catalogue), *_lately(evidence, catalogue), *_disliked(evidence, catalogue)]
    kept = _merged(sorted(found, key=_order), evidence, catalogue, settled)
    return [_claim(one, evidence, catalogue) for one in kept[:MOST]]


def with_evidence(claim: Claim, evidence: Evidence, catalogue: CatalogueTraits) -> Claim:
    """A claim of the whole history with what it rests on today, whether or not it would be found today."""
    own = evidence.disliked if claim.stance == "avoids" else evidence.liked
    return _counted(replace(claim, recent=False), own, catalogue)


def _liked(evidence: Evidence, catalogue: CatalogueTraits) -> list[_Finding]:
    own, against = evidence.liked, catalogue.count(evidence.disliked)
    found = _frequent(own, catalogue, "liked", "liked")
    mine = catalogue.count(own)
    return [
        one
        for one in found
        if against.get(one.trait, 0) * len(own) < mine[one.trait] * max(len(evidence.disliked), 1)
    ]


def _disliked(evidence: Evidence, catalogue: CatalogueTraits) -> list[_Finding]:
    """What is frequent among dislikes, and more so than among likes: some of what one likes is bad."""
    own, liked = catalogue.count(evidence.disliked), catalogue.count(evidence.liked)
    met = len(evidence.disliked) + len(evidence.liked)

    def surely(trait: Trait) -> bool:
        both = own[trait] + liked.get(trait, 0)
        return trait not in liked or at_least(own[trait], both, met, len(evidence.disliked)) <= _SURE

    found = _frequent(evidence.disliked, catalogue, "disliked", "disliked")
    return [one for one in found if surely(one.trait)]


def _frequent(own: Sequence[str], catalogue: CatalogueTraits, basis: Basis, share: str) -> list[_Finding]:
    """What is more frequent among some items than in the catalogue: named traits, and words."""
    counts = catalogue.count(own)
    found = []
    for words in (False, True):
        alpha = _ALPHA * _SHARES[f"{share} words" if words else share]
        mine = {
            one: (len(catalogue.having(one)), k) for one, k in counts.items() if (one[0] == "word") == words
        }
        family = catalogue.word_sizes if words else catalogue.named_sizes
        p = significant(mine.values(), family, len(catalogue.items), len(own), alpha)
        found += [_Finding(one, basis, p[pair]) for one, pair in mine.items() if pair in p]
    return found


def _lately(evidence: Evidence, catalogue: CatalogueTraits) -> list[_Finding]:
    """What is more frequent among the latest likes than among all of them, and than in the catalogue."""
    if not evidence.lately:
        return []
    sizes, counts = catalogue.count(evidence.liked), catalogue.count(evidence.lately)
    mine = {one: (sizes[one], k) for one, k in counts.items()}
    alpha, of, drawn = _ALPHA * _SHARES["lately"], len(evidence.liked), len(evidence.lately)
    p = significant(mine.values(), list(sizes.values()), of, drawn, alpha)
    rare = drawn / len(catalogue.items)
    return [
        _Finding(one, "lately", p[pair])
        for one, pair in mine.items()
        if pair in p and counts[one] > rare * len(catalogue.having(one))
    ]


def _order(one: _Finding) -> tuple[float, int, Trait, str]:
    return one.p, aspect_order(one.trait[0]), one.trait, one.basis


def _merged(
    ordered: Iterable[_Finding],
    evidence: Evidence,
    catalogue: CatalogueTraits,
    settled: Collection[tuple[Stance, Trait]],
) -> list[_Finding]:
    """One finding of those that say the same: the surest; of two that explain each other, the better name."""
    kept: list[_Finding] = []
    for one in ordered:
        own = frozenset(evidence.sample(one.basis))
        if _is_settled(one, own, catalogue, settled):
            continue
        same = [at for at, other in enumerate(kept) if _explains(other, one, own, catalogue)]
        if not same:
            kept.append(one)
        elif _better(one, other := kept[same[0]], own, catalogue):
            kept[same[0]] = replace(one, p=other.p)
        elif one.trait == other.trait and one.basis == "lately":
            kept[same[0]] = one
    return kept


def _explains(other: _Finding, one: _Finding, own: frozenset[str], catalogue: CatalogueTraits) -> bool:
    if other.stance != one.stance:
        return False
    return other.trait == one.trait or _explained(one.trait, other.trait, own, catalogue)


def _better(one: _Finding, other: _Finding, own: frozenset[str], catalogue: CatalogueTraits) -> bool:
    """Whether it explains the other one too, and names the same more plainly: a category, not a word."""
    plainer = aspect_order(one.trait[0]) < aspect_order(other.trait[0])
    return plainer and _explained(other.trait, one.trait, own, catalogue)


def _explained(trait: Trait, by: Trait, own: frozenset[str], catalogue: CatalogueTraits) -> bool:
    return explained(catalogue.having(trait), catalogue.having(by), own, len(catalogue.items))


def _is_settled(
    one: _Finding,
    own: frozenset[str],
    catalogue: CatalogueTraits,
    settled: Collection[tuple[Stance, Trait]],
) -> bool:
    """Whether the person has decided about it, either way, or about what explains it."""
    for stance, trait in settled:
        if trait == one.trait:
            return True
        if stance == one.stance and catalogue.having(trait) and _explained(one.trait, trait, own, catalogue):
            return True
    return False


def _claim(one: _Finding, evidence: Evidence, catalogue: CatalogueTraits) -> Claim:
    aspect, value = one.trait[0], catalogue.shown[one.trait]
    claim = Claim(
        claim_id(one.stance, aspect, value), one.stance, aspect, value, recent=one.basis == "lately"
    )
    return _counted(claim, evidence.sample(one.basis), catalogue)


def _counted(claim: Claim, own: Sequence[str], catalogue: CatalogueTraits) -> Claim:
    holders = catalogue.having(trait_of(claim))
    ids = tuple(one for one in reversed(own) if one in holders)
    expected = len(own) * len(holders) / max(len(catalogue.items), 1)
    lift = len(ids) / expected if expected else 0.0
    return replace(claim, item_ids=ids, count=len(ids), of=len(own), lift=round(lift, 3))
