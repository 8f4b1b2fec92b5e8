"""The tables of `bench.scoring_study`: ranks, under weights chosen on other users, and their figures."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from bench.scoring_variants import ScoredTitles, Variant
from rectune.core.stats.intervals import wilson
from rectune.core.stats.metrics import UserBootstrap, hit_at, ndcg_at, reciprocal_ranks
from rectune.core.stats.significance import difference, holm
from rectune.rankers.base import Scores
from rectune.rankers.eval_cases import EvalCase
from rectune.rankers.fusion import STEPS, best_weight, fused, mean_reciprocal

_ROUNDS, _SEED = 5000, 7


@dataclass(frozen=True)
class Ranked:
    """The target's rank in each test case, and the weights that were chosen."""

    ranks: list[int]
    less: float = 0.0
    weight: float = 1.0


class Evaluation:
    """Ranks of the tests under weights that are chosen on the other cases."""

    def __init__(
        self,
        tests: Sequence[EvalCase],
        tuning: Sequence[EvalCase],
        titles: Mapping[str, ScoredTitles],
        rows: Sequence[Variant],
        beside: Mapping[str, Mapping[str, Scores]],
    ) -> None:
        self._tests, self._tuning, self._beside = tests, tuning, beside
        self._known = {
            (variant, test.case.id): (variant.own(one), variant.subtracted(one))
            for test in (*tuning, *tests)
            for one in [titles[test.case.id]]
            for variant in rows
        }
        self.resampled = UserBootstrap([f"{t.case.domain} {t.case.user}" for t in tests], _ROUNDS, _SEED)

    def alone(self, variant: Variant) -> Ranked:
        """By the variant itself."""
        less = self._less(variant)
        return Ranked(_ranks(self._scores(variant, less, self._tests), self._tests), less)

    def beside(self, variant: Variant, name: str) -> Ranked:
        """Fused with another ranker; what is subtracted is weighed first, as `choose_weights` does it."""
        less = self._less(variant)
        scores = self._scores(variant, less, self._tuning)
        weight = best_weight(
            lambda w: self._fused(scores, name, w, self._tuning), targets_of(self._tuning), 0.5
        )
        return self._under(variant, name, less, weight)

    def together(self, variant: Variant, name: str) -> Ranked:
        """Fused, both weights chosen together."""
        places, found = targets_of(self._tuning), []
        for less in STEPS:
            scores = self._scores(variant, less, self._tuning)
            for w in STEPS:
                gain = mean_reciprocal(self._fused(scores, name, w, self._tuning), places)
                found.append((round(gain, 12), -abs(less - 0.5) - abs(w - 0.5), less, w))
        *_, less, weight = max(found)
        return self._under(variant, name, less, weight)

    def other(self, name: str) -> Ranked:
        """The other ranker by itself."""
        return Ranked(_ranks([self._beside[name][t.case.id] for t in self._tests], self._tests))

    def _under(self, variant: Variant, name: str, less: float, weight: float) -> Ranked:
        scores = self._scores(variant, less, self._tests)
        return Ranked(_ranks(self._fused(scores, name, weight, self._tests), self._tests), less, weight)

    def _less(self, variant: Variant) -> float:
        if not variant.less:
            return 0.0
        return best_weight(lambda w: self._scores(variant, w, self._tuning), targets_of(self._tuning), 0.5)

    def _scores(self, variant: Variant, less: float, cases: Sequence[EvalCase]) -> list[Scores]:
        rows = [self._known[variant, test.case.id] for test in cases]
        return [own - less * subtracted for own, subtracted in rows]

    def _fused(
        self, scores: Sequence[Scores], name: str, weight: float, cases: Sequence[EvalCase]
    ) -> list[Scores]:
        other = [self._beside[name][test.case.id] for test in cases]
        return [fused(one, two, weight) for one, two in zip(scores, other, strict=True)]


def targets_of(cases: Sequence[EvalCase]) -> list[int]:
    """The place of each case's target among its candidates."""
    return [test.case.candidates.index(test.case.target) for test in cases]


