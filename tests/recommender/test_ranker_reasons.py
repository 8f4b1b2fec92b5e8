"""Reasons by the language model of the ranker that recommends: checked, asked for again, and replaced."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from rectune.core.errors import UserError
from rectune.core.settings import SamplingConfig
from rectune.inference.requests import GenerationResult
from rectune.rankers.base import Scores
from rectune.rankers.baselines import Bm25
from rectune.rankers.domain_data import DomainData
from rectune.rankers.reason_writer import ReasonRequest
from rectune.recommender import build
from rectune.recommender.events import AnswerEvents
from rectune.recommender.options import RecommendOptions
from rectune.recommender.recommender import Recommender
from rectune.recommender.requests import UserRequest
from tests.recommender.shelf import RETRIEVAL, films

AGAIN = RETRIEVAL.model_copy(update={"attempts": 2})


def from_facts(asked: ReasonRequest) -> str:
    said = asked.facts.partition("(")[2].partition(")")[0].replace(":", "").replace(", ", " and ")
    return f" will enjoy this for its {said}."


class Wordy(Bm25):
    """Ranks by words, scores wishes as if nothing were asked for, and says what it is told to."""

    name = "wordy"
    writes = True

    def __init__(self, says: Callable[[ReasonRequest], str] = from_facts) -> None:
        super().__init__()
        self.says, self.asked, self.wishes = says, list[tuple[ReasonRequest, int]](), list[str]()

    def write_reason(self, asked: ReasonRequest, sampling: SamplingConfig, seed: int) -> GenerationResult:
        self.asked.append((asked, seed))
        if asked.item_id == "16":
            raise UserError("a prompt is too long")
        return GenerationResult("", self.says(asked), "stop", 9, 9)

    def score_wishes(
        self, histories: Sequence[Sequence[str]], candidates: Sequence[Sequence[str]], wishes: Sequence[str]
    ) -> list[Scores]:
        self.wishes += wishes
        return self.score(histories, candidates)


def with_ranker(ranker: Wordy, writes: bool = True, settings=AGAIN) -> Recommender:
    ranker.fit(DomainData("movies", films()))
    return Recommender(films(), ranker, retrieval=settings, ranker_writes=writes)


def test_what_passes_the_checks_goes_out_as_the_models():
    ranker = Wordy()
    found = with_ranker(ranker).recommend(["Moon Landing"], k=2)
    assert [item.reason_by for item in found] == ["model", "model"]
    assert found[0].reason == "Because you liked Moon Landing, you " + (
        "will enjoy this for its Space and War and 1995 and maker Orbit."
    )
    (asked, _), _ = ranker.asked
    assert (asked.history, asked.item_id, asked.wish, asked.locale) == (("11",), "12", "", "en")
    assert asked.facts.startswith("Moon War (Space, War, 1995, maker: Orbit)")


def test_what_is_refused_is_asked_for_again_with_another_seed_and_then_replaced():
    ranker = Wordy(lambda asked: " should see Bread Street, which is a film of cooking.")
    found = with_ranker(ranker).recommend(["Moon Landing"], k=1)
    assert found[0].reason_by == "template" and "Bread" not in found[0].reason
    assert len(ranker.asked) == 2 and len({seed for _, seed in ranker.asked}) == 2


def test_greedy_decoding_is_not_asked_again():
    ranker = Wordy(lambda asked: " x")
    greedy = AGAIN.model_copy(update={"sampling": SamplingConfig(temperature=0.0)})
    assert with_ranker(ranker, settings=greedy).recommend(["11"], k=1)[0].reason_by == "template"
    assert len(ranker.asked) == 1


def test_a_prompt_without_room_is_no_reason():
    ranker = Wordy()
    found = with_ranker(ranker).recommend(["Moon Landing"], k=1, within=["16"])
    assert found[0].reason_by == "template" and ranker.asked


def test_where_it_does_not_rank_or_shall_not_write_plain_sentences_stand():
    ranker = Wordy()
    both = with_ranker(ranker)
    assert both.asks_ranker and both.recommend(query="bread", k=1)[0].reason_by == "template"
    assert not ranker.asked
    both.recommend(["Moon Landing"], query="bread", k=1)
    assert ranker.asked[0][0].wish == "bread" and ranker.asked[0][0].history == ("11",)
    silent = with_ranker(quiet := Wordy(), writes=False)
    assert not silent.asks_ranker and silent.recommend(["11"], k=1)[0].reason_by == "template"
    assert not quiet.asked


def test_the_words_of_a_request_reach_a_ranker_that_heeds_wishes():
    ranker = Wordy()
    recommender = with_ranker(ranker)
    recommender.recommend(["Moon Landing"], query="bread", explain=False)
    recommender.recommend(["Moon Landing"], explain=False)
    recommender.recommend(query="bread", explain=False)
    assert ranker.wishes == ["bread", ""]


def test_every_reason_is_heard_of_at_the_place_of_its_item():
    heard = list[tuple[int, str, str]]()
    events = AnswerEvents(on_reason=lambda at, item, reason: heard.append((at, item, reason.by)))
    requests = [UserRequest(query="bread"), UserRequest(["Moon Landing"]), UserRequest(["12"])]
    found = with_ranker(Wordy()).recommend_all(requests, RecommendOptions(1, explain=1), events)
    told = [(at, answer[0].item_id, answer[0].reason_by) for at, answer in enumerate(found)]
    assert sorted(heard) == told and [by for *_, by in told] == ["template", "model", "model"]


def test_a_ranker_without_a_language_model_cannot_be_made_to_write(tmp_path: Path):
    with pytest.raises(UserError, match="bm25 writes none"):
        build.from_items(films(), ranker="bm25", model="ranker", retrieval=RETRIEVAL, folder=tmp_path)
    own = Wordy().fit(DomainData("movies", films()))
    parts = build.from_items(films(), ranker=own, model="ranker", retrieval=RETRIEVAL, folder=tmp_path)
    assert parts.ranker_writes and parts.generative is None
