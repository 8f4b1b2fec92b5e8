"""The likes that `bench.persona` fits rankers on."""

from __future__ import annotations

import numpy as np

from bench.persona import Person, likes_of
from rectune.core.types import Item

ITEMS = [Item("movies", one, one) for one in ("a", "b", "c")]


def test_likes_have_their_times_and_places_in_histories_where_none_are_known():
    early, late = Person(("a", "b"), frozenset(), (10, 20)), Person(("c",), frozenset(), (900,))
    found = likes_of(ITEMS, [early, late])
    assert found.times is not None and found.times.tolist() == [10, 20, 900]
    assert (found.users.tolist(), found.items.tolist()) == ([0, 0, 1], [0, 1, 2])
    unknown = likes_of(ITEMS, [Person(("b", "c"), frozenset())])
    assert unknown.times is not None and np.array_equal(unknown.times, [0, 1])
