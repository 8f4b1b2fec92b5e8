"""The sections of answers and recommendations: what the models write, and what it resolves to."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rectune.core.text.figures import mapping, rows
from rectune.core.text.markdown import block_quote, escaped, joined
from rectune.evaluation.pages.finished_stages import FinishedStages
from rectune.evaluation.pages.page import Block, Collapsible
from rectune.recommender.grounding_report import grounding_tables

_NAMED = "The answer names the first of these items; the others are the nearest to it:"
_NEAR = "The answer names no item of the catalogue; these are the nearest to what it says:"


def answers(run: FinishedStages, limit: int) -> list[Block]:
    """The same prompts answered by all models, at most `limit` of them."""
    samples = _records(run.document("eval", "samples.json"), "samples")[:limit]
    if not samples:
        return ["No sample answers were recorded."]
    said = (
        "The same prompt answered by the untuned model (base) and by the tuned ones, and the catalogue "
        "item that each answer resolves to."
    )
    return [said, *(block for sample in samples for block in _sample(sample))]


def recommendations(run: FinishedStages) -> list[Block]:
    """How well answers are grounded, and some of them with the items that are recommended."""
    tables = grounding_tables(run.document("recommend", "grounding.json"), run.made_by("recommend"))
    found = _records(run.document("recommend", "recommendations.json"), "recommendations")
    return [*tables, *(map(_recommendation, found) if found else ["No recommendations were recorded."])]


def _sample(sample: Mapping[str, Any]) -> list[Block]:
    target = escaped(sample.get("target", ""))
    system = block_quote(sample["system"]) if sample.get("system") else ""
    return [
        f"### {escaped(sample.get('domain', ''))}: {target}",
        Collapsible("Prompt", joined(system, block_quote(sample.get("instruction", "")))),
        f"Really taken next: **{target}**",
        *(
            f"**{escaped(answer.get('system', ''))}** {_resolved(answer)}:\n\n{_text(answer.get('text'))}"
            for answer in rows(sample.get("answers"))
        ),
    ]


def _resolved(answer: Mapping[str, Any]) -> str:
    if not answer.get("item"):
        return "resolves to nothing in the catalogue"
    near = answer.get("how") == "embedding"
    names = "names no item; nearest to what it says is" if near else "names"
    hit = " ✓ the item taken next" if answer.get("hit") else ""
    return f"{names} **{escaped(answer['item'])}**{_how(answer)}{hit}"


def _how(found: Mapping[str, Any]) -> str:
    """In brackets, by what an item was found."""
    return f" ({escaped(found['how'])})" if found.get("how") else ""


def _recommendation(entry: Mapping[str, Any]) -> str:
    items = rows(entry.get("items"))
    listed = (f"{place}. {escaped(item.get('title', ''))}{_how(item)}" for place, item in enumerate(items, 1))
    found = [_NAMED if entry.get("named") else _NEAR, "\n".join(listed)]
    return joined(
        f"### {', '.join(escaped(entry[key]) for key in ('domain', 'scenario') if entry.get(key))}",
        f"History: {' · '.join(map(escaped, entry['history']))}" if entry.get("history") else "",
        f"Wish: {escaped(entry['query'])}" if entry.get("query") else "",
        _text(entry.get("answer")),
        *(found if items else ["Nothing in the catalogue was found for it."]),
        f"Really taken next: {escaped(entry['target'])}" if entry.get("target") else "",
    )


def _text(answer: Any) -> str:
    return block_quote(answer or "(empty answer)")


def _records(document: Any, name: str) -> list[Mapping[str, Any]]:
    """A list of objects, bare or under the key `name`."""
    return list(rows(mapping(document).get(name) if isinstance(document, dict) else document))
