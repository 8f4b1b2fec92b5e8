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
from rectune.core.text.translation import Translation
from rectune.evaluation.pages.blocks import Block, Collapsible
from rectune.recommender.grounding_report import grounding_tables

_NAMED = "The answer names the first of these items; the others are the nearest to it:"
_RANKED = "What ranked first, and why; the answer names the first of these items:"
_ALL_THE_SAME = "Nothing is recommended; this ranked first all the same:"
_NEAR = "The answer names no item of the catalogue; these are the nearest to what it says:"


def answers(run: FinishedStages, limit: int, tr: Translation) -> list[Block]:
    """The same prompts answered by all models, at most `limit` of them."""
    samples = run.listed(SamplePrompt)[:limit]
    if not samples:
        return [tr("No sample answers were recorded.")]
    said = tr(
        "The same prompt answered by the untuned model (base) and by the tuned ones, and the catalogue "
        "item that each answer resolves to."
    )
    return [said, *(block for sample in samples for block in _sample(sample, tr))]


def recommendations(run: FinishedStages, tr: Translation) -> list[Block]:
    """How well answers are grounded, and some of them with the items that are recommended."""
    report, found = run.read(GroundingReport), run.listed(ShownRecommendation)
    return [
        *(grounding_tables(report, run.made_by("recommend", tr), tr) if report else []),
        *([_recommendation(one, tr) for one in found] or [tr("No recommendations were recorded.")]),
    ]


def _sample(sample: SamplePrompt, tr: Translation) -> list[Block]:
    target = escaped(sample.target)
    system = block_quote(sample.system) if sample.system else ""
    return [
        f"### {escaped(sample.domain)}: {target}",
        Collapsible(tr("Prompt"), joined(system, block_quote(sample.instruction))),
        tr("Really taken next: **{title}**", title=target),
        *(
            f"**{escaped(answer.system)}** {resolved(answer, tr)}:\n\n{_text(answer.text, tr)}"
            for answer in sample.answers
        ),
    ]


def resolved(answer: SampleAnswer, tr: Translation) -> str:
    """The catalogue item that an answer resolves to, as Markdown on one line."""
    if not answer.item:
        return tr("resolves to nothing in the catalogue")
    said = (
        "names nothing new of the catalogue; nearest to what it says is **{title}** ({how})"
        if answer.how == "embedding"
        else "names **{title}** ({how})"
    )
    hit = tr(" ✓ the item taken next") if answer.hit else ""
    return tr(said, title=escaped(answer.item), how=escaped(tr.stored(answer.how))) + hit


def _recommendation(shown: ShownRecommendation, tr: Translation) -> str:
    ranked = any(item.how == "ranked" for item in shown.items)
    listed = (
        f"{place}. {escaped(item.title)} ({escaped(_why(item, tr))})"
        for place, item in enumerate(shown.items, 1)
    )
    said = (_RANKED if shown.named else _ALL_THE_SAME) if ranked else _NAMED if shown.named else _NEAR
    found = [tr(said), "\n".join(listed)]
    return joined(
        f"### {escaped(shown.domain)}, {escaped(shown.scenario)}",
        tr("History: {titles}", titles=" · ".join(map(escaped, shown.history))) if shown.history else "",
        tr("Wish: {query}", query=escaped(shown.query)) if shown.query else "",
        _text(shown.answer, tr),
        *(found if shown.items else [tr("Nothing in the catalogue was found for it.")]),
        tr("Really taken next: {title}", title=escaped(shown.target)),
    )


def _why(item: ShownItem, tr: Translation) -> str:
    """How an item was found; of a ranked one what speaks for it."""
    return item.evidence if item.how == "ranked" and item.evidence else tr.stored(item.how)


def _text(answer: str, tr: Translation) -> str:
    return block_quote(answer or tr("(empty answer)"))
