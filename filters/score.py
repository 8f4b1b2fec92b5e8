"""The response score: how much a text repeats itself, for its length.

score = ln(L) * L / C, with L the number of tokens and C the number of distinct tokens. It is ln(L) when no
token comes twice and grows with every repetition. It grows with length on clean text too, because a long text
must repeat its function words; scores therefore depend on the tokenizer.
"""

from __future__ import annotations

import itertools
import math
import typing
from array import array
from collections.abc import Hashable, Iterable, Iterator, Sequence
from dataclasses import dataclass

from rectune.core.extras import needs_extra

if typing.TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    Ids = npt.NDArray[np.int32]
    Ints = npt.NDArray[np.int64]

THRESHOLD = 15.0  # answers at or above it are dropped


@dataclass(frozen=True)
class TokenIds:
    """Token ids of n texts, one text after the other: text i has `flat[offsets[i]:offsets[i + 1]]`.

    `flat` is [tokens] int32, `offsets` [n + 1] int64 and begins with 0.
    """

    flat: Ids
    offsets: Ints

    def __len__(self) -> int:
        return len(self.offsets) - 1

    def __iter__(self) -> Iterator[list[int]]:
        bounds = self.offsets.tolist()
        return (self.flat[start:end].tolist() for start, end in itertools.pairwise(bounds))


def as_tokens(rows: Iterable[list[int]]) -> TokenIds:
    """Lists of token ids as flat columns."""
    import numpy as np

    flat, ends = array("i"), array("q", [0])
    for row in rows:
        flat.fromlist(row)
        ends.append(len(flat))
    return TokenIds(np.frombuffer(flat, dtype=np.int32), np.frombuffer(ends, dtype=np.int64))


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


@needs_extra("scoring many responses")
def score_column(ids: TokenIds | Iterable[list[int]]) -> dict[str, npt.NDArray[typing.Any]]:
    """Scores of many responses at once; fast on `TokenIds`, to which lists are converted first.

    Args:
        ids: the token ids of n responses, empty ones allowed.

    Returns:
        `tokens` [n] int64, `distinct` [n] int64, `score` [n] float64 (NaN where there are no tokens).
    """
    import numpy as np

    from rectune.filters.distinct_tokens import distinct_in_rows

    tokens = ids if isinstance(ids, TokenIds) else as_tokens(ids)
    lengths, distinct = np.diff(tokens.offsets), distinct_in_rows(tokens.flat, tokens.offsets)
    with np.errstate(divide="ignore", invalid="ignore"):
        score = np.log(lengths) * lengths / distinct
    return {"tokens": lengths, "distinct": distinct, "score": score}
