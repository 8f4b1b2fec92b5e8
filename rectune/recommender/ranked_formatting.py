"""Formatting what was ranked for a terminal, and as JSON: items, reasons, evidence, what ranked.

What stands around the reasons is in their language; only what `--explain-ranking` tells is in English, since
it is made of the names of rankers and figures.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from functools import partial
from typing import Any

from rectune.core.text.plain import cut_line, printable
from rectune.core.types import Locale
from rectune.prompts.locale_words import fill, load_words, one_line
from rectune.recommender.explained_ranking import ItemPart, RankedBy, Ranking
from rectune.recommender.options import RecommendOptions
from rectune.recommender.requests import UserRequest
from rectune.recommender.results import Recommendations, RecommendedItem

_FILE = "answers.{locale}.yaml"
_TITLE = 200  # characters shown
_HISTORIES = {
    "0": "histories without an item of the catalogue",
    "1-4": "histories of 1 to 4 items of the catalogue",
    "5+": "histories of 5 and more items of the catalogue",
}


def ranked_text(
    found: Recommendations, options: RecommendOptions, known: int | None = None, by_model: bool = False
) -> str:
    """What was recommended, for a terminal: an item a paragraph, with its reason and what speaks for it.

    Args:
        found: the answer.
        options: what it was asked for with.
        known: how many items of a known user's history were taken; None where no user was named.
        by_model: whether a language model was asked for reasons; plain sentences are marked then.
    """
    say = partial(around, found.locale)
    head = [] if known is None else [say("for_user", n=f"{known:,}")]
    if not found.items:
        return "\n".join([*head, say("nothing_left")])
    if not found.fits:
        head += [unfit(found.locale, found.nearness, found.min_similarity, by_words=found.by_words)]
        head += [say("all_the_same")]
    entries = (_entry(rank, item, found, by_model) for rank, item in enumerate(found, 1))
    lines = [line for entry in entries for line in entry]
    return "\n".join([*head, *lines, *_notes(found, options), *_ranking(found.ranking, options)])


def around(locale: Locale, part: str, **values: Any) -> str:
    """A sentence around an answer, in the language of its reasons; see `answers.en.yaml`."""
    words = load_words(locale, _FILE)
    return fill(words[part], "other", load_words(locale), values)


def unfit(
    locale: Locale, nearness: float | None, min_similarity: float | None, *, by_words: bool = False
) -> str:
    """That nothing fits, and by what that was judged."""
    if by_words or nearness is None or min_similarity is None:
        return around(locale, "unfit_words")
    return one_line(around(locale, "unfit", near=f"{nearness:.2f}", least=f"{min_similarity:.2f}"))


def ranked_json(asked: UserRequest, found: Recommendations) -> dict[str, Any]:
    """The same, for JSON; text as it is in the catalogue."""
    return {
        "history": list(found.history),
        "query": asked.query,
        "not_found": list(found.not_found),
        "fits": found.fits,
        "nearness": found.nearness,
        "min_similarity": found.min_similarity,
        "items": [asdict(item) for item in found],
        "ranking": _ranking_json(found.ranking),
    }


def _entry(rank: int, item: RecommendedItem, found: Recommendations, by_model: bool) -> list[str]:
    say = partial(around, found.locale)
    title, number = cut_line(item.title, _TITLE), cut_line(item.item_id, _TITLE)
    lines = [say("item", rank=rank, title=title, id=number, explored=item.explored)]
    plain = f" {say('plain')}" if by_model and item.reason_by == "template" else ""
    lines += [f"   {printable(item.reason)}{plain}"] * bool(item.reason)
    # A plain sentence says itself what is in common, and which words were found.
    if item.evidence and (item.reason_by != "template" or item.evidence.kind == "likes"):
        lines.append(f"   {say('evidence', text=printable(item.evidence.text))}")
    parts = found.ranking.parts.get(item.item_id, ()) if found.ranking else ()
    return [*lines, *_part_lines(parts)]


def _notes(found: Recommendations, options: RecommendOptions) -> list[str]:
    """What became of the places."""
    say, notes = partial(around, found.locale), list[str]()
    if found.explored:
        given = sum(item.explored for item in found)
        counts = {"places": found.explored, "given": given, "lacking": found.explored - given}
        said = one_line(say("explored", **counts, history=bool(found.history)))
        notes.append(said if said.endswith(".") else f"{said}.")
    if options.at_most and len(found) < options.k:
        told = {"n": len(found), "k": options.k, "at_most": options.at_most, "per": options.per}
        notes.append(say("limited", **told))
    return ["", *notes] if notes else []


def _ranking(ranking: Ranking | None, options: RecommendOptions) -> list[str]:
    """What ranked, where that was asked for."""
    if ranking is None or not options.explain_ranking:
        return []
    legend = ["Beside each item: weight × score, in standard deviations above the mean of the catalogue."]
    model = [f"By the language model {ranking.model}."] if ranking.model else []
    return ["", *map(_by, ranking.by), *model, *(legend if ranking.parts else [])]


def _by(one: RankedBy) -> str:
    share = "" if one.share in (None, 1.0) else f" (counts {one.share:.0%})"
    if one.share is None:
        share = " (both are fused by the ranks of the items)"
    what = "the history" if one.side == "history" else "the words"
    return f"Ranked for {what} by {one.rankers}{share}{_chosen(one)}."


def _chosen(one: RankedBy) -> str:
    """How it was chosen."""
    if one.cases is None:
        return ""
    of, cases, who = "queries", "queries", f"{one.cases:,} queries of users who are in no test"
    if one.length:
        of, cases, who = _HISTORIES[one.length], "users", f"{one.cases:,} users who were held out"
    if one.ndcg_at_10 is None or one.interval is None:
        return f", the default for {of}: there were too few {cases} to choose on"
    low, high = one.interval
    return f", chosen for {of}: NDCG@10 {one.ndcg_at_10:.3f} ({low:.3f} to {high:.3f}, 95 %) on {who}"


def _part_lines(parts: Sequence[ItemPart]) -> list[str]:
    """What each ranker contributed: weight times score, in standard deviations above the catalogue's mean."""
    lines = []
    for side in dict.fromkeys(part.side for part in parts):
        own = [part for part in parts if part.side == side]
        told = ", ".join(f"{part.ranker} {part.weight:.2f} × {part.standardised:+.2f}" for part in own)
        lines.append(f"   Ranking by the {side}: {told}")
    return lines


def _ranking_json(ranking: Ranking | None) -> dict[str, Any] | None:
    if ranking is None:
        return None
    parts = {item: [asdict(part) for part in some] for item, some in ranking.parts.items()}
    return {"by": [asdict(one) for one in ranking.by], "model": ranking.model, "parts": parts}
