"""A recommender behind an engine service: its own reasons for everybody, checked before they go out."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from rectune.core.errors import UserError
from rectune.inference.requests import GenerationRequest, GenerationResult
from rectune.inference.scoring import ScoringJob
from rectune.inference.service import EngineService
from rectune.inference.service_call import EngineCall
from rectune.inference.service_state import CallCancelled, EngineClosed
from rectune.inference.token_budgets import SAME_LENGTHS
from rectune.rankers.base import fit_ranker
from rectune.rankers.domain_data import DomainData
from rectune.rankers.rerank import Reranker, title_scores
from rectune.recommender.events import AnswerEvents
from rectune.recommender.generative import GenerativeRecommender
from rectune.recommender.model_ranking import ModelRanking
from rectune.recommender.options import RecommendOptions
from rectune.recommender.recommender import Recommender
from rectune.recommender.requests import UserRequest
from rectune.recommender.served import served
from rectune.retrieval.grounding import ground_in
from tests.recommender.shelf import RETRIEVAL, films, ids
from tests.recommender.writer import Writer, from_facts

BAD = "will love **Starship Forever** too."


class Author:
    """An engine that writes a word of every answer a step, and finds the title Harbour the likeliest."""

    model, slots, context = Path("m.gguf"), 4, 500
    lengths = SAME_LENGTHS
    evaluated_prompt_tokens = 0  # its prompts have none

    def __init__(self, write: Callable[[GenerationRequest], str]) -> None:
        self.write = write
        self.open: dict[Any, list[str]] = {}
        self.before_step: Callable[[], object] = lambda: None

    @property
    def busy(self) -> bool:
        return bool(self.open)

    def enqueue(self, job: Any) -> None:
        job.begin()
        scores = isinstance(job, ScoringJob)
        self.open[job] = [] if scores else re.findall(r"\s*\S+", " " + self.write(job.request))

    def cancel(self, job: Any) -> None:
        pass  # the job says so

    def step(self) -> None:
        self.before_step()
        for job, words in list(self.open.items()):
            if job.cancelled:
                self.open.pop(job).clear()
                job.give_up("cancelled")
            elif isinstance(job, ScoringJob):
                del self.open[job]
                behind = "Moon" in job.messages[-1][1]
                job.done([[-1.0 if behind and "Harbour" in one else -5.0] for one in job.continuations], 9)
            elif words:
                job.written = getattr(job, "written", "") + words[0]
                job.write(words.pop(0))
            else:
                del self.open[job]
                job.end(GenerationResult(job.request.id, getattr(job, "written", ""), "stop", 9, 9))

    def __enter__(self) -> Author:
        return self

    def __exit__(self, *error: object) -> None:
        for job in list(self.open):
            job.give_up("cancelled")


def shelf(folder: Path, ranker: str = "bm25", **changed: Any) -> Recommender:
    settings = RETRIEVAL.model_copy(update={"attempts": 3, **changed})
    grounding = ground_in(films(), folder / "index", "letters", settings)

    def forbidden(*given: object, **more: object) -> list[GenerationResult]:
        raise AssertionError("the recommender that is shared was asked")

    model = GenerativeRecommender(Author.model, grounding, settings, folder / "g.sqlite", forbidden)
    fitted = fit_ranker(ranker, DomainData("movies", films())) if ranker else None
    return Recommender(films(), fitted, model, lambda: grounding)


@contextmanager
def running(write: Callable[[GenerationRequest], str] = from_facts) -> Iterator[tuple[EngineService, Author]]:
    author = Author(write)
    with EngineService(author) as service:
        yield service, author


def test_the_answer_is_that_of_a_recommender_alone_and_leaves_nothing_on_disk(tmp_path: Path):
    recommender = shelf(tmp_path)
    request = {"history": ["Moon Landing"], "k": 3}
    with running() as (service, _), EngineCall(service) as call:
        found = served(recommender, call).recommend(**request)
    recommender.generative = GenerativeRecommender(
        Author.model, recommender.generative.grounding, recommender.generative.retrieval,
        tmp_path / "other.sqlite", Writer("", from_facts),
    )  # fmt: skip
    assert found == recommender.recommend(**request)
    assert {item.reason_by for item in found} == {"model"}
    assert [path.name for path in tmp_path.iterdir()] == ["index"]


def test_two_threads_never_get_each_others_reasons(tmp_path: Path):
    def write(request: GenerationRequest) -> str:
        (canary,) = set(re.findall(r"canary\w+", request.messages[-1][1]))
        return f"will enjoy this {canary} thing: {from_facts(request)}"

    recommender = shelf(tmp_path, min_similarity=-1.0)
    heard: dict[str, list[str]] = {"ant": [], "bee": []}

    def ask(name: str) -> list[str]:
        reasons = []
        for _ in range(10):
            with EngineCall(service) as call:
                mine = served(recommender, call, on_sentence=lambda one: heard[name].append(one.text))
                found = mine.recommend(query=f"Moon or bread, canary{name}", k=3)
            assert {item.reason_by for item in found} == {"model"}
            reasons += [item.reason for item in found]
        return reasons

    with running(write) as (service, _), ThreadPoolExecutor(2) as pool:
        for name, reasons in zip(heard, pool.map(ask, heard), strict=True):
            assert len(reasons) == len(heard[name]) == 30
            for text in (*reasons, *heard[name]):
                assert set(re.findall(r"canary\w+", text)) == {f"canary{name}"}


def test_items_come_first_and_each_reason_as_soon_as_it_is_checked(tmp_path: Path):
    told = list[tuple[str, Any]]()
    first = threading.Event()
    tries = dict[str, int]()

    def write(request: GenerationRequest) -> str:
        tries[request.facts] = tries.get(request.facts, 0) + 1
        if "Space and War" in from_facts(request) or tries[request.facts] == 2:  # the first item
            return from_facts(request)
        return BAD + " And on it goes." * 10

    def on_reason(at: int, item_id: str, reason: Any) -> None:
        told.append((item_id, reason))
        first.set()

    events = AnswerEvents(lambda at, answer: told.append(("items", answer)), on_reason)
    with running(write) as (service, author), EngineCall(service) as call:
        steps = iter(range(1000))

        def step() -> None:
            # The other answer is half written: it does not go on before somebody has heard of the first one.
            assert next(steps) < 25 or first.wait(5)

        author.before_step = step
        (found,) = served(shelf(tmp_path), call).recommend_all(
            [UserRequest(["Moon Landing"])], RecommendOptions(k=2, explain=2), events
        )
    (kind, items), *reasons = told
    assert kind == "items" and ids(items) == ids(found) == ["12", "13"]
    assert not any(item.reason or item.reason_by for item in items)
    assert [item_id for item_id, _ in reasons] == ["12", "13"]
    by_id = {item.item_id: item for item in found}
    for item_id, reason in reasons:
        assert (by_id[item_id].reason, by_id[item_id].reason_by) == (reason.reason, "model")
    assert dict(reasons)["13"].tries == 2  # what was refused was asked for again, and is heard of by nobody


@pytest.mark.parametrize("untrusted", [frozenset(), frozenset({"en", "ko"})])
def test_what_is_refused_never_goes_out_and_a_plain_sentence_stands(tmp_path: Path, untrusted: Any):
    told = list[str]()
    recommender = shelf(tmp_path)
    recommender.generative = recommender.generative.__class__(
        Author.model, recommender.generative.grounding, recommender.generative.retrieval,
        tmp_path / "g.sqlite", untrusted=untrusted,
    )  # fmt: skip
    events = AnswerEvents(on_reason=lambda at, item_id, reason: told.append(reason.reason))
    with running(lambda request: BAD) as (service, _), EngineCall(service) as call:
        (found,) = served(recommender, call).recommend_all(
            [UserRequest(["Moon Landing"])], RecommendOptions(k=2, explain=2), events
        )
        asked = service.snapshot().accepted
    assert {item.reason_by for item in found} == {"template"} and asked == (0 if untrusted else 6)
    assert told == [item.reason for item in found] and not any("Starship" in text for text in told)


def test_the_model_may_choose_the_items_but_not_by_constrained_decoding(tmp_path: Path):
    def write(request: GenerationRequest) -> str:
        return from_facts(request) if request.prefill else "Bread is good.\nMy recommendation: Bread Street"

    heard = list[Any]()
    events = AnswerEvents(lambda at, one: heard.append(ids(one)), lambda *given: heard.append(given[1]))
    with running(write) as (service, _), EngineCall(service) as call:
        (found,) = served(shelf(tmp_path, "", grounding="retrieve"), call).recommend_all(
            [UserRequest(["Moon Landing"])], RecommendOptions(k=2, explain=2), events
        )
        assert found[0].title == "Bread Street" and found[0].reason_by == "model"
        assert heard[0] == ids(found) and sorted(heard[1:]) == sorted(ids(found))
        with pytest.raises(UserError, match="constrained"):
            served(shelf(tmp_path, "", grounding="constrained"), call)


def test_titles_are_scored_in_the_engine_of_the_service(tmp_path: Path):
    recommender = shelf(tmp_path)
    plain = ids(recommender.recommend(["Moon Landing"], k=5, explain=False))

    def forbidden() -> Any:
        raise AssertionError("another engine was opened")

    recommender.model_ranking = ModelRanking(Reranker(title_scores(forbidden, films()), 1.0, 5))
    with running() as (service, _):
        for _ in range(2):
            with EngineCall(service) as call:
                found = served(recommender, call).recommend(["Moon Landing"], k=5, explain=False)
                assert ids(found)[0] == "16" != plain[0] and sorted(ids(found)) == sorted(plain)
        # Twice for the history, and once for what titles have without one.
        assert service.snapshot().finished == {"scored": 3}


def test_another_variation_asks_otherwise_and_the_same_asks_the_same(tmp_path: Path):
    seeds = list[int]()

    def write(request: GenerationRequest) -> str:
        seeds.append(request.seed)
        return from_facts(request)

    recommender = shelf(tmp_path)
    with running(write) as (service, _):
        for variation in (0, 0, 5, 6):
            with EngineCall(service) as call:
                served(recommender, call, variation=variation).recommend(["Moon Landing"], k=1)
    assert seeds[0] == seeds[1] and len(set(seeds)) == 3


def test_a_cancelled_request_and_a_closed_service_are_told(tmp_path: Path):
    recommender = shelf(tmp_path)
    with running() as (service, author), EngineCall(service) as call, ThreadPoolExecutor(1) as pool:
        begun, go = threading.Event(), threading.Event()
        author.before_step = lambda: begun.set() or go.wait(10)
        found = pool.submit(served(recommender, call).recommend, ["Moon Landing"])
        assert begun.wait(10)
        call.cancel()
        go.set()
        with pytest.raises(CallCancelled):
            found.result(60)
    with EngineCall(service) as late, pytest.raises(EngineClosed):
        served(recommender, late).recommend(["Moon Landing"])


def test_without_a_model_reasons_are_told_all_the_same(tmp_path: Path):
    recommender = shelf(tmp_path)
    recommender.generative = None
    told = list[str]()
    events = AnswerEvents(on_reason=lambda at, item_id, reason: told.append(item_id))
    with running() as (service, _), EngineCall(service) as call:
        (found,) = served(recommender, call).recommend_all(
            [UserRequest(["Moon Landing"])], RecommendOptions(k=3, explain=2), events
        )
    assert told == ids(found)[:2] and service.snapshot().accepted == 0
