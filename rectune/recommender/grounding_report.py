"""The grounding report: items named before and after grounding, and their similarity to the requests."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean

import numpy as np

from rectune.core.figures.grounding import (
    RESOLVED,
    Flag,
    GroundedAnswers,
    GroundingReport,
    GroundingShares,
    OutcomeShares,
    Relevance,
    Resolved,
)
from rectune.core.text.figures import figure, share
from rectune.core.text.tables import NONE, Cell, Table
from rectune.core.text.translation import ENGLISH, Translation
from rectune.core.types import grouped
from rectune.recommender.requests import RecommendationRequest
from rectune.retrieval.chunks import head_of
from rectune.retrieval.embedding import embed
from rectune.retrieval.grounding import GroundedItem, Grounding

# Fields of `Relevance` -> whose similarity to the request it is.
NEAR = {
    "draft": "the draft, before",
    "item": "the item recommended, after",
    "items": "all items shown, after",
    "target": "the item really taken",
}
# What an answer may do wrong, in a word and in the report's words.
FLAGS: dict[Flag, str] = {
    "invented": "names what the catalogue lacks",
    "duplicated": "names something twice",
    "in the history": "names something of the history",
    "ambiguous": "names a title that several items bear",
}


@dataclass(frozen=True, slots=True)
class GroundingOutcome:
    """How one answer resolves.

    `resolved`: its title is exact or misspelt; or it names none and an item is near enough to its text; or
    there is none; "nothing fits" is possible for a grounded answer. `flags` are those of `FLAGS` that apply:
    a title that is none of the domain's, one named twice, one that only items of the history have, one that
    several items have.
    """

    resolved: Resolved
    flags: tuple[Flag, ...] = ()


@dataclass(frozen=True)
class AnsweredPrompt:
    """One prompt's answer: its `text`, the real `items` of a grounded one; `fits` is False if it declines."""

    request: RecommendationRequest
    text: str
    items: tuple[GroundedItem, ...] = ()
    fits: bool = True
    target: str = ""


def outcome(answer: AnsweredPrompt, grounding: Grounding) -> GroundingOutcome:
    """Read an answer against the catalogue, whoever wrote it."""
    request = answer.request
    if not answer.fits:
        return GroundingOutcome("nothing fits")
    named = grounding.read(answer.text, request.domain, request.known)
    ids = [item.item_id for item in answer.items]
    holds: dict[Flag, bool] = {
        "invented": bool(named.words) and not named.title,
        "duplicated": grounding.repeated(answer.text, request.domain) or len(set(ids)) < len(ids),
        "in the history": named.known or bool(request.known.intersection(ids)),
        "ambiguous": named.bearers > 1,
    }
    flags = tuple(name for name in FLAGS if holds[name])
    if named.title:
        return GroundingOutcome("exact" if named.how == "title" else "fuzzy", flags)
    near = grounding.fit([answer.text], request.domain, request.known)
    enough = near >= grounding.min_similarity(request.domain) and near > -1.0
    return GroundingOutcome("embedding" if enough else "not at all", flags)


def shares(answers: Sequence[AnsweredPrompt], grounding: Grounding) -> GroundingShares:
    """The share of each kind of resolution and of each flag, over all answers and by domain."""
    pairs = [(answer.request.domain, outcome(answer, grounding)) for answer in answers]
    groups = grouped(pairs, lambda pair: (pair[0], ""))
    domains = {name: _shares([found for _, found in group]) for name, group in groups.items()}
    return GroundingShares(**dict(_shares([found for _, found in pairs])), domains=domains)


def relevance(
    before: Sequence[AnsweredPrompt], after: Sequence[AnsweredPrompt], grounding: Grounding, embedder: str
) -> Relevance:
    """Mean cosines of drafts and items to the request, and how often the target is found.

    Cosines are against the mean vector of the request's texts. Requests whose history is of another domain
    are left out of them.
    """
    rows = [
        _cosines(old, new, grounding, embedder)
        for old, new in zip(before, after, strict=True)
        if not old.request.crosses
    ]
    means = {
        name: fmean(row[name] for row in rows if name in row) if any(name in row for row in rows) else None
        for name in NEAR
    }
    known = [answer for answer in after if answer.target]
    first = [answer.fits and answer.target in [item.item_id for item in answer.items[:1]] for answer in known]
    among = [answer.fits and answer.target in [item.item_id for item in answer.items] for answer in known]
    return Relevance(
        n=len(rows),
        **means,
        hit_at_1=fmean(first) if known else None,
        hit_at_top=fmean(among) if known else None,
    )


