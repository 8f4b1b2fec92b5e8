"""Answers requests from the store and a recommender: what a user likes, what they must not see again, why."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import replace

from rectune.core.errors import UserError
from rectune.dialogue.knowledge import Persona
from rectune.dialogue.self_check import PersonaVerdict
from rectune.inference.service import EngineService
from rectune.rankers.base import Ranker
from rectune.recommender.options import RecommendOptions, explained_items
from rectune.recommender.recommender import Recommender
from rectune.recommender.requests import UserRequest
from rectune.recommender.results import Recommendations
from rectune.recommender.user_attributes import checked_attributes, known_attributes
from rectune.retrieval.embedding import query_vectors_kept
from rectune.serving.answers import UNKNOWN_STATED, Answer, Emit, NotFound, RecommendQuestion
from rectune.serving.catalogue import LiveCatalogue
from rectune.serving.cold_start import ATTRIBUTES, TASTES, Popularity
from rectune.serving.comparison import Comparison
from rectune.serving.conditions import conditions
from rectune.serving.config import Limits
from rectune.serving.limits import OpenGenerations
from rectune.serving.persona_say import PersonaSay
from rectune.serving.personas import Change, Personas
from rectune.serving.profile_attributes import stated_by
from rectune.serving.request_model import in_turn, without_model
from rectune.serving.store import feedback, recommendations
from rectune.serving.store.database import Database
from rectune.serving.tastes import taste_of
from rectune.serving.turn import Turn
from rectune.serving.wording_time import WordingTime
from rectune.serving.work import Work, nobody


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
        verdict: how surely the engine's model judges items for a persona; None where that was not checked.
        use_profile: whether a ranker that learnt from what users state gets what users say of themselves.
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
        verdict: PersonaVerdict | None = None,
        use_profile: bool = False,
    ) -> None:
        self.database, self.engine, self.search_url = database, engine, search_url
        self.catalogue = LiveCatalogue(recommender, compared, images)
        both = (recommender.ranker, compared)
        self.comparison = Comparison(both[0].name, both[1].name) if both[0] and both[1] else None
        self.limits = limits or Limits()
        self._generations = OpenGenerations(self.limits.open_generations)
        self.lock = threading.Lock()  # see `ranking_lock`
        self.personas = Personas(database, self.lock)
        self.verdict, self.use_profile = verdict, use_profile

    @property
    def recommender(self) -> Recommender:
        """Of the catalogue that is served now; another call may give another one."""
        return self.catalogue.current.recommender

    def recommend(
        self,
        question: RecommendQuestion,
        *,
        turn: Turn | None = None,
        emit: Emit = nobody,
        previous: str | None = None,
    ) -> Answer:
        """Answer a question, and keep what was shown.

        A history is ranked by the recommender's ranker, a query is searched for, both are fused; where there
        is neither, what the user said that they like is the query, and without any what is popular comes.
        What the user has seen, disliked, hidden or liked does not come, and neither does what has anything
        that they said they avoid. Without a query their persona re-orders the ranking.
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
            UserError: conditions that no item meets, or attributes that this server does not use.
            EngineBusy: the queue is full.
            EngineClosed: the model chooses the items, and its engine has ended.
            TooManyRequests: too many answers are open.
            CallCancelled: the turn was cancelled.
        """
        if question.attributes and not self.use_profile:
            hint = "leave them out, or start the server with --use-profile"
            raise UserError("this server ranks by nothing that users state", where="attributes", hint=hint)
        start, (current, deleted) = time.monotonic(), self.catalogue.snapshot()
        arm = self.comparison.assigned(question.user) if self.comparison else None
        catalogue = current.of_arm(arm[1]) if arm else current
        taste = taste_of(self.database, catalogue.recommender, question.user, question.shown_last)
        persona = self.personas.of(current, taste) if taste.user_id is not None else Persona()
        shown: list[str] = []
        if previous is not None:
            with self.database.reading() as session:
                shown = recommendations.shown_before(session, previous)
        wanted = conditions(catalogue.items, question.categories, question.where)
        left_out = taste.refused.union(question.exclude, shown, deleted)
        with self.lock:
            say = PersonaSay.of(persona, current.traits)
        work = Work(
            catalogue, question, taste, say, left_out, wanted, turn or Turn(), emit, len(shown), arm,
            self.lock, WordingTime(self.limits.wording_seconds), self.search_url, self.verdict,
        )  # fmt: skip
        with self.open_generation(question.user or ""), query_vectors_kept():
            strategy, found = self._answered(work)
        return work.kept(self.database, strategy, found, previous, round((time.monotonic() - start) * 1000))

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

    def persona_of(self, user: str) -> Persona:
        """The persona of a user, up to date.

        Raises:
            NotFound: there is no such user.
        """
        current = self.catalogue.current
        return self.personas.of(current, taste_of(self.database, current.recommender, user, False))

    def change_persona(self, user: str, change: Change) -> Persona:
        """Change the persona of a user; it counts at the next request.

        Args:
            user: their id as clients know it.
            change: see `rectune.serving.personas`.

        Raises:
            NotFound: there is no such user, or no such claim.
            UserError: there are no words, or too many claims.
        """
        current = self.catalogue.current
        return self.personas.change(
            current, taste_of(self.database, current.recommender, user, False), change
        )

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

    def _answered(self, work: Work) -> tuple[str, Recommendations]:
        question = work.question
        history = [text for text in (*work.taste.liked, *question.history) if text.strip()]
        words, tastes = question.words, ""
        if not history and not question.query.strip():
            tastes = work.say.query if work.say else ""
        stated = self._stated(work)
        if not (history or words or tastes or stated):
            return self._popular(work)
        strategy = "_and_".join(["history"] * bool(history) + ["query"] * bool(words and not tastes))
        strategy = strategy or (TASTES if tastes else ATTRIBUTES)
        wanted = ", ".join(filter(None, (tastes, words)))
        request = UserRequest(history, wanted, locale=question.locale, attributes=stated)
        later = frozenset() if words else work.taste.shown
        first = self._asked(work, request, later, question.n)
        if len(first) == question.n or not later:
            return strategy, first
        there = frozenset(item.item_id for item in first)
        rest = self._asked(work, request, there, question.n - len(first), len(first))
        return strategy, replace(first, items=(*first.items, *rest.items))

    def _stated(self, work: Work) -> Mapping[str, object]:
        """What is stated and known to the ranker; of the rest the answer has a note."""
        known = work.catalogue.recommender.attributes_known
        # Of a profile that nobody learnt from there is nothing to tell.
        own = stated_by(work.taste.profile, known) if known and self.use_profile else {}
        kept, unknown = known_attributes({**own, **checked_attributes(work.question.attributes)}, known)
        if unknown:
            work.notes.append(UNKNOWN_STATED + ", ".join(unknown))
        return kept

    def _asked(
        self, work: Work, request: UserRequest, besides: frozenset[str], k: int, before: int = 0
    ) -> Recommendations:
        """The best k items but those that are left out, with reasons; `before` items stand before them."""
        explain = self._explained(work.question) - before
        options = RecommendOptions(
            k, work.absent | besides, work.wanted.where, work.wanted.within, max(0, min(k, explain)),
            work.question.explore, reorder=work.reorder,
        )  # fmt: skip
        events = work.events(before)
        ranks = work.catalogue.recommender.ranker is not None  # without a ranker the model is needed
        spared = without_model(work.turn, work.notes) if ranks else nullcontext()
        with spared, self._model(work) as mine, self.lock:
            work.turn.check()
            return mine.recommend_all([request], options, events)[0]
        work.turn.check()
        with self.lock:
            return work.catalogue.plain.recommend_all([request], options, events)[0]

    def _explained(self, question: RecommendQuestion) -> int:
        asked = min(question.n, explained_items(question.explain, question.n))
        return min(asked, self.limits.explained) if self.engine else asked

    @contextmanager
    def _model(self, work: Work) -> Iterator[Recommender]:
        """The recommender of this request, whose model writes in the engine."""
        if self.engine is None or work.turn.expired:
            yield work.catalogue.plain
            return
        asked = in_turn(
            self.engine, self.lock, work.catalogue.recommender, work.turn, self.limits.answer_seconds,
            work.usage, work.wording, work.variation,
        )  # fmt: skip
        with asked as (mine, work.scorer):
            try:
                yield mine
            finally:
                work.scorer = None

    def _popular(self, work: Work) -> tuple[str, Recommendations]:
        with self.database.reading() as session:
            popularity = Popularity.of(work.catalogue.recommender.likes, feedback.like_counts(session))
        question, taste = work.question, work.taste
        with self.lock:
            answer, strategy = popularity.answer(
                work.catalogue.items, work.absent, work.wanted, taste.shown, question.n,
                explained_items(question.explain, question.n), work.locale, work.reorder,
            )  # fmt: skip
        work.tell_items(answer, 0, set())
        return strategy, answer
