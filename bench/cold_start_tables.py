"""What the lines of `bench.cold_start` come to: means over draws, intervals, and from how many users on."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from rectune.core.stats.metrics import UserBootstrap, percentiles
from rectune.core.text.tables import Table

BASE = "hybrid"
FIGURES = {"uniform": "Hit@1 of 20, uniform", "popular": "Hit@1 of 20, popular", "ndcg": "NDCG@10"}
WORDS = {"hybrid": "history", "hybrid, sentence": "sentence", "hybrid, both": "both, half each"}
_ROUNDS, _SEED = 5000, 7

Values = NDArray[np.float64]


class Mean(NamedTuple):
    """A mean with its 95 % interval."""

    mean: float
    low: float
    high: float

    def words(self, signed: bool = False) -> str:
        """As `.245 [.201, .290]`."""
        mean, low, high = (_short(value, signed) for value in self)
        return f"{mean} [{low}, {high}]"


@dataclass(frozen=True)
class Curves:
    """What was measured of one dataset.

    Attributes:
        dataset: its name.
        tests: test users.
        values: ranker -> users learnt from -> figure -> [draws, tests].
        likes: users learnt from -> their likes, the mean of the draws.
        chosen: users learnt from -> what validation chose for long histories, of each draw.
        seconds: system -> users learnt from -> processor seconds, the mean of the draws.
    """

    dataset: str
    tests: int
    values: Mapping[str, Mapping[int, Mapping[str, Values]]]
    likes: Mapping[int, float]
    chosen: Mapping[int, Sequence[Mapping[str, float]]]
    seconds: Mapping[str, Mapping[int, float]]

    @classmethod
    def of(cls, dataset: str, lines: Sequence[Mapping[str, Any]]) -> Curves:
        """From the lines of a dataset, in any order."""
        ordered = sorted(lines, key=lambda line: (line["size"], line["draw"]))
        rows: dict[str, dict[int, dict[str, list[list[float]]]]] = {}
        likes: dict[int, dict[int, float]] = {}  # by draw
        seconds: dict[str, dict[int, list[float]]] = {}
        chosen: dict[int, list[Mapping[str, float]]] = {}
        for line in ordered:
            size = line["size"]
            likes.setdefault(size, {})[line["draw"]] = line["likes"]
            seconds.setdefault(line["system"], {}).setdefault(size, []).append(line["seconds"])
            if line["chosen"]:
                chosen.setdefault(size, []).append(line["chosen"])
            for ranker, own in line["figures"].items():
                for figure in FIGURES:
                    place = rows.setdefault(ranker, {}).setdefault(size, {})
                    place.setdefault(figure, []).append(own[figure])
        values = {
            ranker: {
                size: {figure: np.array(some) for figure, some in own.items()}
                for size, own in by_size.items()
            }
            for ranker, by_size in rows.items()
        }
        return cls(
            dataset,
            ordered[0]["tests"] if ordered else 0,
            values,
            {size: float(np.mean(list(some.values()))) for size, some in likes.items()},
            chosen,
            {name: {n: float(np.mean(own)) for n, own in some.items()} for name, some in seconds.items()},
        )

    @cached_property
    def _resampled(self) -> UserBootstrap:
        return UserBootstrap([str(at) for at in range(self.tests)], _ROUNDS, _SEED)

    @property
    def sizes(self) -> list[int]:
        """The numbers of users that were learnt from, without 0."""
        return sorted({size for by_size in self.values.values() for size in by_size if size})

    @property
    def learning(self) -> list[str]:
        """The rankers that learn from likes, in the order of the first line."""
        return [name for name, by_size in self.values.items() if 0 not in by_size]

    def mean(self, ranker: str, size: int, figure: str) -> Mean | None:
        """A figure of a ranker; None where it was not measured. `BASE` is the same for all sizes."""
        found = self._values(ranker, size, figure)
        return None if found is None else self.interval(found)

    def less(self, ranker: str, size: int, figure: str, other: str = BASE) -> Mean | None:
        """The same less that of the other ranker, user by user."""
        found, base = self._values(ranker, size, figure), self._values(other, 0, figure)
        return None if found is None or base is None else self.interval(found - base)

    def from_users(self, ranker: str, figure: str) -> int | None:
        """The fewest users from which on a ranker is surely above `BASE`, at every larger number as well."""
        found = None
        for size in sorted(self.values[ranker], reverse=True):
            less = self.less(ranker, size, figure)
            if less is None or less.low <= 0:
                break
            found = size
        return found

    def below(self, ranker: str, figure: str) -> list[int]:
        """The numbers of users at which it is surely below `BASE`."""
        each = {size: self.less(ranker, size, figure) for size in sorted(self.values[ranker])}
        return [size for size, less in each.items() if less is not None and less.high < 0]

    def interval(self, values: Values) -> Mean:
        """The mean of [draws, tests], and where it lies if users and draws are drawn with replacement."""
        means = np.stack([self._resampled.means(row) for row in values])  # [draws, rounds]
        picked = np.random.default_rng(_SEED).integers(len(values), size=means.shape)
        return Mean(float(values.mean()), *percentiles(np.take_along_axis(means, picked, 0).mean(0)))

    def _values(self, ranker: str, size: int, figure: str) -> Values | None:
        by_size = self.values.get(ranker, {})
        own = by_size.get(0 if 0 in by_size else size)
        return None if own is None else own[figure]


def all_tables(curves: Sequence[Curves]) -> Iterator[Table]:
    """All that is printed."""
    for own in curves:
        for figure in FIGURES:
            yield _figures(own, figure, signed=False)
            yield _figures(own, figure, signed=True)
    yield _thresholds(curves)
    yield _words(curves)
    for own in curves:
        yield _about(own)


def _figures(own: Curves, figure: str, signed: bool) -> Table:
    """A row a ranker, a column a number of users; signed: less `BASE`."""
    rows = []
    for ranker in own.learning if signed or not own.sizes else (BASE, *own.learning):
        sizes = own.sizes if ranker != BASE else own.sizes[:1]
        means = [(own.less if signed else own.mean)(ranker, size, figure) for size in sizes]
        cells = [None if one is None else one.words(signed) for one in means]
        rows.append([ranker, *cells, *["the same"] * (len(own.sizes) - len(cells))])
    title = f"{own.dataset}: {FIGURES[figure]}{f', less {BASE}' if signed else ''}, {own.tests} test users"
    return Table(["ranker", *(f"{size:,} users" for size in own.sizes)], rows, title)


def _thresholds(curves: Sequence[Curves]) -> Table:
    heads, rows = ["ranker"], list[list[str]]()
    for own in curves:
        heads += [f"{own.dataset}, {figure}" for figure in FIGURES.values()]
    for ranker in dict.fromkeys(name for own in curves for name in own.learning):
        cells = [_threshold(own, ranker, figure) for own in curves for figure in FIGURES]
        rows.append([ranker, *cells])
    return Table(heads, rows, f"From how many users on it is surely above {BASE}")


def _threshold(own: Curves, ranker: str, figure: str) -> str:
    if ranker not in own.values:
        return "not run"
    found, most = own.from_users(ranker, figure), max(own.values[ranker])
    return f"not up to {most:,}" if found is None else f"{found:,}"


def _words(curves: Sequence[Curves]) -> Table:
    """`BASE` by what it is told, and the difference of each from the history."""
    rows = []
    for own in curves:
        for ranker, told in WORDS.items():
            means = [own.mean(ranker, 0, figure) for figure in FIGURES]
            lesses = [own.less(ranker, 0, figure) for figure in FIGURES]
            if None in means:
                continue
            cells = [one.words() for one in means if one]
            if ranker != BASE:
                cells = [
                    f"{cell}; {less.words(True)}" for cell, less in zip(cells, lesses, strict=True) if less
                ]
            rows.append([own.dataset, told, *cells])
    return Table(["dataset", "told", *FIGURES.values()], rows, f"{BASE} without users; less the history")


def _about(own: Curves) -> Table:
    """Likes, what was chosen, and seconds, by the number of users."""
    systems = [name for name in own.seconds if name != "words"]
    rows = []
    for size in own.sizes:
        chosen = Counter(_weights(one) for one in own.chosen.get(size, ()))
        each = "; ".join(f"{count} x {words}" if count > 1 else words for words, count in chosen.items())
        spent = [own.seconds[name].get(size) for name in systems]
        cells = [None if one is None else f"{one:.1f}" for one in spent]
        rows.append([f"{size:,}", f"{own.likes[size]:,.0f}", each, *cells])
    heads = ["users", "likes", "chosen for histories of 5 and more", *(f"{name}, s" for name in systems)]
    return Table(heads, rows, f"{own.dataset}: what was learnt from, and processor seconds")


def _weights(chosen: Mapping[str, float]) -> str:
    if len(chosen) == 1:
        return next(iter(chosen))
    return " + ".join(f"{weight:.2g} {name}" for name, weight in chosen.items())


def _short(value: float, signed: bool) -> str:
    words = f"{value:+.3f}" if signed else f"{value:.3f}"
    return words.replace("0.", ".", 1) if abs(value) < 0.9995 else words
