"""Near-duplicates: MinHash signatures (Broder 1997) and locality-sensitive hashing.

The similarity of two texts is the Jaccard similarity of their sets of word 3-grams. A signature has 128
slots; the share of equal slots estimates the similarity with a standard error of at most 0.045. Signatures
are split into bands, and only texts with an equal band are compared, so that the work grows with the texts
and the similar pairs, not with all pairs.
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
_RECALL = 0.9  # of the pairs exactly at the threshold; more of more similar ones
_NONE = 2**32 - 1  # in every slot of a text without a word
_WORD = re.compile(r"\w+")


@dataclass(frozen=True)
class DuplicateClusters:
    """The kept text of which each text is a copy.

    `first` [n] is the place of the kept text, the text's own place if it is kept itself; `similarity` [n] is
    the estimated Jaccard similarity to it, 0.0 if the text is kept.
    """

    first: Ints
    similarity: npt.NDArray[np.float64]


def near_duplicates(texts: Iterable[str], ids: Sequence[str], similarity: float) -> DuplicateClusters:
    """Find texts that are nearly equal to an earlier kept one, by the order of ids.

    The result does not depend on the texts' order, and no two kept texts were found similar: a second run
    finds nothing. Texts without a word are kept.

    Args:
        texts: n texts; they are read once and not kept. 0.5 kB per text stays in memory.
        ids: n ids, aligned with the texts.
        similarity: estimated Jaccard similarity of word 3-grams, 0.5 to 1.0, from which on a text is dropped.
    """
    return duplicate_clusters(signatures(texts), ids, similarity)


@needs_extra("the search for near-duplicates")
def signatures(texts: Iterable[str]) -> Signatures:
    """MinHash signatures [n, 128] of texts; case, punctuation and spaces are ignored."""
    import numpy as np
    from rensa import RMinHash

    parts, left = [np.zeros((0, SLOTS), dtype=np.uint32)], iter(texts)
    while shingles := [_shingles(text) for text in itertools.islice(left, _BATCH)]:
        parts.append(np.array(RMinHash.digests_from_token_sets(shingles, SLOTS, _SEED), dtype=np.uint32))
    return np.concatenate(parts)


def duplicate_clusters(marks: Signatures, ids: Sequence[str], similarity: float) -> DuplicateClusters:
    """The same as `near_duplicates` from given signatures [n, 128]."""
    import numpy as np

    rank = np.empty(len(ids), dtype=np.int64)
    rank[np.argsort(np.array(ids), kind="stable")] = np.arange(len(ids))
    first, similarities = np.arange(len(ids)), np.zeros(len(ids))
    worded = np.flatnonzero(marks.min(axis=1) < _NONE)
    heads = _earliest_of_equals(marks, worded, rank)
    distinct = np.unique(heads)
    gone = _greedy(marks, distinct[np.argsort(rank[distinct])], similarity)
    for place, (leader, alike) in gone.items():
        first[place], similarities[place] = leader, alike
    # Rows with equal signatures follow the first of them, or are dropped as its copies.
    copies, behind = worded[heads != worded], heads[heads != worded]
    first[copies] = first[behind]
    similarities[copies] = np.where(first[behind] == behind, 1.0, similarities[behind])
    return DuplicateClusters(first, similarities)


def _shingles(text: str) -> list[str]:
    words = _WORD.findall(unicodedata.normalize("NFKC", text).casefold())
    if len(words) < SHINGLE:
        return [" ".join(words)] if words else []
    return [" ".join(words[place : place + SHINGLE]) for place in range(len(words) - SHINGLE + 1)]


def _earliest_of_equals(marks: Signatures, places: Ints, rank: Ints) -> Ints:
    """For each of these rows, the first by rank with the same signature."""
    import numpy as np

    order = places[np.argsort(rank[places], kind="stable")]
    _, earliest, group = np.unique(_hashed(marks, order), return_index=True, return_inverse=True)
    found = np.arange(len(marks))
    found[order] = order[earliest[group]]
    return found[places]


def _hashed(marks: Signatures, places: Ints) -> npt.NDArray[np.uint64]:
    """One 64-bit hash of these bands for each row; a chance collision takes about ten million sets."""
    import numpy as np

    odd = np.random.default_rng(_SEED).integers(1, 2**63, marks.shape[1], dtype=np.uint64) * 2 + 1
    hashed = np.empty(len(places), dtype=np.uint64)
    for start in range(0, len(places), _CHUNK):
        content = marks[places[start : start + _CHUNK]] * odd
        hashed[start : start + _CHUNK] = (content ^ (content >> np.uint64(29))).sum(axis=1, dtype=np.uint64)
    return hashed


def _greedy(marks: Signatures, places: Ints, similarity: float) -> dict[int, tuple[int, float]]:
    """Row -> (earlier kept row that it is similar to, similarity), going through the rows in their order."""
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
    """The buckets (band and its hash) of every row that shares one with another row."""
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
    """The largest band size for which texts at the threshold share a band with probability 0.9."""
    widths = [2**power for power in range(SLOTS.bit_length())]
    enough = [rows for rows in widths if 1 - (1 - similarity**rows) ** (SLOTS // rows) >= _RECALL]
    return max(enough, default=1)
