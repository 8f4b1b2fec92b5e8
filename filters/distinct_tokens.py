"""Counting distinct tokens per row: a loop compiled by numba, once per machine.

Imported inside the function that needs it, since importing numba takes a quarter of a second.
"""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor

import numba
import numpy as np
import numpy.typing as npt

Ids = npt.NDArray[np.int32]
Ints = npt.NDArray[np.int64]

_WIDEST = (
    1 << 22
)  # ids from here on, and negative ones, are renumbered: each thread has a table of all of them
_FEW = 1 << 17  # tokens that are not worth a second thread


def distinct_in_rows(flat: Ids, offsets: Ints, few: int = _FEW, widest: int = _WIDEST) -> Ints:
    """Distinct tokens of each row [n].

    Args:
        flat: [tokens] int32, the rows one after the other; ids outside the offsets are ignored.
        offsets: [n + 1] int64, where each row begins and ends in `flat`.
        few: up to this number of tokens a single thread is used.
        widest: ids from here on, and negative ones, are renumbered.
    """
    counted = np.zeros(len(offsets) - 1, dtype=np.int64)
    flat = flat[offsets[0] : offsets[-1]]
    if not len(flat):
        return counted
    offsets = offsets - offsets[0]
    if flat.min() < 0 or flat.max() >= widest:
        flat = np.unique(flat, return_inverse=True)[1].astype(np.int32)
    ids = int(flat.max()) + 1

    def count(start: int, end: int) -> None:
        _compiled(flat, offsets[start : end + 1], np.zeros(ids, dtype=np.int32), counted[start:end])

    threads = 1 if len(flat) < few else os.cpu_count() or 1
    shares = np.searchsorted(offsets, np.linspace(0, len(flat), threads + 1)[1:-1])
    edges = [0, *shares.tolist(), len(counted)]
    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(count, edges[:-1], edges[1:]))
    return counted


def _count(flat: Ids, offsets: Ints, seen: Ids, counted: Ints) -> None:
    """`seen` [ids] holds the number of the last row that had each token; 0 is none."""
    for row in range(len(counted)):
        number, distinct = np.int32(row + 1), 0
        for place in range(offsets[row], offsets[row + 1]):
            token = np.uint32(flat[place])
            distinct += seen[token] != number  # no branch: which token is new is unpredictable
            seen[token] = number
        counted[row] = distinct


_compiled = numba.njit(nogil=True, cache=True)(_count)
