"""Does a tuned embedder forget? How well vectors find the next like of held-out users, in every domain.

Tuning an embedder on one domain lifts it there and may spoil it elsewhere. So the tuned model is measured
beside the untuned one on users whom it was not tuned on, in all domains of a recipe, and mixed with the
untuned one until nothing is surely lost.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rectune.core.rng import generator_of
from rectune.core.stats.metrics import UserBootstrap, ndcg_at
from rectune.rankers.baselines import LAST_ITEMS
from rectune.rankers.domain_data import DomainData
from rectune.rankers.holdout import HeldOutUser, target_ranks
from rectune.retrieval.embedding import Vectors

SHARES = (1.0, 0.75, 0.5, 0.25)  # of the tuned model in the mixture, in the order in which they are tried
_FEWEST = 10  # users of a domain, below which it is not guarded
_ITEMS = 2_000  # of a domain that are ranked: those of the users, and others drawn
_ROUNDS = 2_000

Embed = Callable[[Sequence[str]], Vectors]


@dataclass(frozen=True)
class GuardedDomain:
    """What the guard ranks in one domain.

    Attributes:
        domain: its name.
        texts: [items] of the items that are ranked.
        histories: [users] places in `texts` of each user's last ten items.
        targets: [users] the place of what each user liked next.
    """

    domain: str
    texts: tuple[str, ...]
    histories: tuple[tuple[int, ...], ...]
    targets: tuple[int, ...]

    @classmethod
    def of(cls, data: DomainData, users: Sequence[HeldOutUser], seed: int) -> GuardedDomain:
        """The held-out users of a domain, their items, and others that are drawn, 2,000 items if there are.

        Args:
            data: of the domain.
            users: with a history each.
            seed: of the items that are drawn.
        """
        needed = dict.fromkeys(item for user in users for item in (*user.history[-LAST_ITEMS:], user.target))
        others = [item for item in data.items if item not in needed]
        rng = generator_of("embedder guard", seed, data.domain)
        more = rng.permutation(len(others))[: max(_ITEMS - len(needed), 0)]
        shown = [*needed, *(others[at] for at in sorted(more))]
        place = {item: at for at, item in enumerate(shown)}
        return cls(
            data.domain,
            tuple(map(data.full_text, shown)),
            tuple(tuple(place[item] for item in user.history[-LAST_ITEMS:]) for user in users),
            tuple(place[user.target] for user in users),
        )

    def gains(self, vectors: Vectors) -> NDArray[np.float64]:
        """[users] NDCG over the whole list of what came next, by cosine to the nearest of the last ten items.

        Args:
            vectors: [items, d] unit rows of `texts`.
        """
        scores = np.array([(vectors[list(history)] @ vectors.T).max(axis=0) for history in self.histories])
        ranks = target_ranks(scores.astype(np.float64), self.targets, self.histories)
        return ndcg_at(ranks, len(self.texts))


@dataclass(frozen=True)
class DomainChange:
    """A domain before and after tuning: mean NDCG of so many users, and the difference's 95 % interval."""

    before: float
    after: float
    low: float
    high: float
    users: int

    @property
    def gains(self) -> bool:
        """Whether it surely gains."""
        return self.low > 0

    @property
    def loses(self) -> bool:
        """Whether it surely loses."""
        return self.high < 0


@dataclass(frozen=True)
class MixtureTrial:
    """A share of the tuned model, and what it does to each domain that has enough users to tell."""

    share: float
    changes: Mapping[str, DomainChange]

    def passes(self, tuned: Sequence[str]) -> bool:
        """Whether a domain that it was tuned on surely gains, and none at all surely loses."""
        gains = any(self.changes[domain].gains for domain in tuned if domain in self.changes)
        return gains and not any(one.loses for one in self.changes.values())


def try_mixtures(
    domains: Sequence[GuardedDomain],
    tuned: Sequence[str],
    before: Embed,
    after: Callable[[float], Embed],
    seed: int,
) -> list[MixtureTrial]:
    """Mixtures with ever less of the tuned model, up to the first that passes; the last may pass or not.

    Args:
        domains: all that are guarded; those of fewer than ten users tell nothing and are left out.
        tuned: the names of those that the embedder was tuned on.
        before: the untuned embedder.
        after: share -> the embedder of which so much is tuned.
        seed: of the bootstrap.
    """
    told = [one for one in domains if len(one.targets) >= _FEWEST]
    untuned = {one.domain: one.gains(before(one.texts)) for one in told}
    found: list[MixtureTrial] = []
    for share in SHARES:
        embed = after(share)
        changes = {
            one.domain: _change(untuned[one.domain], one.gains(embed(one.texts)), seed) for one in told
        }
        found.append(MixtureTrial(share, changes))
        if found[-1].passes(tuned):
            break
    return found


def _change(before: NDArray[np.float64], after: NDArray[np.float64], seed: int) -> DomainChange:
    difference = after - before
    low, high = UserBootstrap([str(at) for at in range(len(before))], _ROUNDS, seed).interval(difference)
    return DomainChange(float(before.mean()), float(after.mean()), low, high, len(before))
