"""An answer as a page shows it: of one that was just given, or of one that the store has kept."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from rectune.core.item_values import categories_of
from rectune.core.text.plain import cut_line, shortened
from rectune.core.types import Item
from rectune.serving.answers import (
    MODEL_FAILED,
    MODEL_TOO_SLOW,
    NOTHING_CLAIMED,
    UNKNOWN_STATED,
    Answer,
    search_url,
)
from rectune.serving.store.tables import FeedbackType, Recommendation, RecommendedItem
from rectune.serving.web.judge_view import JudgeView

NOTES = {
    MODEL_FAILED: "The language model has stopped, so plain sentences give the reasons.",
    MODEL_TOO_SLOW: "The language model took too long, so plain sentences give the reasons.",
}
MARKS: tuple[FeedbackType, ...] = ("like", "seen", "dislike", "hide")
_TITLE, _REASON, _EVIDENCE, _CATEGORY, _NAMED = 160, 1200, 400, 40, 100  # characters that are shown
_CATEGORIES = 6


def brief(text: str, longest: int) -> str:
    """Text of anybody on one line, without what moves the writing, cut where it is too long."""
    return shortened(cut_line(text[: 4 * longest], 4 * longest), longest)


@dataclass(frozen=True)
class Card:
    """An item of an answer, ready to be shown.

    Attributes:
        place: in the answer, from 1.
        by: who wrote the reason: `model`, `template`, or empty without one.
        evidence: what the item rests on, in a sentence.
        gone: whether the catalogue has it no more; then its id stands for the title.
        marks: what the user said of it.
    """

    place: int
    item_id: str
    title: str
    year: int | None = None
    categories: tuple[str, ...] = ()
    reason: str = ""
    by: str = ""
    evidence: str = ""
    explored: bool = False
    search_url: str = ""
    gone: bool = False
    marks: frozenset[str] = frozenset()

    @classmethod
    def of_event(cls, told: Mapping[str, Any], marks: Mapping[str, frozenset[str]]) -> Card:
        """The card of an event `item`, before its reason is known."""
        evidence = (told["evidence"] or {}).get("text", "")
        return cls(
            told["place"], told["item_id"], brief(told["title"], _TITLE), told["year"],
            _categories(told["categories"]), brief(told["reason"], _REASON), told["reasons_by"] or "",
            brief(evidence, _EVIDENCE), told["explored"], told["search_url"],
            marks=marks.get(told["item_id"], frozenset()),
        )  # fmt: skip


@dataclass(frozen=True)
class CheckView:
    """A question about an answer: the titles that it is answered with, and how many items were left out."""

    question: str
    stance: str
    titles: tuple[str, ...]
    left_out: int

    @classmethod
    def of(cls, told: Mapping[str, Any], cards: Sequence[Card]) -> CheckView:
        """Of a check as it is kept."""
        having = set(told["item_ids"])
        titles = tuple(card.title for card in cards if card.item_id in having)
        return cls(brief(told["question"], _EVIDENCE), told["stance"], titles, len(told["left_out"]))


@dataclass(frozen=True)
class AnswerView:
    """An answer, ready to be shown; see `rectune.serving.answers.Answer`.

    `more` is whether it goes on from another answer, `persona` whether the persona had a say, and `judge` who
    judged; None where nobody did.
    """

    id: str
    strategy: str
    ranked_by: str
    cards: tuple[Card, ...]
    fits: bool = True
    not_found: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    more: bool = False
    persona: bool = False
    checks: tuple[CheckView, ...] = ()
    judge: JudgeView | None = None

    @classmethod
    def of(cls, answer: Answer, marks: Mapping[str, frozenset[str]], judge: JudgeView) -> AnswerView:
        """Of an answer that was just given; `judge` is what is known of the model."""
        cards = tuple(
            Card.of_event({"place": place, **vars(item)}, marks) for place, item in enumerate(answer.items, 1)
        )
        return cls(
            answer.id, answer.strategy, answer.ranked_by, cards, answer.fits, _named(answer.not_found),
            _noted(answer.notes), answer.previous is not None, answer.persona is not None,
            tuple(CheckView.of(vars(one), cards) for one in answer.checks),
            judge if answer.judged_by else None,
        )  # fmt: skip

    @classmethod
    def of_row(
        cls, row: Recommendation, rows: Sequence[RecommendedItem], items: Mapping[str, Item],
        marks: Mapping[str, frozenset[str]], pattern: str, judge: JudgeView,
    ) -> AnswerView:  # fmt: skip
        """Of one that the store has; titles are those of the catalogue now.

        Args:
            row, rows: the answer.
            items: the catalogue.
            marks: item id -> what the user said of it.
            pattern: see `rectune.serving.answers.search_url`.
            judge: what is known of the model.
        """
        told = row.told or {}
        explored = set(told.get("explored", ()))
        cards = tuple(
            replace(
                _kept(one, items.get(one.item_id), pattern),
                explored=one.item_id in explored,
                marks=marks.get(one.item_id, frozenset()),
            )
            for one in rows
        )
        return cls(
            row.id, row.strategy, told.get("ranked_by", row.strategy), cards, told.get("fits", True),
            _named(told.get("not_found", ())), _noted(told.get("notes", ())), row.previous is not None,
            told.get("persona") is not None,
            tuple(CheckView.of(one, cards) for one in told.get("checks", ())),
            judge if told.get("judged_by") else None,
        )  # fmt: skip


def _kept(row: RecommendedItem, item: Item | None, pattern: str) -> Card:
    evidence = row.evidence[0].get("text", "") if row.evidence else ""
    shown = (brief(row.reason, _REASON), row.reason_by, brief(evidence, _EVIDENCE))
    if item is None:
        return Card(row.place, row.item_id, brief(row.item_id, _TITLE), None, (), *shown, gone=True)
    return Card(
        row.place, row.item_id, brief(item.title, _TITLE), item.year, _categories(item.categories), *shown,
        search_url=search_url(pattern, item.title),
    )  # fmt: skip


def _categories(names: Sequence[str]) -> tuple[str, ...]:
    own = categories_of(Item("", "", "", tuple(names))).values()
    return tuple(brief(name, _CATEGORY) for name in list(own)[:_CATEGORIES])


def _named(titles: Sequence[str]) -> tuple[str, ...]:
    return tuple(brief(title, _NAMED) for title in titles)


def _noted(notes: Sequence[str]) -> tuple[str, ...]:
    """Notes in the words of the page, which translates them; the page itself says what it knows of a user."""
    plain = (note for note in notes if note != NOTHING_CLAIMED and not note.startswith(UNKNOWN_STATED))
    return tuple(NOTES.get(note, note) for note in plain)
