"""Which systems are compared with which, and how they do beside each other."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from rectune.core.figures.evaluation import PairedDifference
from rectune.core.stats.metrics import UserBootstrap
from rectune.core.stats.significance import difference, holm

# What every other system is compared with, where it is ranked.
REFERENCES = ("popularity", "embedding_best", "hybrid")

# Where each training started; compared with it in the same way of ranking.
STARTED = {"sft": "base", "dpo": "sft"}


def compare_all(ranks: Mapping[str, Sequence[int]], resampled: UserBootstrap) -> tuple[PairedDifference, ...]:
    """Every system against `REFERENCES`, and every tuned model against what its training started from.

    Args:
        ranks: system -> the target's rank in each case, cases in one order.
        resampled: their users.

    Returns:
        a row a pair, p corrected over all of them.
    """
    pairs = list(_pairs(list(ranks)))
    found = [difference(ranks[against], ranks[system], resampled) for system, against in pairs]
    corrected = holm([row.p for row in found])
    return tuple(
        PairedDifference(**dict(row), system=system, against=against, holm=p)
        for (system, against), row, p in zip(pairs, found, corrected, strict=True)
    )


def _pairs(systems: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Each pair once; chance is compared with nothing."""
    for place, against in enumerate(REFERENCES):
        if against in systems:
            yield from ((s, against) for s in systems if s not in ("random", *REFERENCES[: place + 1]))
    for system in systems:
        model, slash, method = system.partition("/")
        if (started := f"{STARTED.get(model, '')}{slash}{method}") in systems:
            yield system, started
