"""The sections of answers and recommendations: what the models write, and what it resolves to."""

from __future__ import annotations

from rectune.core.figures.grounding import (
    GroundingReport,
    SampleAnswer,
    SamplePrompt,
    ShownItem,
    ShownRecommendation,
)
from rectune.core.finished_stages import FinishedStages
from rectune.core.text.markdown import block_quote, escaped, joined
from rectune.evaluation.pages.page import Block, Collapsible
from rectune.recommender.grounding_report import grounding_tables

_NAMED = "The answer names the first of these items; the others are the nearest to it:"
_RANKED = "What ranked first, and why; the answer names the first of these items:"
_ALL_THE_SAME = "Nothing is recommended; this ranked first all the same:"
_NEAR = "The answer names no item of the catalogue; these are the nearest to what it says:"


def answers(run: FinishedStages, limit: int) -> list[Block]:
    """The same prompts answered by all models, at most `limit` of them."""
    samples = run.listed(SamplePrompt)[:limit]
    if not samples:
        return ["No sample answers were recorded."]
    said = (
        "The same prompt answered by the untuned model (base) and by the tuned ones, and the catalogue "
        "item that each answer resolves to."
    )
    return [said, *(block for sample in samples for block in _sample(sample))]


def recommendations(run: FinishedStages) -> list[Block]:
    """How well answers are grounded, and some of them with the items that are recommended."""
    report, found = run.read(GroundingReport), run.listed(ShownRecommendation)
    return [
        *(grounding_tables(report, run.made_by("recommend")) if report else []),
        *(map(_recommendation, found) if found else ["No recommendations were recorded."]),
    ]


def _sample(sample: SamplePrompt) -> list[Block]:
    target = escaped(sample.target)
    system = block_quote(sample.system) if sample.system else ""
    return [
        f"### {escaped(sample.domain)}: {target}",
        Collapsible("Prompt", joined(system, block_quote(sample.instruction))),
        f"Really taken next: **{target}**",
        *(
            f"**{escaped(answer.system)}** {_resolved(answer)}:\n\n{_text(answer.text)}"
            for answer in sample.answers
        ),
    ]


def _resolved(answer: SampleAnswer) -> str:
    if not answer.item:
        return "resolves to nothing in the catalogue"
    names = "names no item; nearest to what it says is" if answer.how == "embedding" else "names"
    hit = " ✓ the item taken next" if answer.hit else ""
    return f"{names} **{escaped(answer.item)}** ({escaped(answer.how)}){hit}"


def _recommendation(shown: ShownRecommendation) -> str:
    ranked = any(item.how == "ranked" for item in shown.items)
    listed = (
        f"{place}. {escaped(item.title)} ({escaped(_why(item))})" for place, item in enumerate(shown.items, 1)
    )
    said = (_RANKED if shown.named else _ALL_THE_SAME) if ranked else _NAMED if shown.named else _NEAR
    found = [said, "\n".join(listed)]
    return joined(
        f"### {escaped(shown.domain)}, {escaped(shown.scenario)}",
        f"History: {' · '.join(map(escaped, shown.history))}" if shown.history else "",
        f"Wish: {escaped(shown.query)}" if shown.query else "",
        _text(shown.answer),
        *(found if shown.items else ["Nothing in the catalogue was found for it."]),
        f"Really taken next: {escaped(shown.target)}",
    )


def _why(item: ShownItem) -> str:
    """How an item was found; of a ranked one what speaks for it."""
    return (item.evidence or item.how) if item.how == "ranked" else item.how


def _text(answer: str) -> str:
    return block_quote(answer or "(empty answer)")
