"""What holds for all requests of a call: how many items, which are allowed, which places go to what."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from numbers import Real
from typing import Any

import numpy as np

from rectune.core.errors import UserError
from rectune.rankers.base import ScoredItem
from rectune.recommender.arguments import check_ids, check_is, check_number, check_whole
from rectune.recommender.tables import id_text

EXPLAIN = "True, False, or a number of items"


@dataclass(frozen=True)
class Reorder:
    """Another order of what was ranked, by what the ranker knows nothing of.

    Attributes:
        pool: so many items are ranked at least, the best first.
        items: gives the ranking in its new order; what it leaves out is not recommended.
    """

    pool: int
    items: Callable[[Sequence[ScoredItem]], Sequence[ScoredItem]]


@dataclass(frozen=True)
class RecommendOptions:
    """What holds for all requests of a call.

    Attributes:
        k: items of an answer, at least 1.
        exclude: ids that are not recommended, besides the history's; numbers are ids as well.
        where: conditions; see `rectune.recommender.selection.allowed_ids`.
        within: the only ids that are ranked; None for the whole catalogue.
        explain: of how many items of an answer reasons are given, the best first.
        explore: the share of the places that goes to unfamiliar items, 0 to 1; see
            `rectune.recommender.placing.placed`.
        at_most, per: so many items of an answer, at most, have the same value of this property: `category`,
            `maker`, `year`, or the name of a fact; 0 and "" limit nothing.
        explain_ranking: whether it is told what each ranker contributed to each item.
        reorder: re-orders each ranking before places are given; not where the model chooses the items.

    Raises:
        UserError: k is below 1, explain below 0, explore no share, at_most or per is given without the other,
            exclude or within is one text, or something is of another type.
    """

    k: int = 5
    exclude: Collection[str] = ()
    where: Mapping[str, Any] = field(default_factory=dict)
    within: Collection[str] | None = None
    explain: int = 5
    explore: float = 0.0
    at_most: int = 0
    per: str = ""
    explain_ranking: bool = False
    reorder: Reorder | None = None

    def __post_init__(self) -> None:
        check_whole("k", self.k)
        check_whole("explain", self.explain, EXPLAIN)
        check_number("explore", self.explore, "a share of the places, from 0 to 1")
        check_whole("at_most", self.at_most)
        check_is("per", self.per, str, "a text: category, maker, year, or the name of a fact")
        check_is("where", self.where, Mapping, 'conditions by name, as {"category": "Crime"}')
        check_is("explain_ranking", self.explain_ranking, (bool, np.bool_), "True or False")
        check_ids("exclude", self.exclude)
        if self.within is not None:
            check_ids("within", self.within)
        if self.k < 1:
            raise UserError(f"k is {self.k}", hint="ask for at least one item")
        if self.explain < 0:
            raise UserError(f"explain is {self.explain}", hint=f"give {EXPLAIN}")
        if not 0 <= self.explore <= 1:
            raise UserError(f"explore is {self.explore:g}", hint="give a share of the places, from 0 to 1")
        if self.at_most < 0 or bool(self.at_most) != bool(self.per):
            raise UserError(
                f"at most {self.at_most} per {self.per or '?'}",
                hint="give both: at most 2 per maker, for instance (or category, year, a fact's name)",
            )

    @property
    def excluded(self) -> frozenset[str]:
        """The ids that are not recommended, as text."""
        return frozenset(id_text(one) if isinstance(one, Real) else str(one) for one in self.exclude)

    @property
    def explored(self) -> int:
        """The places that go to unfamiliar items, rounded; a half is rounded up."""
        return int(self.k * self.explore + 0.5)

    @property
    def ranked(self) -> int | None:
        """How many items are ranked; None for all."""
        return None if self.chooses else max(self.k, self.reorder.pool if self.reorder else 0)

    @property
    def chooses(self) -> bool:
        """Whether the places are given to others than simply the best."""
        return bool(self.explored or self.at_most)


def explained_items(explain: bool | int, k: int) -> int:
    """Of how many items reasons are given: True is all of `k`, False none.

    Raises:
        UserError: it is neither of them, and no whole number.
    """
    if isinstance(explain, (bool, np.bool_)):
        return k if explain else 0
    check_whole("explain", explain, EXPLAIN)
    return explain
