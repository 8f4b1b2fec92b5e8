"""The search in an index as scores of the whole catalogue, so that it can be weighed against rankers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet

import numpy as np
from numpy.typing import NDArray

from rectune.retrieval.rank_fusion import first_within
from rectune.retrieval.search import CatalogueIndex, SearchHit

_HITS = 200  # items of a text that score more than nothing
_LISTED = 20_000  # ids that the index is told to search within; of more it is asked for further hits


def index_scores(
    index: CatalogueIndex,
    domain: str,
    place: Mapping[str, int],
    texts: Sequence[str],
    within: AbstractSet[str] | None = None,
) -> NDArray[np.float64]:
    """[len(texts), len(place)] the fused score of each item that a text finds; 0 for all others.

    Args:
        index: of the catalogue.
        domain: whose items.
        place: the column of each of its items.
        texts: words that say what is wanted.
        within: only these items are looked for; all without it.
    """
    scores = np.zeros((len(texts), len(place)))
    for row, text in zip(scores, texts, strict=True):
        for hit in find_within(index, text, domain, _HITS, within):
            row[place[hit.item_id]] = hit.score
    return scores


def find_within(
    index: CatalogueIndex,
    text: str,
    domain: str,
    k: int,
    within: AbstractSet[str] | None,
    without: AbstractSet[str] = frozenset(),
) -> list[SearchHit]:
    """The `k` items that fit a text best, of those that are allowed; fewer only where no more are found.

    Args:
        index, text, domain, k, without: see `CatalogueIndex.find`.
        within: the ids that are allowed; all without it.
    """
    if within is None or len(within) <= _LISTED:
        return index.find([text], domain, k, without, within=within)
    return first_within(lambda limit: index.find([text], domain, limit, without), k, within)
