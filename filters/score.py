"""The response score: how much a text repeats itself, for its length.

score = ln(L) * L / C, with L the number of tokens and C the number of distinct tokens. It is ln(L) when no token comes
twice and grows with every repetition. It grows with length on clean text too, because a long text must repeat its
function words; a score therefore means something only beside the tokenizer it was counted with.
"""

from __future__ import annotations

import functools
import itertools
import math
import os
import time
import typing
from array import array
from collections.abc import Hashable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

if typing.TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    Ids = npt.NDArray[np.int32]
    Ints = npt.NDArray[np.int64]
    Flags = npt.NDArray[np.bool_]

THRESHOLD = 15.0  # answers at or above it are dropped

_PIECE = 1 << 20  # tokens that one thread counts together: they stay in the cache between the steps
_BLOCK = 1 << 18  # tokens that are sorted in one call
_STEP = 32  # rows whose lengths lie in one step of this many tokens are sorted side by side


@dataclass(frozen=True)
class Tokens:
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


def as_tokens(rows: Iterable[list[int]]) -> Tokens:
    """Lists of token ids as flat columns."""
    import numpy as np

    flat, ends = array("i"), array("q", [0])
    for row in rows:
        flat.fromlist(row)
        ends.append(len(flat))
    return Tokens(np.frombuffer(flat, dtype=np.int32), np.frombuffer(ends, dtype=np.int64))


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


def score_column(ids: Tokens | Iterable[list[int]]) -> dict[str, npt.NDArray[typing.Any]]:
    """Scores of many responses at once; fast on `Tokens`, which lists are made into first.

    Args:
        ids: the token ids of n responses, empty ones allowed.

    Returns:
        `tokens` [n] int64, `distinct` [n] int64, `score` [n] float64 (NaN where there are no tokens).
    """
    import numpy as np

    tokens = ids if isinstance(ids, Tokens) else as_tokens(ids)
    lengths, distinct = np.diff(tokens.offsets), _distinct(tokens)
    with np.errstate(divide="ignore", invalid="ignore"):
        score = np.log(lengths) * lengths / distinct
    return {"tokens": lengths, "distinct": distinct, "score": score}


def _distinct(tokens: Tokens) -> Ints:
    """Distinct tokens a row [n]; pieces are counted on all processors, since sorting leaves the interpreter free."""
    import numpy as np

    counted = np.zeros(len(tokens), dtype=np.int64)
    if not len(tokens.flat):
        return counted
    cuts = np.searchsorted(tokens.offsets, np.arange(0, len(tokens.flat), _PIECE), side="left")
    edges = np.unique([0, *cuts, len(tokens)]).tolist()

    def count(start: int, end: int) -> None:
        bounds = tokens.offsets[start : end + 1]
        _count_piece(tokens.flat[bounds[0] : bounds[-1]], bounds - bounds[0], counted[start:end])

    with ThreadPoolExecutor(os.cpu_count()) as pool:
        list(pool.map(count, edges[:-1], edges[1:]))
    return counted


def _count_piece(flat: Ids, bounds: Ints, counted: Ints) -> None:
    """Rows of about one length are laid side by side, sorted each by itself, and their changes counted."""
    import numpy as np

    if not len(flat):
        return
    lengths = np.diff(bounds)
    order = np.argsort(lengths, kind="stable")
    lengths, starts = lengths[order], bounds[order]
    widths = -(-lengths // _STEP) * _STEP
    tail = np.zeros(_STEP, dtype=flat.dtype)  # the last row's block may reach past it
    short = int(flat.view(np.uint32).max()) < 2**16 and _sorts_short_integers()
    flat = np.concatenate([flat, tail], dtype=np.uint16 if short else np.int32, casting="unsafe")
    steps = np.flatnonzero(np.diff(widths, prepend=0)).tolist()  # rows without a token come before the first
    for first, last in zip(steps, [*steps[1:], len(widths)], strict=True):
        width = int(widths[first])
        windows = np.lib.stride_tricks.as_strided(
            flat, (len(flat) - width + 1, width), flat.strides * 2, writeable=False
        )
        rows = max(1, _BLOCK // width)
        for at in range(first, last, rows):
            some = slice(at, min(at + rows, last))
            block = windows[starts[some]]
            _fill_tails(block, lengths[some])
            counted[order[some]] = _distinct_in_rows(block)


@functools.cache
def _sorts_short_integers() -> bool:
    """Whether rows of 16-bit integers are sorted faster than of 32-bit ones; it depends on the processor, so both are tried.

    With AVX-512 VBMI2 they are, and take half the memory; with AVX2 alone they are sorted one at a time.
    """
    import numpy as np

    rows = np.random.default_rng(0).integers(0, 2**15, (64, 128))
    taken = dict.fromkeys((np.uint16, np.int32), math.inf)
    for kind in [*taken] * 3:
        copied = rows.astype(kind)
        begun = time.perf_counter()
        copied.sort(axis=1)
        taken[kind] = min(taken[kind], time.perf_counter() - begun)
    return taken[np.uint16] < taken[np.int32]


def _fill_tails(block: Ids, lengths: Ints) -> None:
    """What lies past a row's end belongs to the next: put the row's first token there, which adds no distinct one."""
    import numpy as np

    shortest, width = int(lengths[0]), block.shape[1]
    edges = np.searchsorted(lengths, np.arange(shortest, width + 1)).tolist()
    for length, (start, end) in enumerate(itertools.pairwise(edges), shortest):
        block[start:end, length:] = block[start:end, :1]


def _distinct_in_rows(block: Ids) -> Ints:
    import numpy as np

    block.sort(axis=1)
    flat = block.reshape(-1)
    new = np.empty(block.size, dtype=np.bool_)
    np.not_equal(flat[1:], flat[:-1], out=new[1:])
    table = new.reshape(block.shape)
    table[:, 0] = True
    # The narrowest type that holds the sum: bytes are added many at once.
    sums: Ints = table.view(np.uint8).sum(axis=1, dtype=np.min_scalar_type(block.shape[1]))
    return sums
