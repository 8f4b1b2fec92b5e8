"""Which systems are compared with which, and how they do beside each other."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from rectune.core.figures.evaluation import Difference, PairedDifference
from rectune.core.stats.metrics import UserBootstrap
from rectune.core.stats.significance import difference, holm

# What every other system is compared with, where it is ranked.
REFERENCES = ("popularity", "embedding_best", "hybrid")

# Where each training started; compared with it in the same way of ranking.
STARTED = {"sft": "base", "dpo": "sft"}


def compare_all(
    ranks: Mapping[str, Mapping[str, int]], users: Mapping[str, str], rounds: int, seed: int
) -> tuple[PairedDifference, ...]:
    """Every system against `REFERENCES`, and every tuned model against what its training started from, each
    pair on the cases that both ranked.

    Args:
        ranks: system -> case -> the target's rank.
        users: case -> whose it is.
        rounds, seed: of the bootstrap over users.

    Returns:
        a row a pair that has a case in common, p corrected over all of them.
    """
    drawn: dict[tuple[str, ...], UserBootstrap] = {}
    found: list[tuple[str, str, Difference]] = []
    for system, against in _pairs(list(ranks)):
        cases = tuple(case for case in ranks[against] if case in ranks[system])
        if not cases:
            continue
        if cases not in drawn:
            drawn[cases] = UserBootstrap([users[case] for case in cases], rounds, seed)
        one, other = ([ranks[name][case] for case in cases] for name in (against, system))
        found.append((system, against, difference(one, other, drawn[cases])))
    corrected = holm([row.p for *_, row in found])
    return tuple(
        PairedDifference(**dict(row), system=system, against=against, holm=p)
        for (system, against, row), p in zip(found, corrected, strict=True)
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
