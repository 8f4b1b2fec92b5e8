"""The search in an index as scores of the whole catalogue, so that it can be weighed against rankers."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from rectune.retrieval.search import CatalogueIndex

_HITS = 200  # items of a text that score more than nothing


def index_scores(
    index: CatalogueIndex, domain: str, item_ids: Sequence[str], texts: Sequence[str]
) -> NDArray[np.float64]:
    """[len(texts), len(item_ids)] the fused score of each item that a text finds; 0 for all others.

    Args:
        index: of the catalogue.
        domain: whose items.
        item_ids: all its items, in the order of the columns.
        texts: words that say what is wanted.
    """
    place = {item: at for at, item in enumerate(item_ids)}
    scores = np.zeros((len(texts), len(item_ids)))
    for row, text in zip(scores, texts, strict=True):
        for hit in index.find([text], domain, _HITS):
            row[place[hit.item_id]] = hit.score
    return scores
