"""Answers requests from the store and a recommender: what a user likes, what they must not see again, why."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import asdict, dataclass, replace

from rectune.inference.service import EngineService
from rectune.inference.service_state import CallCancelled, EngineClosed
from rectune.rankers.base import Ranker
from rectune.recommender.events import AnswerEvents
from rectune.recommender.options import RecommendOptions, explained_items
from rectune.recommender.recommender import Recommender
from rectune.recommender.requests import UserRequest
from rectune.recommender.results import Recommendations, RecommendedItem
from rectune.serving.answers import (
    MODEL_FAILED,
    MODEL_TOO_SLOW,
    Answer,
    AnswerItem,
    Emit,
    NotFound,
    RecommendQuestion,
    answer_item,
    ranked_by,
)
from rectune.serving.catalogue import LiveCatalogue, ServedCatalogue
from rectune.serving.cold_start import IN_ORDER, POPULAR, TASTES, Popularity
from rectune.serving.comparison import Comparison
from rectune.serving.conditions import Conditions, conditions
from rectune.serving.config import Limits
from rectune.serving.limits import OpenGenerations
from rectune.serving.ranking_lock import Usage
from rectune.serving.request_model import in_turn
from rectune.serving.store import feedback, recommendations
from rectune.serving.store.database import Database
from rectune.serving.store.recommendations import ShownItem
from rectune.serving.tastes import Taste, taste_of
from rectune.serving.turn import Turn


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
    arm: tuple[str, str] | None  # the experiment and the ranker of this user, where two are compared


class RecommendService:
    """Recommends to the users of a store. Any thread may use it; what it shares holds nothing of a user.

    Args:
        recommender: what was read, indexed and fitted.
        database: the store.
        engine: runs the recommender's model; None where plain sentences give the reasons.
        limits: see there.
        compared: a second ranker of the recommender's items, for half of the users.
        images: what names the pictures of the recommender's items, by item id.
        search_url: where to look for an item; see `rectune.serving.answers.search_url`.
    """

    def __init__(
        self,
        recommender: Recommender,
        database: Database,
        engine: EngineService | None = None,
        limits: Limits | None = None,
        compared: Ranker | None = None,
        images: Mapping[str, str] | None = None,
        search_url: str = "",
    ) -> None:
        self.database, self.engine, self.search_url = database, engine, search_url
        self.catalogue = LiveCatalogue(recommender, compared, images)
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
        is neither, the tastes of the user's profile are the query, and without any what is popular comes.
        What the user has seen, disliked, hidden or liked does not come.
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
        arm = self.comparison.assigned(question.user) if self.comparison else None
        catalogue = catalogue.of_arm(arm[1]) if arm else catalogue
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
        history = [text for text in (*work.taste.liked, *question.history) if text.strip()]
        words, tastes = question.words, ""
        if not history and not question.query.strip():
            tastes = ", ".join(work.taste.tastes)
        if not (history or words or tastes):
            return self._popular(work)
        strategy = "_and_".join(["history"] * bool(history) + ["query"] * bool(words and not tastes))
        request = UserRequest(history, ", ".join(filter(None, (tastes, words))), locale=question.locale)
        later = frozenset() if words else work.taste.shown
        first = self._asked(work, request, later, question.n)
        if len(first) == question.n or not later:
            return strategy or TASTES, first
        there = frozenset(item.item_id for item in first)
        rest = self._asked(work, request, there, question.n - len(first), len(first))
        return strategy or TASTES, replace(first, items=(*first.items, *rest.items))

    def _asked(
        self, work: _Work, request: UserRequest, besides: frozenset[str], k: int, before: int = 0
    ) -> Recommendations:
        """The best k items but those that are left out, with reasons; `before` items stand before them."""
        explain = self._explained(work.question) - before
        options = RecommendOptions(
            k, work.left_out | besides, work.wanted.where, work.wanted.within, max(0, min(k, explain)),
            work.question.explore,
        )  # fmt: skip
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
            work.notes.append(MODEL_FAILED)
        except CallCancelled:
            if not work.turn.expired or work.catalogue.recommender.ranker is None:
                raise
            work.notes.append(MODEL_TOO_SLOW)
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
                work.emit("item", {"place": place, **asdict(self._item(work, item))})

    @contextmanager
    def _model(self, work: _Work) -> Iterator[Recommender]:
        """The recommender of this request, whose model writes in the engine."""
        if self.engine is None or work.turn.expired:
            yield work.catalogue.plain
            return
        asked = in_turn(
            self.engine, self.lock, work.catalogue.recommender, work.turn, self.limits.answer_seconds,
            work.usage, work.variation,
        )  # fmt: skip
        with asked as mine:
            yield mine

    def _popular(self, work: _Work) -> tuple[str, Recommendations]:
        with self.database.reading() as session:
            popularity = Popularity.of(work.catalogue.recommender.likes, feedback.like_counts(session))
        question, taste = work.question, work.taste
        with self.lock:
            answer, strategy = popularity.answer(
                work.catalogue.items, work.left_out, work.wanted, taste.shown, question.n,
                explained_items(question.explain, question.n), question.locale or taste.locale,
            )  # fmt: skip
        self._tell_items(work, answer, 0, set())
        return strategy, answer

    def _kept(
        self, work: _Work, strategy: str, found: Recommendations, previous: str | None, took_ms: int
    ) -> Answer:
        """Keep the answer: what was shown is known at the next request."""
        work.turn.check()
        items = tuple(self._item(work, one) for one in found)
        by, notes = ranked_by(found) or strategy, tuple(dict.fromkeys(work.notes))
        told = {
            "ranked_by": by, "fits": found.fits, "not_found": list(found.not_found), "notes": list(notes),
            "explored": [one.item_id for one in items if one.explored],
        }  # fmt: skip
        shown = [
            ShownItem(
                one.item_id, one.score, one.reason, one.reasons_by or "",
                [] if one.evidence is None else [one.evidence],
            )
            for one in items
        ]  # fmt: skip
        arm = None if strategy in (POPULAR, IN_ORDER) else work.arm
        with self.database.writing() as session:
            row = recommendations.record(
                session, work.taste.user_id, work.question.record(), shown, strategy=strategy,
                took_ms=took_ms, previous=previous, told=told, arm=arm,
            )  # fmt: skip
        return Answer(
            row.id, previous, strategy, by, found.fits, items, found.not_found, notes, asdict(work.usage),
            took_ms,
        )  # fmt: skip

    def _item(self, work: _Work, item: RecommendedItem) -> AnswerItem:
        return answer_item(work.catalogue.items[item.item_id], item, self.search_url)
