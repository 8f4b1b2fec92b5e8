"""The tables of `bench.scoring_study`, in Markdown."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from bench.scoring_evaluation import FOLDS, Chosen, Evaluation, Ranked, Ranks
from bench.scoring_variants import Variant
from rectune.core.stats.intervals import wilson
from rectune.core.stats.metrics import UserBootstrap, hit_at, ndcg_at, reciprocal_ranks
from rectune.core.stats.significance import difference, holm

Row = tuple[Variant, Chosen]


def alone_table(found: Evaluation, rankers: Sequence[str], variants: Sequence[Variant]) -> str:
    """Figures of rankers and variants by themselves; each variant less the first one."""
    domains = sorted({test.case.domain for test in found.tests})
    apart = domains if len(domains) > 1 else []
    head = ["scored by", "less", "Hit@1", *apart, "NDCG@10", "MRR", f"MRR less that of `{variants[0].name}`"]
    lines = [[f"`{name}`", "", *_figures(found.plain(name).ranks, found, apart), ""] for name in rankers]
    first = found.alone(variants[0])
    for variant in variants:
        one = found.alone(variant)
        less = f"{one.less:.1f} × {variant.less_name}" if one.less is not None else ""
        gain = _signed(reciprocal_ranks(one.ranks) - reciprocal_ranks(first.ranks), found.resampled)
        lines.append([variant.name, less, *_figures(one.ranks, found, apart), gain])
    return _table(head, lines)


def beside_table(name: str, found: Evaluation, rows: Sequence[Row]) -> str:
    """Variants fused with a ranker, less that ranker.

    McNemar's p is corrected over the table's rows; so is the mark of bold type (see `_column`).
    """
    plain, domains = found.plain(name), sorted({test.case.domain for test in found.tests})
    apart = domains if len(domains) > 1 else []
    head = ["fused with it", "weights", "Hit@1", *apart, "NDCG@10", "MRR"]
    head += ["Hit@1 less plain", "p (Holm)", "MRR less plain", f"the same, {FOLDS} folds"]
    fusions = [found.fused(variant, name, chosen) for variant, chosen in rows]
    gaps = [difference(plain.ranks.tolist(), one.ranks.tolist(), found.resampled) for one in fusions]
    folds = _column([_gain(found.cross_fitted(variant, name, c), plain) for variant, c in rows], found)
    lines = [[f"(plain `{name}`)", "", *_figures(plain.ranks, found, apart), "", "", "", ""]]
    corrected = holm([gap.p for gap in gaps])
    for row, one, gap, p, fold in zip(rows, fusions, gaps, corrected, folds, strict=True):
        hits = hit_at(one.ranks, 1) - hit_at(plain.ranks, 1)
        tested = [_signed(hits, found.resampled), f"{gap.p:.3f} ({p:.3f})"]
        tested += [_signed(_gain(one, plain), found.resampled), fold]
        lines.append([_title(*row), _weights(one), *_figures(one.ranks, found, apart), *tested])
    return _table(head, lines)


def against_table(names: Sequence[str], found: Evaluation, rows: Sequence[Row], reference: Variant) -> str:
    """MRR of each variant beside each ranker less that of one variant beside it, folds in both."""
    columns = []
    for name in names:
        base = found.cross_fitted(reference, name)
        gains = [_gain(found.cross_fitted(variant, name, chosen), base) for variant, chosen in rows]
        columns.append(_column(gains, found))
    lines = [[_title(*row), *shown] for row, *shown in zip(rows, *columns, strict=True)]
    return _table(["fused", *(f"beside `{name}`" for name in names)], lines)


def _gain(one: Ranked, other: Ranked) -> NDArray[np.float64]:
    return np.asarray(reciprocal_ranks(one.ranks) - reciprocal_ranks(other.ranks), np.float64)


def _column(gains: Sequence[NDArray[np.float64]], found: Evaluation) -> list[str]:
    """Mean differences; bold where p, corrected over all of these (Holm), is below 0.05.

    p is that of a normal mean, two-sided: every user has one case.
    """
    scaled = [abs(each.mean()) / (each.std() / math.sqrt(len(each)) or 1.0) for each in gains]
    corrected = holm([math.erfc(z / math.sqrt(2)) for z in scaled])
    shown = [_signed(each, found.resampled) for each in gains]
    return [f"**{text}**" if p < 0.05 else text for text, p in zip(shown, corrected, strict=True)]


def _title(variant: Variant, chosen: Chosen) -> str:
    less = f" less {variant.less_name}" if variant.less else ""
    return f"{variant.name}{less}{', both weights together' if chosen == 'together' else ''}"


def _weights(one: Ranked) -> str:
    return f"{one.weight:.1f}" if one.less is None else f"{one.weight:.1f}, less {one.less:.1f}"


def _figures(ranks: Ranks, found: Evaluation, domains: Sequence[str]) -> list[str]:
    """Hit@1, that of each domain, NDCG@10 and MRR."""
    hits, own = hit_at(ranks, 1), np.array([test.case.domain for test in found.tests])
    shown = [f"{hits.mean():.3f} ({_range(wilson(int(hits.sum()), len(hits)))})"]
    shown += [f"{hits[own == domain].mean():.3f}" for domain in domains]
    for values in (ndcg_at(ranks, 10), reciprocal_ranks(ranks)):
        shown.append(f"{values.mean():.3f} ({_range(found.resampled.interval(values))})")
    return shown


def _signed(values: ArrayLike, resampled: UserBootstrap) -> str:
    plain = np.asarray(values, np.float64)
    return f"{plain.mean():+.3f} ({_range(resampled.interval(plain), '+')})"


def _range(interval: tuple[float, float], sign: str = "") -> str:
    return " to ".join(f"{end:{sign}.3f}" for end in interval)


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [head, ["---"] + ["---:"] * (len(head) - 1), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines) + "\n"
