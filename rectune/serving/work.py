"""One request while it is answered. Nothing of it outlives the request but what the store keeps."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import cached_property
from threading import Lock
from typing import Any

from rectune.core.types import Locale
from rectune.dialogue.claim_ranking import POOL
from rectune.dialogue.item_judges import ItemJudge
from rectune.dialogue.self_check import PersonaVerdict, judge_for, why_judge
from rectune.rankers.likelihood import Scorer
from rectune.recommender.events import AnswerEvents
from rectune.recommender.explanations import Explanation
from rectune.recommender.options import Reorder
from rectune.recommender.results import Recommendations, RecommendedItem
from rectune.serving.answers import (
    NOTHING_CLAIMED,
    Answer,
    AnswerItem,
    Emit,
    RecommendQuestion,
    answer_item,
    ranked_by,
)
from rectune.serving.catalogue import ServedCatalogue
from rectune.serving.cold_start import IN_ORDER, POPULAR, TASTES
from rectune.serving.conditions import Conditions
from rectune.serving.persona_check import PersonaCheck
from rectune.serving.persona_say import PersonaSay
from rectune.serving.ranking_lock import Usage
from rectune.serving.store import recommendations
from rectune.serving.store.database import Database
from rectune.serving.store.recommendations import ShownItem
from rectune.serving.tastes import Taste
from rectune.serving.turn import Turn
from rectune.serving.wording_time import WordingTime


def nobody(name: str, told: object) -> None:
    """Hears of parts of an answer and does nothing."""


@dataclass
class Work:
    """One request.

    Attributes:
        catalogue: what is recommended from.
        question: what is asked.
        taste: what is known of who asks.
        say: what their persona says; None for nothing.
        left_out: ids that do not come, besides what `say` leaves out.
        wanted: conditions.
        turn: cancels it.
        emit: hears of its parts.
        variation: another number gives other reasons.
        arm: the experiment and the ranker of this user, where two are compared.
        lock: see `rectune.serving.ranking_lock`.
        wording: of its reasons.
        search_url: see `rectune.serving.answers.search_url`.
        verdict: see `RecommendService`.
        usage, notes: what the answer tells.
        scorer: the model, while it can be asked.
    """

    catalogue: ServedCatalogue
    question: RecommendQuestion
    taste: Taste
    say: PersonaSay | None
    left_out: frozenset[str]
    wanted: Conditions
    turn: Turn
    emit: Emit
    variation: int
    arm: tuple[str, str] | None
    lock: Lock
    wording: WordingTime
    search_url: str = ""
    verdict: PersonaVerdict | None = None
    usage: Usage = field(default_factory=Usage)
    notes: list[str] = field(default_factory=list)
    scorer: Scorer | None = None

    @property
    def locale(self) -> Locale:
        """The language of sentences that are about the user."""
        return self.question.locale or self.taste.locale

    @property
    def absent(self) -> frozenset[str]:
        """The ids that are not ranked; a check leaves out itself what the user avoids, and tells it."""
        return self.left_out | self.say.absent if self.say and not self.check else self.left_out

    @cached_property
    def check(self) -> PersonaCheck | None:
        """What checks the answer; None where nothing is to be checked."""
        if not (self.question.prompt and self.say):
            return None
        plain, items = not self.question.words, self.catalogue.items
        return PersonaCheck(self.say, items, self.question.n, self.locale, self._judge, plain)

    @cached_property
    def reorder(self) -> Reorder | None:
        """What the persona does to a ranking."""
        if self.say and self.check:
            return Reorder(POOL + len(self.say.absent), self.check.reordered)
        if self.say and not self.question.words:
            return Reorder(POOL, self.say.reordered)
        return None

    def events(self, before: int) -> AnswerEvents:
        """What tells of items, and of the reasons of each; `before` items stand before them."""
        told = set[str]()

        def on_items(at: int, found: Recommendations) -> None:
            self.tell_items(found, before, told)
            self.wording.begin()

        def on_reason(at: int, item_id: str, reason: Explanation) -> None:
            if reason.by == "model":
                self.wording.passed()
            self.emit("reason", {"item_id": item_id, "reason": reason.reason, "reasons_by": reason.by})

        return AnswerEvents(on_items, on_reason)

    def tell_items(self, found: Recommendations, before: int, told: set[str]) -> None:
        """Tell of items that were not told of; `before` items stand before them."""
        for place, item in enumerate(found.items, before + 1):
            if item.item_id not in told:
                told.add(item.item_id)
                self.emit("item", {"place": place, **asdict(self._item(item))})

    def kept(
        self, database: Database, strategy: str, found: Recommendations, previous: str | None, took_ms: int
    ) -> Answer:
        """Keep the answer: what was shown is known at the next request."""
        self.turn.check()
        items = tuple(self._item(one) for one in found)
        answer = Answer(
            "", previous, strategy, ranked_by(found) or strategy, found.fits, items, found.not_found,
            self._notes(), asdict(self.usage), took_ms, self._version(strategy), *self._checked(items),
        )  # fmt: skip
        shown = [
            ShownItem(
                one.item_id, one.score, one.reason, one.reasons_by or "",
                [] if one.evidence is None else [one.evidence],
            )
            for one in items
        ]  # fmt: skip
        arm = None if strategy in (POPULAR, IN_ORDER) else self.arm
        with database.writing() as session:
            row = recommendations.record(
                session, self.taste.user_id, self.question.record(), shown, strategy=strategy,
                took_ms=took_ms, previous=previous, told=answer.told(), arm=arm,
            )  # fmt: skip
        return replace(answer, id=row.id)

    def _judge(self) -> ItemJudge:
        assert self.question.prompt  # else nothing is checked
        return judge_for(self.verdict, self.scorer, self.locale, self.question.prompt)

    def _notes(self) -> tuple[str, ...]:
        nothing = [NOTHING_CLAIMED] if self.question.prompt and not self.say else []
        return tuple(dict.fromkeys([*self.notes, *nothing]))

    def _version(self, strategy: str) -> int | None:
        """The version of the persona where it had a say."""
        if self.say is None:
            return None
        ranked = self.reorder is not None and self.catalogue.recommender.ranker is not None
        acted = ranked or strategy in (TASTES, POPULAR, IN_ORDER) or bool(self.say.absent)
        return self.say.persona.version if acted else None

    def _checked(self, items: Sequence[AnswerItem]) -> tuple[Any, ...]:
        """What was checked, who judged, and why; see `Answer`."""
        if not (self.check and self.question.prompt):
            return ()
        why = why_judge(self.verdict, self.locale, self.question.prompt)
        with self.lock:
            checks = self.check.checks([one.item_id for one in items])
        return checks, self.check.mode, why

    def _item(self, item: RecommendedItem) -> AnswerItem:
        return answer_item(self.catalogue.items[item.item_id], item, self.search_url)
