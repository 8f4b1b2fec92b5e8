"""Which candidates a test user's next item is ranked among: the protocols.

* `own`: the candidates that the data stage drew for the case.
* `uniform`, `popularity`: as many others drawn here, several times, among the items of the target's category
  that the user never met; each alike, or in proportion to how many train users liked it.
* `full`: every item of the domain that the user never met.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from rectune.core.rng import generator_of
from rectune.core.settings import EvaluateConfig
from rectune.core.tables import read_table
from rectune.rankers.domain_data import TrainLikes
from rectune.rankers.eval_cases import EvalCase

OWN, FULL = "own", "full"


@dataclass(frozen=True)
class RankingTask:
    """One case and the candidates that it is ranked among; `draw` counts from 0."""

    test: EvalCase
    protocol: str
    draw: int
    candidates: tuple[str, ...]

    @property
    def user(self) -> str:
        """Whose case it is."""
        return f"{self.test.case.domain}/{self.test.case.user}"


def own_tasks(cases: Sequence[EvalCase]) -> list[RankingTask]:
    """The cases with their own candidates."""
    return [RankingTask(test, OWN, 0, test.case.candidates) for test in cases]


def order_tasks(cases: Sequence[EvalCase], draws: int, seed: int) -> list[RankingTask]:
    """The cases with their own candidates in several orders; the first is the case's own."""
    tasks = own_tasks(cases)
    for draw in range(1, draws):
        for test in cases:
            order = generator_of("trials", "order", seed, draw, test.case.id).permutation(
                len(test.case.candidates)
            )
            tasks.append(RankingTask(test, OWN, draw, tuple(test.case.candidates[at] for at in order)))
    return tasks


class CandidateSampler:
    """What may stand beside a target.

    Args:
        data: the folder with items.parquet, users.parquet and interactions.parquet.
        cases: the test cases.
        likes: what train users of a domain liked.
    """

    def __init__(self, data: Path, cases: Sequence[EvalCase], likes: Callable[[str], TrainLikes]) -> None:
        self._likes = likes
        self._met = seen_items(data, cases)
        items = read_table(data / "items.parquet").select("domain", "item_id", "category")
        self._items: dict[str, list[tuple[str, str]]] = {}
        for domain, item_id, category in items.iter_rows():
            self._items.setdefault(domain, []).append((item_id, category or ""))

    def interactions(self, test: EvalCase) -> int:
        """How many items the case's user met in its domain."""
        return len(self._met[test.case.domain, test.case.user])

    def full(self, test: EvalCase) -> RankingTask:
        """Every item of the domain that the user never met, and the target."""
        met = self._left_out(test)
        items = tuple(item for item, _ in self._items[test.case.domain] if item not in met)
        return RankingTask(test, FULL, 0, items)

    def drawn(self, test: EvalCase, protocol: str, draw: int, seed: int) -> RankingTask:
        """The target among as many others as the case has, drawn by the protocol."""
        case, met = test.case, self._left_out(test)
        pool = [
            item
            for item, category in self._items[case.domain]
            if item not in met and item != case.target and category in ("", case.category or category)
        ]
        rng = generator_of("trials", protocol, seed, draw, case.id)
        wanted = min(len(case.candidates) - 1, len(pool))
        chosen = [pool[at] for at in _draw(self._weights(case.domain, pool, protocol), wanted, rng)]
        chosen.insert(int(rng.integers(len(chosen) + 1)), case.target)
        return RankingTask(test, protocol, draw, tuple(chosen))

    def _left_out(self, test: EvalCase) -> set[str]:
        return self._met[test.case.domain, test.case.user] - {test.case.target}

    def _weights(self, domain: str, pool: Sequence[str], protocol: str) -> NDArray[np.float64]:
        if protocol == "uniform":
            return np.ones(len(pool))
        likes = self._likes(domain)
        return np.array([likes.counts[likes.place[item]] for item in pool], np.float64)


def further_tasks(
    cases: Sequence[EvalCase], pools: CandidateSampler, config: EvaluateConfig
) -> Iterator[list[RankingTask]]:
    """The trials of `evaluate.protocols`, a protocol and draw at a time; those of `full` in small groups."""
    for protocol in config.protocols:
        if protocol == FULL:
            for start in range(0, len(cases), 32):
                yield [pools.full(test) for test in cases[start : start + 32]]
        else:
            for draw in range(config.num_candidate_draws):
                yield [pools.drawn(test, protocol, draw, config.seed) for test in cases]


def seen_items(data: Path, cases: Iterable[EvalCase]) -> dict[tuple[str, str], set[str]]:
    """(domain, user) of each case -> the items of its domain that the user ever met, target and history among
    them.
    """
    import polars as pl

    met = {(t.case.domain, t.case.user): {*t.case.history, t.case.target} for t in cases}
    asked = pl.DataFrame(sorted(met), {"domain": pl.String(), "user_id": pl.String()}, orient="row")
    users = read_table(data / "users.parquet").select("domain", "user", "user_id")
    items = pl.scan_parquet(data / "items.parquet").select("domain", "item", "item_id")
    rows = (
        pl.scan_parquet(data / "interactions.parquet")
        .select("domain", "user", "item")
        .join(users.join(asked, on=["domain", "user_id"]).lazy(), on=["domain", "user"])
        .unique()
        .join(items, on=["domain", "item"])
        .collect(engine="streaming")
    )
    for domain, user, item in rows.select("domain", "user_id", "item_id").iter_rows():
        met[domain, user].add(item)
    return met


def _draw(weights: NDArray[np.float64], wanted: int, rng: np.random.Generator) -> list[int]:
    """`wanted` places without replacement, by weight (Efraimidis and Spirakis 2006); those of weight 0 come
    last.
    """
    chances = rng.random(len(weights))
    keys = np.where(weights > 0, np.log(chances) / np.maximum(weights, 1e-300), -np.inf)
    order = np.lexsort((chances, keys))[::-1]
    return [int(at) for at in order[:wanted]]
