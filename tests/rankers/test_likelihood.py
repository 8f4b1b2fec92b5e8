from collections.abc import Sequence
from contextlib import nullcontext
from pathlib import Path

import numpy as np
import pytest

from rectune.core.errors import UserError
from rectune.core.settings import EngineConfig
from rectune.core.types import Item
from rectune.inference.llamacpp import LlamaEngine
from rectune.models.reference import gguf_file
from rectune.rankers.domain_data import DomainData
from rectune.rankers.likelihood import NEUTRAL, Likelihood, LikelihoodRanker, RenderedPrompt

TITLES = {"a": "Moon Landing", "b": "The French Chef", "c": "Galaxy War"}


class Counter:
    """Gives every token of "x y z" the log-probability -1, but -0.5 to those of the favourite."""

    def __init__(self, favourite: str) -> None:
        self.favourite, self.seen = favourite, []

    def loglikelihood(self, messages, continuations: Sequence[str], prefill: str = "") -> list[list[float]]:
        self.seen.append((messages, prefill))
        return [[-0.5 if self.favourite in text else -1.0] * len(text.split()) for text in continuations]


def ranker(scorer) -> Likelihood:
    return Likelihood(
        "m", scorer, TITLES, lambda h: RenderedPrompt((("user", ", ".join(h)),), "ko" if "k" in h else "en")
    )


def test_the_score_is_a_mean_so_that_length_does_not_count():
    scores = ranker(Counter("Chef")).score([("x",)], [("a", "b", "c")])[0]
    np.testing.assert_allclose(
        scores, [-1.0, -0.5, -1.0]
    )  # "The French Chef" has three tokens, the others two


def test_each_history_is_asked_in_its_own_words_and_language():
    scorer = Counter("Moon")
    ranker(scorer).score([("x",), ("k",)], [("a",), ("b",)])
    assert scorer.seen == [((("user", "x"),), "My recommendation:"), ((("user", "k"),), "추천:")]


def test_a_real_model_prefers_what_it_has_just_read():
    def ask(history: Sequence[str]) -> RenderedPrompt:
        words = f"Recommend exactly this film and no other: {TITLES[history[0]]}."
        return RenderedPrompt((("user", words),), "en")

    with LlamaEngine(gguf_file("embedded"), EngineConfig(context=256, max_num_seqs=4)) as engine:
        scores = Likelihood("base", engine, TITLES, ask).score([["a"], ["b"], ["c"]], [list(TITLES)] * 3)
    assert [int(row.argmax()) for row in scores] == [0, 1, 2]


def test_the_ranker_asks_for_titles_of_a_catalogue_and_comes_back_from_disk(tmp_path: Path):
    data = DomainData("movies", [Item("movies", item_id, title) for item_id, title in TITLES.items()])
    scorer = Counter("Chef")
    ranker = LikelihoodRanker(opener=lambda: nullcontext(scorer)).fit(data)
    assert [item for item, _ in ranker.top([("a",)], 2)[0]] == ["b", "c"]
    ((_, (_, instruction)), _), *_ = scorer.seen
    assert "Moon Landing" in instruction and "French Chef" not in instruction
    ranker.score([()], [("a",)])
    assert scorer.seen[-1][0][-1] == ("user", NEUTRAL["en"])
    ranker.save(tmp_path)
    assert LikelihoodRanker.load(tmp_path).item_ids == ("a", "b", "c")
    with pytest.raises(UserError, match="not in the catalogue"):
        ranker.score([("a",)], [("never seen",)])