def _ranks(scores: Sequence[Scores], cases: Sequence[EvalCase]) -> list[int]:
    places = targets_of(cases)
    return [int(np.count_nonzero(~(row < row[at]))) for row, at in zip(scores, places, strict=True)]


def figures_of(ranks: Sequence[int], resampled: UserBootstrap) -> list[str]:
    """Hit@1, NDCG@10 and MRR, each with its interval."""
    hits = hit_at(ranks, 1)
    shown = [f"{hits.mean():.3f} ({_range(wilson(int(hits.sum()), len(hits)))})"]
    for values in (ndcg_at(ranks, 10), reciprocal_ranks(ranks)):
        shown.append(f"{values.mean():.3f} ({_range(resampled.interval(values))})")
    return shown


def _range(interval: tuple[float, float], sign: str = "") -> str:
    return " to ".join(f"{end:{sign}.3f}" for end in interval)


def _by_domain(ranks: Sequence[int], tests: Sequence[EvalCase]) -> list[str]:
    domains = np.array([test.case.domain for test in tests])
    hits = hit_at(ranks, 1)
    return [f"{hits[domains == domain].mean():.3f}" for domain in sorted(set(domains))]


def alone_table(found: Evaluation, rows: Sequence[Variant], tests: Sequence[EvalCase]) -> str:
    """A row a variant: figures, and the difference from the first variant."""
    domains = sorted({test.case.domain for test in tests})
    head = ["scored by", "less", "weight", "Hit@1", *(domains if len(domains) > 1 else ())]
    head += ["NDCG@10", "MRR", "MRR less the first row's"]
    lines, first = [], found.alone(rows[0])
    for variant in rows:
        one = found.alone(variant)
        hit, *others = figures_of(one.ranks, found.resampled)
        gap = difference(first.ranks, one.ranks, found.resampled)
        change = f"{gap.mrr_difference:+.3f} ({_range(gap.mrr_interval, '+')})"
        apart = _by_domain(one.ranks, tests) if len(domains) > 1 else []
        weight = f"{one.less:.1f}" if variant.less else ""
        lines.append([variant.name, variant.less_name, weight, hit, *apart, *others, change])
    return _table(head, lines)


def beside_table(
    name: str,
    found: Evaluation,
    rows: Sequence[tuple[Variant, Callable[[Variant, str], Ranked], str]],
    tests: Sequence[EvalCase],
) -> str:
    """A row a variant: fused with the ranker, and the difference from the ranker by itself."""
    plain = found.other(name)
    fusions = [(variant, note, make(variant, name)) for variant, make, note in rows]
    gaps = [difference(plain.ranks, one.ranks, found.resampled) for *_, one in fusions]
    corrected = holm([gap.p for gap in gaps])
    domains = sorted({test.case.domain for test in tests})
    head = ["fused with it", "less", "weights", "Hit@1", *(domains if len(domains) > 1 else ())]
    head += ["less plain", "won, lost", "p", "Holm", "NDCG@10", "MRR less plain"]
    hit, ndcg, _ = figures_of(plain.ranks, found.resampled)
    apart = _by_domain(plain.ranks, tests) if len(domains) > 1 else []
    lines = [[f"(plain `{name}`)", "", "", hit, *apart, "", "", "", "", ndcg, ""]]
    for (variant, note, one), gap, p in zip(fusions, gaps, corrected, strict=True):
        hit, ndcg, _ = figures_of(one.ranks, found.resampled)
        apart = _by_domain(one.ranks, tests) if len(domains) > 1 else []
        weights = f"{one.less:.1f}, {one.weight:.1f}" if variant.less else f"{one.weight:.1f}"
        hits = f"{gap.difference:+.3f} ({_range(gap.interval, '+')})"
        gains = f"{gap.mrr_difference:+.3f} ({_range(gap.mrr_interval, '+')})"
        shown = [hit, *apart, hits, f"{gap.won}, {gap.lost}", f"{gap.p:.3f}", f"{p:.3f}", ndcg, gains]
        lines.append([variant.name + note, variant.less_name, weights, *shown])
    return _table(head, lines)


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [head, ["---"] * 2 + ["---:"] * (len(head) - 2), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines) + "\n"
