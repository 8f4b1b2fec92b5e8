"""Texts that are nearly the same: MinHash signatures (Broder 1997) and locality-sensitive hashing.

Two texts are alike as far as their sets of word 3-grams are (Jaccard). A signature has 128 slots; the share
of equal slots estimates that likeness with a standard error of at most 0.045. Signatures are cut into bands,
and only texts with an equal band are compared, so that the work grows with the texts and their likenesses and
not with all pairs.
"""

from __future__ import annotations

import itertools
import re
import typing
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from rectune.core.extras import needs_extra

if typing.TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    Ints = npt.NDArray[np.int64]
    Signatures = npt.NDArray[np.uint32]

SLOTS = 128
SHINGLE = 3  # words
_SEED = 20
_CHUNK = 1 << 16  # signatures that are hashed together
_BATCH = 4096  # texts a call: little enough to bound the memory of their 3-grams
_RECALL = 0.9  # of the pairs that are exactly as alike as asked for; more of those that are more alike
_NONE = 2**32 - 1  # in every slot of a text without a word
_WORD = re.compile(r"\w+")


@dataclass(frozen=True)
class DuplicateClusters:
    """What each text is a copy of.

    `first` [n] is the place of the text that stays, the text's own place where it stays itself; `similarity`
    [n] is the estimated Jaccard likeness to it, 0.0 where the text stays.
    """

    first: Ints
    similarity: npt.NDArray[np.float64]


def near_duplicates(texts: Iterable[str], ids: Sequence[str], similarity: float) -> DuplicateClusters:
    """Which texts are nearly the same as an earlier one by id; earlier ones that went themselves are not
    counted.

    What stays does not depend on the texts' order, and no two texts that stay were found alike: a second run
    finds nothing. Texts without a word stay.

    Args:
        texts: n texts; they are read once and not kept. 0.5 kB a text stays in memory.
        ids: n ids, alongside.
        similarity: estimated Jaccard likeness of the word 3-grams, 0.5 to 1.0, from which on a text goes.
    """
    return duplicate_clusters(signatures(texts), ids, similarity)


@needs_extra("the search for near-duplicates")
def signatures(texts: Iterable[str]) -> Signatures:
    """MinHash signatures [n, 128] of texts; equal where texts are but for case, punctuation and spaces."""
    import numpy as np
    from rensa import RMinHash

    parts, left = [np.zeros((0, SLOTS), dtype=np.uint32)], iter(texts)
    while shingles := [_shingles(text) for text in itertools.islice(left, _BATCH)]:
        parts.append(np.array(RMinHash.digests_from_token_sets(shingles, SLOTS, _SEED), dtype=np.uint32))
    return np.concatenate(parts)


def duplicate_clusters(marks: Signatures, ids: Sequence[str], similarity: float) -> DuplicateClusters:
    """The same as `near_duplicates` from signatures [n, 128] that are there already."""
    import numpy as np

    rank = np.empty(len(ids), dtype=np.int64)
    rank[np.argsort(np.array(ids), kind="stable")] = np.arange(len(ids))
    first, likeness = np.arange(len(ids)), np.zeros(len(ids))
    worded = np.flatnonzero(marks.min(axis=1) < _NONE)
    heads = _earliest_of_equals(marks, worded, rank)
    distinct = np.unique(heads)
    gone = _greedy(marks, distinct[np.argsort(rank[distinct])], similarity)
    for place, (leader, alike) in gone.items():
        first[place], likeness[place] = leader, alike
    # What is equal in every slot goes where its head goes, or stays behind its head.
    copies, behind = worded[heads != worded], heads[heads != worded]
    first[copies] = first[behind]
    likeness[copies] = np.where(first[behind] == behind, 1.0, likeness[behind])
    return DuplicateClusters(first, likeness)


def _shingles(text: str) -> list[str]:
    words = _WORD.findall(unicodedata.normalize("NFKC", text).casefold())
    if len(words) < SHINGLE:
        return [" ".join(words)] if words else []
    return [" ".join(words[place : place + SHINGLE]) for place in range(len(words) - SHINGLE + 1)]


def _earliest_of_equals(marks: Signatures, places: Ints, rank: Ints) -> Ints:
    """For each of these rows, the one of them with the same signature that comes first by rank."""
    import numpy as np

    order = places[np.argsort(rank[places], kind="stable")]
    _, earliest, group = np.unique(_hashed(marks, order), return_index=True, return_inverse=True)
    found = np.arange(len(marks))
    found[order] = order[earliest[group]]
    return found[places]


def _hashed(marks: Signatures, places: Ints) -> npt.NDArray[np.uint64]:
    """One number for what stands in these rows; 64 bits, so that a chance meeting is one in ten million sets."""
    import numpy as np

    odd = np.random.default_rng(_SEED).integers(1, 2**63, marks.shape[1], dtype=np.uint64) * 2 + 1
    hashed = np.empty(len(places), dtype=np.uint64)
    for start in range(0, len(places), _CHUNK):
        content = marks[places[start : start + _CHUNK]] * odd
        hashed[start : start + _CHUNK] = (content ^ (content >> np.uint64(29))).sum(axis=1, dtype=np.uint64)
    return hashed


def _greedy(marks: Signatures, places: Ints, similarity: float) -> dict[int, tuple[int, float]]:
    """Go through rows in their order; one that is alike an earlier one that stayed goes, and is told with it."""
    import numpy as np

    buckets = _shared_buckets(marks, places, similarity)
    stayed, gone = dict[int, list[int]](), dict[int, tuple[int, float]]()
    for place in places.tolist():
        mine = buckets.get(place)
        if mine is None:
            continue
        near = np.array(
            sorted({other for bucket in mine for other in stayed.get(bucket, ())}), dtype=np.int64
        )
        alike = (marks[near] == marks[place]).mean(axis=1) if len(near) else np.zeros(1)
        best = int(alike.argmax())
        if alike[best] >= similarity:
            gone[place] = int(near[best]), float(alike[best])
            continue
        for bucket in mine:
            stayed.setdefault(bucket, []).append(place)
    return gone


def _shared_buckets(marks: Signatures, places: Ints, similarity: float) -> dict[int, list[int]]:
    """The buckets (band and its content) of every row that shares one with another row."""
    import numpy as np

    rows, found, offset = _rows_of_a_band(similarity), dict[int, list[int]](), 0
    for band in range(0, SLOTS, rows):
        hashed = _hashed(marks[:, band : band + rows], places)
        _, bucket, size = np.unique(hashed, return_inverse=True, return_counts=True)
        shared = np.flatnonzero(size[bucket] > 1)
        for place, name in zip(places[shared].tolist(), (bucket[shared] + offset).tolist(), strict=True):
            found.setdefault(place, []).append(name)
        offset += len(size)
    return found


def _rows_of_a_band(similarity: float) -> int:
    """The most slots a band may have for two texts that are just alike enough to share one with probability
    0.9.
    """
    widths = [2**power for power in range(SLOTS.bit_length())]
    enough = [rows for rows in widths if 1 - (1 - similarity**rows) ** (SLOTS // rows) >= _RECALL]
    return max(enough, default=1)
