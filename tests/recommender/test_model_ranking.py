"""A language model beside the ranker: only what was found to help, and exactly that, ranks."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from rectune.core.artifacts import MANIFEST
from rectune.core.figures.rerank import DomainRerank, MeasuredWeight, RerankFigures
from rectune.rankers.base import fit_ranker
from rectune.rankers.domain_data import DomainData
from rectune.rankers.rerank import Reranker
from rectune.recommender.answering import CatalogueAnswers
from rectune.recommender.model_ranking import ModelRanking, measured_model_ranking
from rectune.recommender.options import RecommendOptions
from rectune.recommender.requests import UserRequest
from tests.rankers.world import items


def weighs(weight: float, helps: float = 0.01) -> MeasuredWeight:
    return MeasuredWeight(weight=weight, best=0.5, difference=helps, interval=(-0.01, 0.03))


def measured(tmp_path: Path, likelihood: float, draft: float, draft_helps: float = 0.01) -> Path:
    """A finished stage `rerank` with these weights for movies."""
    drafts = weighs(draft, draft_helps)
    own = DomainRerank(cases=50, ndcg_at_10=0.2, likelihood=weighs(likelihood), draft=drafts)
    figures = RerankFigures(candidates=7, prior=1.0, domains={"movies": own})
    (tmp_path / MANIFEST).write_text(json.dumps({"figures": figures.document(), "files": {}}))
    return tmp_path


def test_what_did_not_help_does_not_rank(tmp_path: Path):
    model = tmp_path / "model.gguf"
    assert measured_model_ranking(None, "movies", items(), model) is None
    assert measured_model_ranking(measured(tmp_path, 0.0, 0.0), "movies", items(), model) is None
    assert measured_model_ranking(measured(tmp_path, 0.4, 0.0), "books", items(), model) is None
    found = measured_model_ranking(measured(tmp_path, 0.4, 0.0), "movies", items(), model)
    assert found is not None and found.reranker is not None
    assert (found.reranker.weight, found.candidates, found.draft_weight) == (0.4, 7, 0.0)
    assert found.describe() == (
        "the first 7 are re-ordered by the likelihood of their titles, which counts 40%"
    )
    # Each was measured beside the ranker alone, so only one of them is used: that which helps more.
    both = measured_model_ranking(measured(tmp_path, 0.4, 0.2, draft_helps=0.02), "movies", items(), model)
    assert both == ModelRanking(None, 0.2)


def last_first(histories, candidates):
    """A model that finds the last of the candidates the likeliest."""
    return [np.arange(len(shown), dtype=float) for shown in candidates]


@pytest.fixture
def recommender() -> CatalogueAnswers:
    ranker = fit_ranker("bm25", DomainData("movies", items()))
    beside = ModelRanking(Reranker(last_first, weight=1.0, candidates=6))
    return CatalogueAnswers(items(), ranker, model_ranking=beside)


def test_a_history_is_re_ordered_and_words_are_not(recommender: CatalogueAnswers):
    plain = CatalogueAnswers(items(), recommender.ranker)
    options = RecommendOptions(k=3, explain=0, explain_ranking=True)
    history, query = UserRequest(["m0", "m1"]), UserRequest(query="space war")
    before = [one.item_id for one in plain.recommend_all([history], RecommendOptions(k=8, explain=0))[0]]
    (found,) = recommender.recommend_all([history], options)
    assert [one.item_id for one in found] == before[:6][::-1][:3]
    assert "re-ordered" in found.ranking.model
    assert [one.score for one in found] == sorted((one.score for one in found), reverse=True)
    (by_words,) = recommender.recommend_all([query], options)
    assert [one.item_id for one in by_words] == [
        one.item_id for one in plain.recommend_all([query], options)[0]
    ]
    assert by_words.ranking.model == ""


def test_places_for_the_unfamiliar_are_given_after_re_ordering(recommender: CatalogueAnswers):
    options = RecommendOptions(k=4, explain=0, explore=0.5)
    (found,) = recommender.recommend_all([UserRequest(["m0", "m1"])], options)
    assert len({one.item_id for one in found}) == 4 and not {"m0", "m1"} & {one.item_id for one in found}
