"""The grounding report: items named before and after grounding, and their similarity to the requests."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Any, Literal

import numpy as np

from rectune.core.text.figures import figure, mapping, share
from rectune.core.text.tables import Table
from rectune.core.types import grouped
from rectune.recommender.requests import RecommendationRequest
from rectune.retrieval.chunks import head_of
from rectune.retrieval.embedding import embed
from rectune.retrieval.grounding import GroundedItem, Grounding

Resolved = Literal["exact", "fuzzy", "embedding", "not at all", "nothing fits"]
RESOLVED: tuple[Resolved, ...] = ("exact", "fuzzy", "embedding", "not at all", "nothing fits")
# Figures of `relevance` -> whose similarity to the request it is.
NEAR = {
    "draft": "the draft, before",
    "item": "the item recommended, after",
    "items": "all items shown, after",
    "target": "the item really taken",
}
# What an answer may do wrong, in a word and in the report's words.
FLAGS = {
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
    flags: tuple[str, ...] = ()


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
    holds = {
        "invented": bool(named.words) and not named.title,
        "duplicated": grounding.repeated(answer.text, request.domain) or len(set(ids)) < len(ids),
        "in the history": named.known or bool(request.known.intersection(ids)),
        "ambiguous": named.bearers > 1,
    }
    flags = tuple(name for name in FLAGS if holds[name])
    if named.title:
        return GroundingOutcome("exact" if named.how == "title" else "fuzzy", flags)
    near = grounding.fit([answer.text], request.domain, request.known)
    enough = near >= grounding.floor(request.domain) and near > -1.0
    return GroundingOutcome("embedding" if enough else "not at all", flags)


def shares(answers: Sequence[AnsweredPrompt], grounding: Grounding) -> dict[str, Any]:
    """`n`, the share of each kind of resolution and of each flag, over all answers and by `domains`."""
    pairs = [(answer.request.domain, outcome(answer, grounding)) for answer in answers]
    groups = grouped(pairs, lambda pair: (pair[0], ""))
    domains = {name: _shares([found for _, found in group]) for name, group in groups.items()}
    return {**_shares([found for _, found in pairs]), "domains": domains}


def relevance(
    before: Sequence[AnsweredPrompt], after: Sequence[AnsweredPrompt], grounding: Grounding, embedder: str
) -> dict[str, Any]:
    """Mean cosines of drafts and items to the request, and how often the target is found.

    `draft`, `item` (the first), `items` (all of them), `target`, each against the mean vector of the
    request's texts; `hit@1` and `hit@top`. Requests whose history is of another domain are left out of the
    cosines.
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
    hits = {"hit@1": fmean(first), "hit@top": fmean(among)} if known else {}
    return {"n": len(rows), **means, **hits}


def grounding_tables(document: Any, made_by: str = "") -> list[Table]:
    """The report as tables: resolution before and after grounding, similarity to the request, by domain.

    Args:
        document: what grounding.json holds; what is missing in it is left out.
        made_by: a sentence that ends every note.
    """
    found = mapping(document)
    modes = {str(name): mapping(entry) for name, entry in mapping(found.get("modes")).items()}
    columns = {name: mapping(entry.get("answers")) for name, entry in modes.items()}
    if "draft" in found:
        columns = {"draft": mapping(found["draft"]), **columns}
    made = [
        _outcomes(columns, found.get("cases"), made_by),
        _nearness(modes, made_by),
        _by_domain(columns, str(found.get("ground")), made_by),
    ]
    return [table for table in made if table.rows and len(table.heads) > 1]


def _outcomes(columns: Mapping[str, Mapping[str, Any]], cases: Any, made_by: str) -> Table:
    resolved = dict.fromkeys(name for column in columns.values() for name in mapping(column.get("resolved")))
    kinds = [(f"resolves: {name}", "resolved", name) for name in resolved]
    kinds += [(words, "flags", name) for name, words in FLAGS.items()]
    lines = [
        (words, *(share(mapping(column.get(kind)).get(name), column.get("n")) for column in columns.values()))
        for words, kind, name in kinds
    ]
    note = (
        f"What answers to the same {cases} test prompts come to: the model's own draft, and what goes out "
        "after grounding in either way. They resolve to an item by its exact title, a misspelt one, or "
        f"because an item is near to what they say. Brackets are 95 % intervals (Wilson). {made_by}"
    )
    return Table(("answers", *columns), lines, "Grounding", note)


def _nearness(modes: Mapping[str, Mapping[str, Any]], made_by: str) -> Table:
    found = {name: mapping(entry.get("relevance")) for name, entry in modes.items()}
    lines = [
        (words, *(figure(near.get(name)) for near in found.values()))
        for name, words in NEAR.items()
        if any(near.get(name) is not None for near in found.values())
    ]
    for name, words in (("hit@1", "names the item really taken"), ("hit@top", "shows the item really taken")):
        if any(name in near for near in found.values()):
            counts = (mapping(modes[mode].get("answers")).get("n") for mode in found)
            lines.append(
                (words, *(share(near.get(name), n) for near, n in zip(found.values(), counts, strict=True)))
            )
    note = (
        "Mean cosine to the request: the query, or the latest items of the history; and how often the item "
        f"really taken next is found in the whole catalogue, with 95 % intervals (Wilson). {made_by}"
    )
    return Table(("similarity to the request", *found), lines, "Similarity to the request", note)


def _by_domain(columns: Mapping[str, Mapping[str, Any]], grounding: str, made_by: str) -> Table:
    draft, after = (mapping(mapping(columns.get(name)).get("domains")) for name in ("draft", grounding))
    lines = []
    for domain in sorted(draft):
        parts = [mapping(side.get(domain)) for side in (draft, after)]
        shares = (
            share(mapping(part.get(kind)).get(name), part.get("n"))
            for part in parts
            for kind, name in (("resolved", "exact"), ("flags", "invented"))
        )
        lines.append((str(domain), parts[0].get("n"), *shares))
    note = (
        f"Before is the draft, after is the answer with grounding {grounding}. "
        f"Brackets are 95 % intervals (Wilson). {made_by}"
    )
    heads = ("domain", "n", "exact, before", "invented, before", "exact, after", "invented, after")
    return Table(heads, lines, "Grounding by domain", note)


def _shares(found: Sequence[GroundingOutcome]) -> dict[str, Any]:
    count = max(1, len(found))
    resolved = Counter(one.resolved for one in found)
    flags = Counter(flag for one in found for flag in one.flags)
    return {
        "n": len(found),
        "resolved": {name: resolved[name] / count for name in RESOLVED},
        "flags": {name: flags[name] / count for name in FLAGS},
    }


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
