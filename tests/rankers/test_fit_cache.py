"""What was fitted before is taken only where it was fitted in the same way."""

from __future__ import annotations

from pathlib import Path

import pytest

from rectune.rankers.base import RANKERS
from rectune.rankers.domain_data import DomainData
from rectune.rankers.fit_cache import FitCache, FittedData, all_arguments
from rectune.rankers.popularity import RecentPopularity
from tests.rankers.test_choice import block_items, block_likes


class ThisVersion(RecentPopularity):
    """A ranker."""

    name = "made_up"


class NextVersion(RecentPopularity):
    """The same with another default."""

    name = "made_up"

    def __init__(self, share: float = 0.5) -> None:
        super().__init__(share)


def test_what_was_fitted_with_other_defaults_is_not_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    data = FittedData(DomainData("d", block_items(True), lambda: block_likes()))
    shares = []
    for kind in (ThisVersion, ThisVersion, NextVersion):
        monkeypatch.setitem(RANKERS, "made_up", f"{__name__}:{kind.__name__}")
        cache = FitCache(tmp_path)
        found = cache.ranker("made_up", {}, data)
        assert isinstance(found, RecentPopularity)
        shares.append((found.share, cache.made))
    assert shares == [(0.1, 1), (0.1, 0), (0.5, 1)]


def test_arguments_hold_the_defaults_of_classes_that_hand_them_on():
    assert all_arguments("sasrec_text", {"dim": 8})["dim"] == 8
    assert all_arguments("sasrec_text", {}) == all_arguments("sasrec", {}) | {"items": "id+text"}
