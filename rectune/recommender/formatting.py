"""Formatting grounded answers of a language model for a terminal, and as JSON."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from rectune.core.text.plain import cut_line, printable
from rectune.recommender.ranked_formatting import unfit
from rectune.retrieval.grounding import GroundedItem

if TYPE_CHECKING:
    from rectune.recommender.generative import Recommendation

_TITLE, _EVIDENCE = 200, 160  # characters shown
_HOW = {
    "title": "named by its title",
    "fuzzy": "its title was written nearly so",
    "embedding": "found by what was written",
    "ranked": "put there by a ranker",
}

_SEARCHES = {
    "best": "nearest chunk",
    "mean": "mean of chunks",
    "words": "full text",
    "terms": "full text (morphemes or letters)",
}


def as_text(recommendation: Recommendation) -> str:
    """The recommendation for a terminal, plain text: the answer, its evidence, and other near items."""
    choice, first = recommendation.choice, recommendation.named
    if not choice.items:
        return "Nothing is left in this catalogue that is not in the history."
    if first is None:
        said = unfit("en", choice.nearness, choice.min_similarity, by_words=choice.by_words)
        lines = [f"{said} The nearest all the same:", *map(_entry, choice.items)]
        return "\n".join(lines)
    by = (
        ""
        if recommendation.reasons_by == "model"
        else " (a plain sentence from the catalogue; the model's reasons were refused)"
    )
    rest = choice.items[1:]
    lines = [
        printable(recommendation.answer),
        "",
        f"Recommended: {cut_line(first.title, _TITLE)}{by}",
        *_evidence(first),
        *(["", "Near to it:", *map(_entry, rest)] if rest else []),
    ]
    return "\n".join(lines)


def as_json(recommendation: Recommendation) -> dict[str, Any]:
    """The recommendation with its evidence and ranks; text as it is in the catalogue."""
    request, choice = recommendation.request, recommendation.choice
    return {
        "domain": request.domain,
        "locale": request.locale,
        "history": list(request.titles),
        "query": request.query,
        "fits": recommendation.fits,
        "nearness": choice.nearness,
        "min_similarity": choice.min_similarity,
        "answer": recommendation.answer,
        "reasons_by": recommendation.reasons_by,
        "draft": recommendation.draft,
        "items": [record(item) for item in choice.items],
    }


def record(item: GroundedItem) -> dict[str, Any]:
    """An item and how it was found, for JSON."""
    return {**asdict(item), "ranks": dict(item.ranks)}


def _evidence(item: GroundedItem) -> list[str]:
    lines = [f"  item {cut_line(item.item_id, _TITLE)}: {_HOW[item.how]}{_similar(item, ', ')}"]
    if item.ranks:
        lines.append("  places: " + ", ".join(f"{words} {place}" for words, place in _places(item)))
    if item.evidence:
        lines.append(f"  evidence: {cut_line(item.evidence, _EVIDENCE)}")
    return lines


def _places(item: GroundedItem) -> list[tuple[str, int]]:
    """The item's best rank in each kind of search, over all query texts."""
    found = [
        (words, min((place for rank, place in item.ranks if rank.startswith(name)), default=0))
        for name, words in _SEARCHES.items()
    ]
    return [(words, place) for words, place in found if place]


def _entry(item: GroundedItem) -> str:
    return f"  {cut_line(item.title, _TITLE)}" + (f"  ({near})" if (near := _similar(item)) else "")


def _similar(item: GroundedItem, before: str = "") -> str:
    return "" if item.similarity is None else f"{before}similarity {item.similarity:.2f}"
