"""Counting verdicts: what each rule drops, alone and together with others, by domain and by length."""

from __future__ import annotations

import typing

from rectune.core.figures.data import FilteredGroup, FilterFigures, LengthBucket
from rectune.core.types import group_names
from rectune.filters.apply_rules import Verdicts

if typing.TYPE_CHECKING:
    from rectune.filters.rules.base import Ints, Mask

EDGES = (0, 20, 40, 60, 80, 100, 130, 160, 200, 300, 400)  # tokens at which a length bucket begins


def filter_figures(verdicts: Verdicts, threshold: float, tokenizer: str) -> FilterFigures:
    """What the stage returns.

    Args:
        verdicts: of all responses.
        threshold: of the response score.
        tokenizer: the name of what counted the tokens.
    """
    kept = verdicts.kept
    return FilterFigures(
        rows_in=len(kept),
        rows_out=int(kept.sum()),
        dropped=_dropped(verdicts),
        dropped_by_one_rule_alone=_alone(verdicts),
        overlap=_overlap(verdicts),
        threshold=threshold,
        tokenizer=tokenizer,
        domains={
            group: FilteredGroup(rows=len(rows), kept=int(kept[rows].sum()), dropped=_dropped(verdicts, rows))
            for group, rows in groups(verdicts).items()
        },
        lengths=_lengths(verdicts),
    )


def groups(verdicts: Verdicts) -> dict[str, Ints]:
    """The places of each domain's rows, and of each domain/category's where there is one; names sorted."""
    import numpy as np

    labels = dict[tuple[str, str], int]()
    pairs = zip(verdicts.domains, verdicts.categories, strict=True)
    codes = np.array([labels.setdefault(pair, len(labels)) for pair in pairs], dtype=np.int64)
    members = dict[str, list[int]]()
    for pair, code in labels.items():
        for name in group_names(*pair):
            members.setdefault(name, []).append(code)
    return {name: np.flatnonzero(np.isin(codes, members[name])) for name in sorted(members)}


def _dropped(verdicts: Verdicts, rows: Ints | slice = slice(None)) -> dict[str, int]:
    counts = {reason: int(drops[rows].sum()) for reason, drops in verdicts.drops.items()}
    return {reason: count for reason, count in counts.items() if count}


def _alone(verdicts: Verdicts) -> dict[str, int]:
    import numpy as np

    reasons = np.zeros(len(verdicts.ids), dtype=np.int64)
    for drops in verdicts.drops.values():
        reasons += drops
    counts = {reason: int((drops & (reasons == 1)).sum()) for reason, drops in verdicts.drops.items()}
    return {reason: count for reason, count in counts.items() if count}


def _overlap(verdicts: Verdicts) -> dict[str, dict[str, int]]:
    found = {reason: drops for reason, drops in verdicts.drops.items() if drops.any()}
    return {
        one: {other: int((drops & others).sum()) for other, others in found.items()}
        for one, drops in found.items()
    }


def _lengths(verdicts: Verdicts) -> tuple[LengthBucket, ...]:
    """Rows, rows dropped, and rows dropped by score, by length; without empty buckets at both ends."""
    kept, repetitive = verdicts.kept, _repetitive(verdicts)
    buckets: list[LengthBucket] = []
    for start, end in zip(EDGES, (*EDGES[1:], None), strict=True):
        inside = verdicts.tokens >= start
        inside &= True if end is None else verdicts.tokens < end
        rows, dropped, by_score = (int(x.sum()) for x in (inside, inside & ~kept, inside & repetitive))
        buckets.append(
            LengthBucket(start=start, end=end, rows=rows, dropped=dropped, dropped_by_score=by_score)
        )
    filled = [place for place, bucket in enumerate(buckets) if bucket.rows]
    return tuple(buckets[filled[0] : filled[-1] + 1]) if filled else ()


def _repetitive(verdicts: Verdicts) -> Mask:
    import numpy as np

    return verdicts.drops.get("repetitive", np.zeros(len(verdicts.ids), dtype=bool))
