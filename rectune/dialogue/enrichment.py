"""Which traits are more frequent among some items than chance explains; exact tests, which hold for few.

Somebody whose likes are drawn at random from a catalogue of N items, of which K have a trait, likes so many
of these as the hypergeometric distribution says (Fisher 1935, "The Design of Experiments"). A catalogue has
thousands of traits, so that the smallest of p-values would be found of anybody. They are corrected by
Tarone's way (1990, "A modified Bonferroni method for discrete data", Biometrics 46): traits that could not be
significant whatever a person likes, since too few items have them, take no part in the correction.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

import numpy as np
from numpy.typing import NDArray

LEAST = 3  # items of a person's that a finding rests on, whatever its p-value
_MERGED = 0.01  # p-value, above which a trait is explained by another one


def at_least(found: int, having: int, of: int, drawn: int) -> float:
    """The chance that of `drawn` items, drawn from `of` of which `having` have a trait, `found` have it."""
    from scipy.stats import hypergeom

    return float(hypergeom.sf(found - 1, of, having, drawn))


def significant(
    found: Collection[tuple[int, int]], having: Sequence[int], of: int, drawn: int, alpha: float
) -> dict[tuple[int, int], float]:
    """Which counts are higher than chance explains, with their p-values.

    Of somebody whose items are drawn at random, any count at all is named with a chance of at most `alpha`.

    Args:
        found: (K, k): how many items have a trait, and how many of the person's; k under `LEAST` is never
            named.
        having: K of every trait of the family, found or not.
        of: items of the catalogue, N.
        drawn: items of the person, n.
        alpha: of the whole family.

    Returns:
        (K, k) -> p-value.
    """
    from scipy.stats import hypergeom

    able = np.asarray([one for one in having if min(one, drawn) >= LEAST], np.int64)
    if not len(able) or drawn > of:
        return {}
    sizes, each = np.unique(able, return_counts=True)
    lowest = hypergeom.sf(np.minimum(sizes, drawn) - 1, of, sizes, drawn)
    tests = _tests(np.repeat(lowest, each), alpha)
    pairs = sorted({pair for pair in found if pair[1] >= LEAST})
    if not pairs:
        return {}
    wanted = np.asarray(pairs, np.int64)
    p = hypergeom.sf(wanted[:, 1] - 1, of, wanted[:, 0], drawn)
    return {pair: float(one) for pair, one in zip(pairs, p, strict=True) if one <= alpha / tests}


def _tests(lowest: NDArray[np.float64], alpha: float) -> int:
    """By how many tests alpha is parted: the fewest m of which at most m can reach alpha / m."""
    tests = np.arange(1, len(lowest) + 1)
    able = np.searchsorted(np.sort(lowest), alpha / tests, side="right")
    return int(tests[np.argmax(able <= tests)])


def explained(trait: frozenset[str], by: frozenset[str], own: frozenset[str], of: int) -> bool:
    """Whether a trait is as frequent among a person's items as another trait of these lets one expect.

    The exact conditional test: within the items that have the other trait, and within those that have not,
    items are drawn at random, as many as the person's are (Mantel and Haenszel 1959; the exact distribution
    is the convolution of both).

    Args:
        trait: the ids of the items that have it.
        by: the ids of the items that have the other one.
        own: the person's items.
        of: items of the catalogue.
    """
    from scipy.stats import hypergeom

    mine = len(own & by)
    both = len(trait & by)
    inside = hypergeom.pmf(np.arange(min(both, mine) + 1), len(by), both, mine)
    rest = len(trait) - both
    outside = hypergeom.pmf(np.arange(min(rest, len(own) - mine) + 1), of - len(by), rest, len(own) - mine)
    tail = np.convolve(inside, outside)[len(own & trait) :].sum()
    return bool(tail > _MERGED)
