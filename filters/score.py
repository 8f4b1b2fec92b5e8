"""The response score: how much a text repeats itself, for its length.

score = ln(L) * L / C, with L the number of tokens and C the number of distinct tokens. It is ln(L) when no token comes
twice and grows with every repetition. It grows with length on clean text too, because a long text must repeat its
function words; a score therefore means something only beside the tokenizer it was counted with.
"""

from __future__ import annotations

import math
import typing
from collections.abc import Hashable, Sequence

if typing.TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

THRESHOLD = 15.0  # answers at or above it are dropped


def response_score(tokens: Sequence[Hashable]) -> float:
    """The score of one response.

    Args:
        tokens: its tokens (ids or strings), L of them.

    Raises:
        ValueError: no tokens; an empty answer has no score.
    """
    if not tokens:
        raise ValueError("an empty answer has no score")
    length, distinct = len(tokens), len(set(tokens))
    return math.log(length) * length / distinct


def score_column(ids: Sequence[Sequence[int]]) -> dict[str, npt.NDArray[typing.Any]]:
    """Scores of many responses at once.

    Args:
        ids: n lists of token ids, empty ones allowed.

    Returns:
        `tokens` [n] int64, `distinct` [n] int64, `score` [n] float64 (NaN where there are no tokens).
    """
    import numpy as np

    lengths = np.fromiter((len(row) for row in ids), dtype=np.int64, count=len(ids))
    flat = np.fromiter((token for row in ids for token in row), dtype=np.int64, count=int(lengths.sum()))
    distinct = _distinct(flat, lengths)
    with np.errstate(divide="ignore", invalid="ignore"):
        score = np.where(lengths > 0, np.log(lengths) * lengths / distinct, np.nan)
    return {"tokens": lengths, "distinct": distinct, "score": score}


def _distinct(flat: npt.NDArray[np.int64], lengths: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """Distinct tokens a row: sort (row, token) pairs as one integer each and count where the pair changes."""
    import numpy as np

    if not len(flat):
        return np.zeros(len(lengths), dtype=np.int64)
    rows = np.repeat(np.arange(len(lengths), dtype=np.int64), lengths)
    pairs = np.sort(rows * (int(flat.max()) + 1) + flat)
    first = np.concatenate(([True], pairs[1:] != pairs[:-1]))
    return np.bincount(pairs[first] // (int(flat.max()) + 1), minlength=len(lengths)).astype(np.int64)
