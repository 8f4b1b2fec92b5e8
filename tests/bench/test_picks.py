"""What visitors of `bench.picks` find: lists hold nothing that they met but what is to be found."""

from __future__ import annotations

import numpy as np
import pytest

from bench.picks import Domain, Visitor, gains
from rectune.core.types import Item
from rectune.rankers.base import fit_ranker
from rectune.rankers.domain_data import DomainData, TrainLikes

ITEMS = [f"i{at:02}" for at in range(13)]


def test_what_was_met_and_not_ticked_takes_no_place_in_the_list():
    # The smaller the number, the more people like it: i00 is ticked, i01 to i10 were met, i11 is looked for.
    counts = np.arange(len(ITEMS), 0, -1)
    items = np.repeat(np.arange(len(ITEMS)), counts)
    users = np.concatenate([np.arange(count) for count in counts])
    likes = TrainLikes(tuple(ITEMS), users, items)
    catalogue = [Item("movies", one, one) for one in ITEMS]
    met, ticks = frozenset(ITEMS[:11]), {"i00": True, "i01": False}
    some = [Visitor(name, ticks, frozenset(["i11"]), met) for name in ("ticked", "ticked no like")]
    domain = Domain("movies", catalogue, likes, some)
    ranker = fit_ranker("popularity", DomainData("movies", catalogue, lambda: likes))
    found = gains(domain, ranker, [["i00"], ["i01"]])
    assert found == pytest.approx([1.0, 1.0])  # first, by the ranker and by what is popular
