"""Two evaluations side by side: the same systems on the same candidates of the same prompts, before and after
a change.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from rectune.core.errors import UserError
from rectune.core.figures.evaluation import Difference
from rectune.core.figures.record import Count, Record, Share
from rectune.core.rows import read_rows
from rectune.core.stats.metrics import UserBootstrap, hit_at, reciprocal_ranks
from rectune.core.stats.significance import holm, mcnemar
from rectune.core.types import Ranking

ROUNDS, SEED = 10_000, 0

_Key = tuple[str, str, str]  # protocol, system, prompt id


class ComparedSystem(Difference):
    """One system under one protocol in two evaluations, the other less the one; won and lost, and so p, are
    of the first draw of candidates.
    """

    protocol: str
    """The protocol."""
    system: str
    """The system."""
    one: Share
    """Hit@1 in the one."""
    other: Share
    """Hit@1 in the other."""
    one_mrr: Share
    """Mean reciprocal rank in the one."""
    other_mrr: Share
    """Mean reciprocal rank in the other."""
    holm: Share
    """p corrected for the number of rows (Holm)."""


class EvalComparison(Record):
    """Two evaluations side by side."""

    shared: Count
    """Prompts that are in both."""
    only_one: Count
    """Prompts that are in the one alone."""
    only_other: Count
    """Prompts that are in the other alone."""
    rows: tuple[ComparedSystem, ...]
    """One a protocol and system that both have."""


def compare(one: Path, other: Path) -> EvalComparison:
    """What two evaluations make of what they have in common.

    A prompt counts where both ranked the same candidates for it (of the whole catalogue, as many), in the
    draws that both have.

    Args:
        one, other: folders of the stage `eval`, with rankings.parquet.

    Raises:
        UserError: there are no rankings, or no prompt in common.
    """
    first, second = _read(one), _read(other)
    ids = {key[2] for key in first}, {key[2] for key in second}
    shared = ids[0] & ids[1]
    if not shared:
        raise UserError(
            "the two evaluations have no prompt in common",
            where=f"{one} and {other}",
            hint="compare runs of the same data and prompts: their test cases must be equal",
        )
    rows = [
        row
        for protocol, system in dict.fromkeys(key[:2] for key in first)
        if (row := _row(protocol, system, first, second))
    ]
    return EvalComparison(
        shared=len(shared),
        only_one=len(ids[0] - shared),
        only_other=len(ids[1] - shared),
        rows=tuple(
            row.model_copy(update={"holm": p})
            for row, p in zip(rows, holm([row.p for row in rows]), strict=True)
        ),
    )


def comparison_text(found: EvalComparison, names: tuple[str, str]) -> str:
    """The comparison for a terminal."""
    lines = [
        f"{found.shared} prompts in common; only in {names[0]}: {found.only_one}, "
        f"only in {names[1]}: {found.only_other}",
        f"Hit@1 of {names[1]} less that of {names[0]}; 95 % intervals: bootstrap over users, {ROUNDS:,} "
        "rounds; p: McNemar, exact, then corrected for the number of lines (Holm)",
        "",
        f"{'protocol':<11} {'system':<18} {'n':>5} {names[0][:9]:>9} {names[1][:9]:>9} {'difference':>26} "
        f"{'won/lost':>9} {'p':>7} {'holm':>7}",
    ]
    for row in found.rows:
        low, high = row.interval
        difference = f"{row.difference:+.3f} [{low:+.3f}, {high:+.3f}]"
        counts = f"{row.won}/{row.lost}"
        lines.append(
            f"{row.protocol:<11} {row.system:<18} {row.n:>5} {row.one:>9.3f} {row.other:>9.3f} "
            f"{difference:>26} {counts:>9} {row.p:>7.3f} {row.holm:>7.3f}"
        )
    if not found.rows:
        lines.append("no system was ranked on the same candidates in both")
    return "\n".join(lines)


def _row(
    protocol: str,
    system: str,
    first: Mapping[_Key, Mapping[int, Ranking]],
    second: Mapping[_Key, Mapping[int, Ranking]],
) -> ComparedSystem | None:
    ranks: list[tuple[list[int], list[int]]] = []
    users: list[str] = []
    for key in first:
        if key[:2] != (protocol, system) or key not in second:
            continue
        one, other = first[key], second[key]
        draws = [draw for draw in one if draw in other and _alike(one[draw], other[draw])]
        if draws:
            ranks.append(([one[draw].rank for draw in draws], [other[draw].rank for draw in draws]))
            users.append(one[draws[0]].user)
    if not ranks:
        return None
    hits, gains = (_means(ranks, of) for of in (lambda some: hit_at(some, 1), reciprocal_ranks))
    won = sum(two[0] == 1 != one[0] for one, two in ranks)
    lost = sum(one[0] == 1 != two[0] for one, two in ranks)
    resampled = UserBootstrap(users, ROUNDS, SEED)
    return ComparedSystem(
        protocol=protocol,
        system=system,
        one=float(hits[0].mean()),
        other=float(hits[1].mean()),
        one_mrr=float(gains[0].mean()),
        other_mrr=float(gains[1].mean()),
        n=len(ranks),
        difference=float((hits[1] - hits[0]).mean()),
        interval=resampled.interval(hits[1] - hits[0]),
        won=won,
        lost=lost,
        p=mcnemar(lost, won),
        holm=mcnemar(lost, won),  # of this row alone
        mrr_difference=float((gains[1] - gains[0]).mean()),
        mrr_interval=resampled.interval(gains[1] - gains[0]),
    )


def _means(ranks: Sequence[tuple[list[int], list[int]]], of: Any) -> tuple[Any, Any]:
    """[n] for either run: the mean of a figure over the draws of each prompt."""
    one, other = (np.array([of(pair[side]).mean() for pair in ranks]) for side in (0, 1))
    return one, other


def _alike(one: Ranking, other: Ranking) -> bool:
    """Whether both rank the same candidates; where only the first are written down, as many."""
    if one.size != other.size:
        return False
    return len(one.items) < one.size or set(one.items) == set(other.items)


def _read(folder: Path) -> dict[_Key, dict[int, Ranking]]:
    found: dict[_Key, dict[int, Ranking]] = {}
    for row in read_rows(folder / "rankings.parquet", Ranking):
        found.setdefault((row.protocol, row.system, row.prompt_id), {})[row.draw] = row
    return found
