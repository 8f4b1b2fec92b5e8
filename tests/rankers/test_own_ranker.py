"""A ranker of one's own among those that are chosen from: fitted anew each time, held to the catalogue."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar, Self

import numpy as np
import pytest

from rectune.core.errors import UserError
from rectune.core.types import Item
from rectune.rankers.base import Ranker, Scores
from rectune.rankers.best import best_places
from rectune.rankers.choice import ChoiceOptions, choose
from rectune.rankers.domain_data import DomainData, TrainLikes
from rectune.rankers.fit_cache import FitCache, FittedData
from rectune.rankers.stage import choice_in_words

USERS, ITEMS, LIKED = 30, 12, 4


def world() -> DomainData:
    """Thirty users, each of whom likes four of twelve items, one after the other."""
    items = [Item("d", f"i{at}", f"title {at}") for at in range(ITEMS)]
    users, nth = np.divmod(np.arange(USERS * LIKED), LIKED)
    likes = TrainLikes(
        tuple(item.item_id for item in items), users, (users + nth) % ITEMS, np.arange(len(nth))
    )
    return DomainData("d", items, lambda: likes)


class Own(Ranker):
    """Of a class of one's own: writes a file of its own, and counts nothing but the order."""

    fits: ClassVar[list[tuple[str, ...]]] = []
    order: ClassVar[int] = 1

    def fit(self, data: DomainData) -> Self:
        self.item_ids = tuple(data.items)[:: self.order]
        self.fits.append(self.item_ids)
        return self

    def score(self, histories: Sequence[Sequence[str]], candidates: Sequence[Sequence[str]]) -> list[Scores]:
        return [np.arange(len(shown), dtype=np.float64) for shown in candidates]

    def save(self, folder: Path) -> None:
        folder.mkdir(parents=True)
        (folder / "own.txt").write_text("\n".join(self.item_ids))

    @classmethod
    def load(cls, folder: Path) -> Self:
        ranker = cls()
        ranker.item_ids = tuple((folder / "own.txt").read_text().split("\n"))
        return ranker


class Backwards(Own):
    order = -1


class Few(Own):
    def score(self, histories: Sequence[Sequence[str]], candidates: Sequence[Sequence[str]]) -> list[Scores]:
        return [np.zeros(3) for _ in candidates]


class Next(Own):
    """Knows what comes next in `world` if its step is 1."""

    grid = ({}, {"step": 1})

    def __init__(self, step: int = 2) -> None:
        self.step = step

    def score(self, histories: Sequence[Sequence[str]], candidates: Sequence[Sequence[str]]) -> list[Scores]:
        right = [f"i{(int(history[-1][1:]) + self.step) % ITEMS}" if history else "" for history in histories]
        return [
            np.array([float(item == own) for item in shown])
            for own, shown in zip(right, candidates, strict=True)
        ]


@pytest.mark.parametrize(("users", "tuned"), [(29, {}), (30, {"step": 1})])
def test_too_few_held_out_users_tune_nothing(users: int, tuned: dict[str, int]):
    name = f"{__name__}:Next"
    choice = choose(world(), ChoiceOptions((name, "bm25"), users=users)).choice
    assert choice.histories["0"].cases == users and choice.parameters.get(name, {}) == tuned
    assert f"{users} held-out users" in choice_in_words(choice)  # though none has five items of history


def test_a_ranker_of_ones_own_is_fitted_anew_since_its_code_may_have_changed(tmp_path: Path):
    data, name = world(), f"{__name__}:Own"
    names, before = ("popularity", name), len(Own.fits)
    one = choose(data, ChoiceOptions(names, cache=FitCache(tmp_path)))
    between = len(Own.fits)
    again = FitCache(tmp_path)
    two = choose(data, ChoiceOptions(names, cache=again))
    assert len(Own.fits) - between == between - before > 0 and again.reused > 0
    assert list(one.choice.histories) and one.choice == two.choice
    again.write(name, {}, FittedData(data), tmp_path / "copy")
    assert Own.load(tmp_path / "copy").item_ids == tuple(data.items)


@pytest.mark.parametrize(("name", "said"), [("Backwards", "item_ids"), ("Few", "number of scores")])
def test_a_ranker_that_does_not_rank_the_catalogue_is_refused(name: str, said: str):
    with pytest.raises(UserError, match=said):
        choose(world(), ChoiceOptions(("popularity", f"{__name__}:{name}")))


@pytest.mark.parametrize("k", [1, 3, 20])
def test_no_score_is_the_lowest_score(k: int):
    scores = np.array([np.nan, 3.0, np.nan, 5.0, 4.0, *[np.nan] * 15])
    assert best_places(scores, k)[:3].tolist() == [3, 4, 1][:k] and len(best_places(scores, k)) == k
