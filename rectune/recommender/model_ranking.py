"""What a language model adds to the ranking for a history, weighed by the stage `rerank`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from pathlib import Path

from rectune.core.figures.read_records import read_figures
from rectune.core.figures.rerank import RerankFigures
from rectune.core.settings import EngineConfig
from rectune.core.types import Item
from rectune.rankers.base import ScoredItem
from rectune.rankers.likelihood import Scorer
from rectune.rankers.rerank import Reranker, title_scores


@dataclass(frozen=True)
class ModelRanking:
    """Ranks for a history beside the ranker; a request in words is ranked without it.

    Attributes:
        reranker: re-orders the ranker's first items by the likelihood of their titles; None where that was
            not found to help.
        draft_weight: how much the search for what the model writes counts beside the ranker, 0 to 1.
    """

    reranker: Reranker | None
    draft_weight: float = 0.0

    @property
    def candidates(self) -> int:
        """How many of the ranker's first items are re-ordered."""
        return self.reranker.candidates if self.reranker else 0

    def with_engine(self, open_engine: Callable[[], AbstractContextManager[Scorer]]) -> ModelRanking:
        """The same by another engine with the same model."""
        return replace(self, reranker=self.reranker.with_engine(open_engine)) if self.reranker else self

    def of_items(self, items: Sequence[Item]) -> ModelRanking:
        """The same of another catalogue of the same domain."""
        return replace(self, reranker=self.reranker.of_items(items)) if self.reranker else self

    def reordered(
        self, histories: Sequence[Sequence[str]], ranked: Sequence[Sequence[ScoredItem]]
    ) -> list[list[ScoredItem]]:
        """The rankings with their first items re-ordered; one for an empty history stays as it is."""
        return self.reranker.rerank(histories, ranked) if self.reranker else [list(row) for row in ranked]

    def describe(self) -> str:
        """What the model does to the ranking, in words."""
        said = []
        if self.reranker:
            said.append(
                f"the first {self.candidates} are re-ordered by the likelihood of their titles, which counts "
                f"{self.reranker.weight:.0%}"
            )
        if self.draft_weight:
            said.append(f"the search for what the model writes counts {self.draft_weight:.0%}")
        return "; ".join(said)


def measured_model_ranking(
    measured: Path | None, domain: str, items: Sequence[Item], model: Path
) -> ModelRanking | None:
    """What the stage `rerank` found to help in a domain; None where nothing did.

    Where both ways help, the one that helps more: each was measured beside the ranker alone.

    Args:
        measured: the folder of the stage; None where it was not run.
        domain: of the items.
        items: the catalogue.
        model: the GGUF file that was measured.
    """
    from rectune.inference.engine_cache import cached_engine

    if measured is None:
        return None
    figures = read_figures(RerankFigures, measured)
    own = figures.domains.get(domain)
    ways = [one for one in (own.likelihood, own.draft) if one and one.weight] if own else []
    if own is None or not ways:
        return None
    best = max(ways, key=lambda one: one.difference)
    if best is own.draft:
        return ModelRanking(None, best.weight)
    score = title_scores(lambda: cached_engine(model, EngineConfig()), items)
    return ModelRanking(Reranker(score, best.weight, figures.candidates))
