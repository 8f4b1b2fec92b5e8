"""Answers whose items the language model chooses: it answers, and its answer is grounded in the catalogue."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from rectune.core.errors import UserError
from rectune.core.types import Item
from rectune.recommender.events import AnswerEvents, numbered
from rectune.recommender.evidence import Evidence
from rectune.recommender.explanations import Explanation
from rectune.recommender.options import RecommendOptions
from rectune.recommender.read_request import ReadRequest
from rectune.recommender.requests import from_words
from rectune.recommender.results import Recommendations, RecommendedItem

if TYPE_CHECKING:
    from rectune.recommender.generative import GenerativeRecommender, GroundedChoice, Recommendation
    from rectune.retrieval.grounding import GroundedItem


def answers_by_model(
    generative: GenerativeRecommender,
    items: Sequence[Item],
    read: Sequence[ReadRequest],
    options: RecommendOptions,
    within: frozenset[str] | None,
    events: AnswerEvents | None = None,
) -> list[Recommendations]:
    """An answer for each request, in order.

    Raises:
        UserError: options that need a ranking.
    """
    if options.chooses or options.explain_ranking:
        raise UserError(
            "nothing is ranked where the answer of the language model is grounded",
            hint="give a ranker, or retrieval.grounding: ranked",
        )
    asked = []
    for one in read:
        request = from_words(items, replace(one.request, history=one.titles), generative.grounding)
        asked.append(replace(request, known=request.known | one.known | options.excluded))
    drafts = generative.drafts(asked)
    choices = generative.choices(asked, drafts, generative.retrieval.grounding, options.k, within)
    places = list[tuple[int, str]]()
    for at, (choice, one) in enumerate(zip(choices, read, strict=True)):
        if events:
            events.on_items(at, _answered(choice, one))
        places += [(at, item.item_id) for item in choice.items[: options.explain] if choice.fits]
    tell = numbered(places, events)
    found = generative.finished(asked, drafts, choices, reasons=options.explain, on_reason=tell)
    return [_answer(answer, one) for one, answer in zip(read, found, strict=True)]


def _answer(answer: Recommendation, one: ReadRequest) -> Recommendations:
    return replace(with_reasons(_answered(answer.choice, one), answer.explanations), details=answer)


def _answered(choice: GroundedChoice, one: ReadRequest) -> Recommendations:
    """The answer without reasons."""
    return Recommendations(
        tuple(map(_grounded, choice.items)),
        choice.fits and bool(choice.items),
        one.not_found,
        nearness=choice.nearness,
        min_similarity=choice.min_similarity,
        history=one.titles,
        by_words=choice.by_words,
        locale=one.locale,
    )


def _grounded(item: GroundedItem) -> RecommendedItem:
    evidence = Evidence("text", item.evidence) if item.evidence else None
    return RecommendedItem(item.item_id, item.title, item.similarity or 0.0, evidence=evidence)


def with_reasons(answer: Recommendations, reasons: Sequence[Explanation]) -> Recommendations:
    """The answer with reasons for the first of its items."""
    items = [
        replace(item, reason=one.reason, reason_by=one.by)
        for item, one in zip(answer.items, reasons, strict=False)
    ]
    return replace(answer, items=(*items, *answer.items[len(items) :]))
