"""Words and meaning together: a ranker that needs neither interactions nor a language model."""

from __future__ import annotations

from rectune.rankers.fusion import Fused
from rectune.rankers.domain_data import DomainData
from rectune.rankers.baselines import EmbeddingBest
from rectune.rankers.baselines import Bm25


class Hybrid:
    """BM25 and the best match by embedding, each standardised a case, in equal parts."""

    @staticmethod
    def of(domain_data: DomainData) -> Fused:
        """The ranker of one domain."""
        return Fused("hybrid", EmbeddingBest.of(domain_data), Bm25.of(domain_data), 0.5)
