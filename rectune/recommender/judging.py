"""Whether anything in a catalogue fits what is asked for in words."""

from __future__ import annotations

from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass

from rectune.core.settings import RetrievalConfig
from rectune.retrieval.embedding import EMBEDDED
from rectune.retrieval.grounding import Grounding
from rectune.retrieval.query_terms import FITTING

_SURE = 0.15  # of a cosine above the threshold: what is that near fits without a word in common


@dataclass(frozen=True)
class Judgement:
    """Whether anything fits: `nearness` is the cosine between the request and its nearest item,
    `min_similarity` the least one at which an item fits. `by_words` says that words decided, since the
    embedder does not know the language of the request.
    """

    fits: bool
    nearness: float
    min_similarity: float
    by_words: bool = False


def judge(
    texts: Sequence[str],
    domain: str,
    known: AbstractSet[str],
    grounding: Grounding,
    settings: RetrievalConfig,
) -> Judgement:
    """Compare the texts of a request with the catalogue; it fits if one of them does.

    With `auto`, the embedded embedder and a language that it reads, what lies above the threshold by less
    than `_SURE` also has to have half of the words in common with an item. In a language that the embedder
    does not read its cosines say nothing, and half of what is asked for decides alone; see
    `rectune.retrieval.query_terms`. The rules were chosen by `bench/query_fits.py`.

    Args:
        texts: what is looked for.
        domain: where.
        known: ids that are left out.
        grounding: in the catalogue.
        settings: the threshold, or `auto` for that of the catalogue.
    """
    wanted = settings.min_similarity
    least = grounding.min_similarity(domain) if wanted == "auto" else wanted
    near = {text: grounding.fit([text], domain, known) for text in texts if text.strip()}
    nearness = max(near.values(), default=-1.0)
    unread = bool(texts) and not any(map(grounding.reads, texts))
    if wanted != "auto":
        return Judgement(nearness >= least, nearness, least)
    fits = any(_fits(text, domain, one, grounding, least) for text, one in near.items())
    return Judgement(fits, nearness, least, unread)


def _fits(text: str, domain: str, nearness: float, grounding: Grounding, least: float) -> bool:
    if not grounding.reads(text):
        return grounding.share_found(text, domain) >= FITTING
    if grounding.index.embedder != EMBEDDED or nearness < least or nearness >= least + _SURE:
        return nearness >= least
    return grounding.share_found(text, domain) >= FITTING
