"""Agreement of annotators with each other and with themselves, and their position bias."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from typing import Literal


def alpha(units: Iterable[Sequence[int]], data: Literal["nominal", "ordinal"]) -> float | None:
    """Krippendorff's alpha: 1 is perfect agreement, 0 what chance gives, below 0 systematic disagreement.

    Krippendorff (2011), "Computing Krippendorff's Alpha-Reliability", parts C and D: with o_ck the number of
    pairs of the values c and k within units, each unit of m values weighted 1 / (m - 1), and n_c = sum over k
    of o_ck, alpha = 1 - (n - 1) * sum o_ck d_ck / sum n_c n_k d_ck. The difference d_ck is 1 for nominal
    data; for ordinal data it is (sum of n_g for g from c to k, less (n_c + n_k) / 2) squared.

    Args:
        units: for every unit the values that its judges gave it; units with one value do not count.
        data: what the values are.

    Returns:
        None if it is undefined: no unit was judged twice, or all values are equal.
    """
    pairs: defaultdict[tuple[int, int], float] = defaultdict(float)
    weights: Counter[tuple[int, int, int]] = Counter()  # counted whole, so that no order of adding shows
    for unit in units:
        counts = Counter(unit)
        for c, k in ((c, k) for c in counts for k in counts):
            weights[c, k, len(unit)] += counts[c] * (counts[k] - (c == k))
    for (c, k, judges), number in sorted(weights.items()):
        if judges > 1:
            pairs[c, k] += number / (judges - 1)
    values = sorted({c for c, _ in pairs})
    totals = {c: sum(pairs[c, k] for k in values) for c in values}
    expected = sum(totals[c] * totals[k] * _difference(c, k, totals, data) for c in values for k in values)
    if not expected:
        return None
    observed = sum(pairs[c, k] * _difference(c, k, totals, data) for c in values for k in values)
    return 1 - (sum(totals.values()) - 1) * observed / expected


def uniform_p(counts: Sequence[int]) -> float:
    """Pearson's chi-square test: the probability of counts at least as uneven by chance.

    Args:
        counts: of at least two places, not all 0.
    """
    expected = sum(counts) / len(counts)
    return chi_square_tail(sum((count - expected) ** 2 / expected for count in counts), len(counts) - 1)


def chi_square_tail(x: float, freedom: int) -> float:
    """The probability that chi-square with `freedom` >= 1 degrees exceeds `x` >= 0.

    The closed forms of the upper incomplete gamma function at whole and half arguments (Abramowitz and Stegun
    26.4.4 and 26.4.5).
    """
    half, start = x / 2, (freedom % 2) / 2
    terms = (half ** (j + start) / math.gamma(j + start + 1) for j in range(freedom // 2))
    tail: float = (math.erfc(math.sqrt(half)) if start else 0.0) + math.exp(-half) * sum(terms)
    return min(tail, 1.0)


def _difference(c: int, k: int, totals: dict[int, float], data: str) -> float:
    if c == k or data == "nominal":
        return float(c != k)
    between = sum(count for value, count in totals.items() if min(c, k) <= value <= max(c, k))
    gap: float = between - (totals[c] + totals[k]) / 2
    return gap * gap
