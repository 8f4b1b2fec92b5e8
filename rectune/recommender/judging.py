"""Whether anything in a catalogue fits what is asked for in words."""

from __future__ import annotations

from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass

from rectune.core.settings import RetrievalConfig
from rectune.retrieval.grounding import Grounding


@dataclass(frozen=True)
class Judgement:
    """Whether anything fits: `nearness` is the cosine between the request and its nearest item,
    `min_similarity` the least one at which an item fits.
    """

    fits: bool
    nearness: float
    min_similarity: float


def judge(
    texts: Sequence[str],
    domain: str,
    known: AbstractSet[str],
    grounding: Grounding,
    settings: RetrievalConfig,
) -> Judgement:
    """Compare the texts of a request with the catalogue.

    An embedder that does not know the language of a text tells nothing of its nearness, so that there a word
    in common with an item is enough for `auto`.

    Args:
        texts: what is looked for.
        domain: where.
        known: ids that are left out.
        grounding: in the catalogue.
        settings: the threshold, or `auto` for that of the catalogue.
    """
    wanted = settings.min_similarity
    least = grounding.min_similarity(domain) if wanted == "auto" else wanted
    nearness = grounding.fit(texts, domain, known)
    fits = nearness >= least or (wanted == "auto" and grounding.said_in_words(texts, domain))
    return Judgement(fits, nearness, least)
