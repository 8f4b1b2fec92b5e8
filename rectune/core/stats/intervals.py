"""Intervals of 95 %, in closed form."""

from __future__ import annotations

import math

from rectune.core.figures.record import ShareInterval

Z = 1.959964  # the normal distribution's 0.975 quantile
POWER_Z = 0.841621  # its 0.8 quantile


def wilson(successes: float, trials: int) -> tuple[float, float]:
    """The score interval of a share (Wilson 1927), which stays within 0 and 1 and holds for few trials.

    (p + z²/2n ± z sqrt(p(1-p)/n + z²/4n²)) / (1 + z²/n), with p = successes/n.

    Args:
        successes: halves may be among them.
        trials: n; of none, the share may be anything from 0 to 1.
    """
    if trials < 1:
        return 0.0, 1.0
    share, z2 = successes / trials, Z * Z
    middle = share + z2 / (2 * trials)
    spread = Z * math.sqrt(share * (1 - share) / trials + z2 / (4 * trials * trials))
    low, high = (middle - spread) / (1 + z2 / trials), (middle + spread) / (1 + z2 / trials)
    # At the ends the formula gives exactly 0 and 1; rounding must not step over them.
    return (0.0 if successes == 0 else low), (1.0 if successes == trials else high)


def share_of(successes: float, trials: int) -> ShareInterval:
    """A share with its interval; of no trials, there is no share.

    Args:
        successes: halves may be among them.
        trials: n.
    """
    low, high = wilson(successes, trials)
    return ShareInterval(share=successes / trials if trials else None, low=low, high=high, n=trials)


def difference_of_shares(
    first: tuple[float, int], second: tuple[float, int]
) -> tuple[float, tuple[float, float]]:
    """The difference of two independent shares, first less second, and its 95 % interval.

    Newcombe 1998, "Interval estimation for the difference between independent proportions", method 10: with
    Wilson's interval (l, u) of each share p, from d - sqrt((p1-l1)² + (u2-p2)²) to d + sqrt((u1-p1)² +
    (p2-l2)²). Where the successes are sums of values from 0 to 1 in place of counts, it is too wide rather
    than too narrow: no such values vary more than zeros and ones of the same mean.

    Args:
        first, second: successes and trials, of which there is at least one each.
    """
    (p1, (l1, u1)), (p2, (l2, u2)) = ((one / n, wilson(one, n)) for one, n in (first, second))
    low, high = math.hypot(p1 - l1, u2 - p2), math.hypot(u1 - p1, p2 - l2)
    return p1 - p2, (p1 - p2 - low, p1 - p2 + high)


def visible_difference(interval: tuple[float, float]) -> float:
    """The true difference that a repeated measurement would show, its 95 % interval without 0, four times in
    five.

    (z of 0.975 + z of 0.8) standard errors (Cohen 1988, "Statistical Power Analysis"), of a width of
    2 · 1.96 standard errors.

    Args:
        interval: a 95 % interval of a paired difference of as many cases.
    """
    low, high = interval
    return (high - low) / (2 * Z) * (Z + POWER_Z)