def grounding_tables(found: GroundingReport, made_by: str = "", tr: Translation = ENGLISH) -> list[Table]:
    """The report as tables: resolution before and after grounding, similarity to the request, by domain.

    Args:
        found: the report.
        made_by: a sentence that ends every note.
        tr: the language of the tables.
    """
    columns = {tr("draft"): found.draft, **{mode: one.answers for mode, one in found.modes.items()}}
    return [
        _outcomes(columns, found.cases, made_by, tr),
        _nearness(found.modes, made_by, tr),
        _by_domain(found.draft, found.modes[found.grounding].answers, found.grounding, made_by, tr),
    ]


def _outcomes(columns: Mapping[str, GroundingShares], cases: int, made_by: str, tr: Translation) -> Table:
    lines = [
        (
            tr("resolves: {how}", how=tr.stored(name)),
            *(share(one.resolved[name], one.n) for one in columns.values()),
        )
        for name in RESOLVED
    ]
    lines += [
        (tr(words), *(share(one.flags[name], one.n) for one in columns.values()))
        for name, words in FLAGS.items()
    ]
    note = tr(
        "What answers to the same {cases} test prompts come to: the model's own draft, and what goes out in "
        "each way of choosing the items. They resolve to an item by its exact title, a misspelt one, or "
        "because an item is near to what they say. Brackets are 95 % intervals (Wilson).",
        cases=cases,
    )
    return Table((tr("answers"), *columns), lines, tr("Grounding"), f"{note} {made_by}")


def _nearness(modes: Mapping[str, GroundedAnswers], made_by: str, tr: Translation) -> Table:
    found = [one.relevance for one in modes.values()]
    cosines = {
        tr(NEAR["draft"]): [near.draft for near in found],
        tr(NEAR["item"]): [near.item for near in found],
        tr(NEAR["items"]): [near.items for near in found],
        tr(NEAR["target"]): [near.target for near in found],
    }
    hits = {
        tr("names the item really taken"): [near.hit_at_1 for near in found],
        tr("shows the item really taken"): [near.hit_at_top for near in found],
    }
    counts = [one.answers.n for one in modes.values()]
    lines = [(words, *map(figure, values)) for words, values in cosines.items()]
    lines += [(words, *map(share, values, counts)) for words, values in hits.items()]
    known = [line for line in lines if set(line[1:]) != {NONE}]
    note = tr(
        "Mean cosine to the request: the query, or the latest items of the history; and how often the item "
        "really taken next is found in the whole catalogue, with 95 % intervals (Wilson)."
    )
    heads = (tr("similarity to the request"), *modes)
    return Table(heads, known, tr("Similarity to the request"), f"{note} {made_by}")


def _by_domain(
    draft: GroundingShares, after: GroundingShares, mode: str, made_by: str, tr: Translation
) -> Table:
    lines: list[Sequence[Cell]] = []
    for domain in sorted(draft.domains):
        parts = draft.domains[domain], after.domains[domain]
        shares = (share(n, one.n) for one in parts for n in (one.resolved["exact"], one.flags["invented"]))
        lines.append((domain, parts[0].n, *shares))
    note = tr(
        "Before is the draft, after is the answer that goes out ({mode}). Brackets are 95 % intervals "
        "(Wilson).",
        mode=mode,
    )
    parts_named = tr.each("exact, before", "invented, before", "exact, after", "invented, after")
    heads = (tr("domain"), "n", *parts_named)
    return Table(heads, lines, tr("Grounding by domain"), f"{note} {made_by}")


def _shares(found: Sequence[GroundingOutcome]) -> OutcomeShares:
    count = max(1, len(found))
    resolved = Counter(one.resolved for one in found)
    flags = Counter(flag for one in found for flag in one.flags)
    return OutcomeShares(
        n=len(found),
        resolved={name: resolved[name] / count for name in RESOLVED},
        flags={name: flags[name] / count for name in FLAGS},
    )


def _cosines(
    old: AnsweredPrompt, new: AnsweredPrompt, grounding: Grounding, embedder: str
) -> dict[str, float]:
    domain = old.request.domain
    heads = [head_of(grounding.titles[domain].item(item.item_id)) for item in new.items]
    target = [head_of(grounding.titles[domain].item(old.target))] if old.target else []
    user_requests = old.request.user_requests
    vectors = embed([*user_requests, old.text, *heads, *target], embedder)
    user_request = np.mean(vectors[: len(user_requests)], axis=0)
    user_request /= max(float(np.linalg.norm(user_request)), 1e-12)
    cosines = [float(value) for value in vectors[len(user_requests) :] @ user_request]
    found = {"draft": cosines[0]} if old.text.strip() else {}
    items = cosines[1 : 1 + len(heads)]
    if items and new.fits:
        found |= {"item": items[0], "items": fmean(items)}
    return found | ({"target": cosines[-1]} if target else {})
