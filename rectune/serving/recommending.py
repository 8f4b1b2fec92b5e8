"""Answers requests from the store and a recommender: what a user likes, what they must not see again, why."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import asdict, dataclass, replace
from typing import Any

from rectune.inference.service import EngineService
from rectune.inference.service_call import EngineCall
from rectune.inference.service_generate import ServiceGenerate
from rectune.inference.service_state import CallCancelled, EngineClosed
from rectune.rankers.base import Ranker
from rectune.recommender.events import AnswerEvents
from rectune.recommender.options import RecommendOptions, explained_items
from rectune.recommender.recommender import Recommender
from rectune.recommender.requests import UserRequest
from rectune.recommender.results import Recommendations, RecommendedItem
from rectune.recommender.served import served
from rectune.serving.answers import Answer, AnswerItem, Emit, NotFound, RecommendQuestion, ranked_by
from rectune.serving.catalogue import LiveCatalogue, ServedCatalogue
from rectune.serving.cold_start import IN_ORDER, POPULAR, Popularity
from rectune.serving.comparison import Comparison
from rectune.serving.conditions import Conditions, conditions
from rectune.serving.config import Limits
from rectune.serving.limits import OpenGenerations
from rectune.serving.ranking_lock import GenerateOutside, ScoreOutside, Usage
from rectune.serving.store import feedback, recommendations
from rectune.serving.store.database import Database
from rectune.serving.store.recommendations import ShownItem
from rectune.serving.tastes import Taste, taste_of
from rectune.serving.turn import Turn

_FAILED = "the model failed: plain sentences give the reasons"
_TOO_SLOW = "the model took too long: plain sentences give the reasons"


def _nobody(name: str, told: object) -> None:
    """Hears of parts of an answer and does nothing."""


@dataclass
class _Work:
    """One request while it is answered. Nothing of it outlives the request but what the store keeps."""

    catalogue: ServedCatalogue
    question: RecommendQuestion
    taste: Taste
    left_out: frozenset[str]
    wanted: Conditions
    turn: Turn
    emit: Emit
    variation: int
    usage: Usage
    notes: list[str]
    arm: str | None  # the ranker of this user, where two are compared


class RecommendService:
    """Recommends to the users of a store. Any thread may use it; what it shares holds nothing of a user.

    Args:
        recommender: what was read, indexed and fitted.
        database: the store.
        engine: runs the recommender's model; None where plain sentences give the reasons.
        limits: see there.
        compared: a second ranker of the recommender's items, for half of the users.
    """

    def __init__(
        self,
        recommender: Recommender,
        database: Database,
        engine: EngineService | None = None,
        limits: Limits | None = None,
        compared: Ranker | None = None,
    ) -> None:
        self.database, self.engine = database, engine
        self.catalogue = LiveCatalogue(recommender, compared)
        both = (recommender.ranker, compared)
        self.comparison = Comparison(both[0].name, both[1].name) if both[0] and both[1] else None
        self.limits = limits or Limits()
        self._generations = OpenGenerations(self.limits.open_generations)
        self.lock = threading.Lock()  # see `ranking_lock`

    @property
    def recommender(self) -> Recommender:
        """Of the catalogue that is served now; another call may give another one."""
        return self.catalogue.current.recommender

    def recommend(
        self,
        question: RecommendQuestion,
        *,
        turn: Turn | None = None,
        emit: Emit = _nobody,
        previous: str | None = None,
    ) -> Answer:
        """Answer a question, and keep what was shown.

        A history is ranked by the recommender's ranker, a query is searched for, both are fused; where there
        is neither, what is popular comes. What the user has seen, disliked, hidden or liked does not come.
        Without a query, what they were shown without reacting comes last: first all other items are asked
        for, and only where these do not suffice those as well. A query is answered by what fits it, shown
        before or not.

        Args:
            question: what is asked.
            turn: cancels it.
            emit: hears of `item` and `reason` as they are sure, in the calling thread.
            previous: the id of the answer that it goes on from: what that chain has shown does not come.

        Raises:
            NotFound: there is no such user, or no such previous answer of theirs.
            UserError: conditions that no item meets.
            EngineBusy: the queue is full.
            EngineClosed: the model chooses the items, and its engine has ended.
            TooManyRequests: too many answers are open.
            CallCancelled: the turn was cancelled.
        """
        start, (catalogue, deleted) = time.monotonic(), self.catalogue.snapshot()
        arm = self.comparison.arm_of(question.user) if self.comparison else None
        catalogue = catalogue.of_arm(arm)
        taste = taste_of(self.database, catalogue.recommender, question.user, question.shown_last)
        shown: list[str] = []
        if previous is not None:
            with self.database.reading() as session:
                shown = recommendations.shown_before(session, previous)
        wanted = conditions(catalogue.items, question.categories, question.where)
        left_out = taste.refused.union(question.exclude, shown, deleted)
        work = _Work(
            catalogue, question, taste, left_out, wanted, turn or Turn(), emit, len(shown), Usage(), [], arm
        )
        with self.open_generation(question.user or ""):
            strategy, found = self._answered(work)
        return self._kept(work, strategy, found, previous, round((time.monotonic() - start) * 1000))

    def question_of(self, id: str, user: str | None) -> RecommendQuestion:
        """What was asked when this answer was given.

        Raises:
            NotFound: there is no such answer, or it is not this user's.
        """
        with self.database.reading() as session:
            found = recommendations.find(session, id)
        owner = taste_of(self.database, self.recommender, user).user_id
        if found is None or found[0].user_id != owner:
            raise NotFound(f"there is no recommendation {id} of theirs", hint="ask anew")
        return RecommendQuestion.of_record(user, found[0].request)

    def open_generation(self, user: str) -> AbstractContextManager[None]:
        """An answer of the model is open within; of a user, where one is named, not too many are.

        Raises:
            TooManyRequests: when it is entered.
        """
        return self._generations.of(user) if self.engine and user else nullcontext()

    def drain(self) -> None:
        """Let what is open end, then free the engine."""
        if self.engine:
            self.engine.drain(self.limits.drain_seconds)

    def _answered(self, work: _Work) -> tuple[str, Recommendations]:
        question = work.question
        history = [*work.taste.liked, *question.history]
        if not any(text.strip() for text in history) and not question.query.strip():
            return self._popular(work)
        strategy = "_and_".join(["history"] * bool(history) + ["query"] * bool(question.query.strip()))
        request = UserRequest(history, question.query)
        later = frozenset() if question.query.strip() else work.taste.shown
        first = self._asked(work, request, later, question.n)
        if len(first) == question.n or not later:
            return strategy, first
        there = frozenset(item.item_id for item in first)
        rest = self._asked(work, request, there, question.n - len(first), len(first))
        return strategy, replace(first, items=(*first.items, *rest.items))

    def _asked(
        self, work: _Work, request: UserRequest, besides: frozenset[str], k: int, before: int = 0
    ) -> Recommendations:
        """The best k items but those that are left out, with reasons; `before` items stand before them."""
        explain = self._explained(work.question) - before
        options = RecommendOptions(
            k, work.left_out | besides, work.wanted.where, work.wanted.within, max(0, min(k, explain))
        )
        told: set[str] = set()
        events = AnswerEvents(
            lambda at, found: self._tell_items(work, found, before, told),
            lambda at, item, reason: work.emit(
                "reason", {"item_id": item, "reason": reason.reason, "reasons_by": reason.by}
            ),
        )
        try:
            with self._model(work) as mine, self.lock:
                work.turn.check()
                return mine.recommend_all([request], options, events)[0]
        except EngineClosed:
            if work.catalogue.recommender.ranker is None:
                raise
            work.notes.append(_FAILED)
        except CallCancelled:
            if not work.turn.expired or work.catalogue.recommender.ranker is None:
                raise
            work.notes.append(_TOO_SLOW)
        work.turn.check()
        with self.lock:
            return work.catalogue.plain.recommend_all([request], options, events)[0]

    def _explained(self, question: RecommendQuestion) -> int:
        asked = min(question.n, explained_items(question.explain, question.n))
        return min(asked, self.limits.explained) if self.engine else asked

    def _tell_items(self, work: _Work, found: Recommendations, before: int, told: set[str]) -> None:
        for place, item in enumerate(found.items, before + 1):
            if item.item_id not in told:
                told.add(item.item_id)
                work.emit("item", {"place": place, **asdict(_item(work, item))})

    @contextmanager
    def _model(self, work: _Work) -> Iterator[Recommender]:
        """The recommender of this request, whose model writes in the engine."""
        if self.engine is None or work.turn.expired:
            yield work.catalogue.plain
            return
        with EngineCall(self.engine) as call, self._timed(work.turn):
            work.turn.opened(call)
            with self.lock:
                mine = served(work.catalogue.recommender, call, variation=work.variation)
            if mine.generative:
                generate = ServiceGenerate(call, work.variation)
                outside = GenerateOutside(self.lock, generate, work.usage)
                mine.generative = replace(mine.generative, generate=outside)
            if mine.model_ranking:
                score = ScoreOutside(self.lock, call)
                mine.model_ranking = mine.model_ranking.with_engine(score.opened)
            yield mine

    @contextmanager
    def _timed(self, turn: Turn) -> Iterator[None]:
        timer = threading.Timer(self.limits.answer_seconds, turn.expire)
        timer.daemon = True
        timer.start()
        try:
            yield
        finally:
            timer.cancel()

    def _popular(self, work: _Work) -> tuple[str, Recommendations]:
        with self.database.reading() as session:
            stored = feedback.like_counts(session)
        popularity = Popularity.of(work.catalogue.recommender.likes, stored)
        items = work.catalogue.items
        ids, strategy = popularity.best(items, work.left_out, work.wanted, work.taste.shown)
        reasons = min(work.question.n, explained_items(work.question.explain, work.question.n))
        with self.lock:
            found = tuple(
                popularity.shown(items[item], work.taste.locale, at < reasons)
                for at, item in enumerate(ids[: work.question.n])
            )
        answer = Recommendations(found)
        self._tell_items(work, answer, 0, set())
        return strategy, answer

    def _kept(
        self, work: _Work, strategy: str, found: Recommendations, previous: str | None, took_ms: int
    ) -> Answer:
        """Keep the answer: what was shown is known at the next request."""
        work.turn.check()
        items = tuple(_item(work, one) for one in found)
        shown = [
            ShownItem(
                one.item_id, one.score, one.reason, one.reasons_by or "",
                [] if one.evidence is None else [one.evidence],
            )
            for one in items
        ]  # fmt: skip
        ranked = self.comparison and work.arm and strategy not in (POPULAR, IN_ORDER)
        with self.database.writing() as session:
            row = recommendations.record(
                session, work.taste.user_id, work.question.record(), shown, strategy=strategy,
                took_ms=took_ms, previous=previous, arm=(self.comparison.name, work.arm) if ranked else None,
            )  # fmt: skip
        return Answer(
            row.id, previous, strategy, ranked_by(found) or strategy, found.fits, items, found.not_found,
            tuple(dict.fromkeys(work.notes)), asdict(work.usage), took_ms,
        )  # fmt: skip


def _item(work: _Work, item: RecommendedItem) -> AnswerItem:
    own = work.catalogue.items[item.item_id]
    evidence: dict[str, Any] | None = None
    if item.evidence:
        evidence = {name: value for name, value in asdict(item.evidence).items() if value is not None}
    return AnswerItem(
        item.item_id, item.title, item.score, own.categories, own.year, item.reason, item.reason_by, evidence
    )
