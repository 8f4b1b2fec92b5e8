"""The grounding report: what answers name before grounding and after it, and how near they come to what was asked."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Any, Literal

import numpy as np

from rectune.core.text.markdown import one_line
from rectune.core.types import grouped
from rectune.recommender.requests import RecommendationRequest
from rectune.retrieval.chunks import head_of
from rectune.retrieval.embedding import embed
from rectune.retrieval.grounding import Grounded, Grounding

Resolved = Literal["exact", "fuzzy", "embedding", "not at all", "nothing fits"]
RESOLVED: tuple[Resolved, ...] = ("exact", "fuzzy", "embedding", "not at all", "nothing fits")
# Figures of `relevance` -> what is near to the wish.
NEAR = {
    "draft": "the draft, before",
    "item": "the item recommended, after",
    "items": "all items shown, after",
    "target": "the item really taken",
}
FLAGS = ("invented", "duplicated", "in the history", "ambiguous")


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one answer comes to.

    `resolved`: its title is the catalogue's, or nearly so; or it names none and an item is near enough to what it says;
    or there is none; "nothing fits" is what a grounded answer may say. `flags` are those of `FLAGS` that hold: a title
    that is none of the domain's, one named twice, one that only items of the history bear, one that several items bear.
    """

    resolved: Resolved
    flags: tuple[str, ...] = ()


@dataclass(frozen=True)
class Answered:
    """One prompt's answer: `text` the words, `items` the real items of a grounded one, `fits` False where it declines."""

    request: RecommendationRequest
    text: str
    items: tuple[Grounded, ...] = ()
    fits: bool = True
    target: str = ""


def outcome(answer: Answered, grounding: Grounding) -> Outcome:
    """Read an answer against the catalogue, whoever wrote it."""
    request = answer.request
    if not answer.fits:
        return Outcome("nothing fits")
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
        return Outcome("exact" if named.how == "title" else "fuzzy", flags)
    near = grounding.fit([answer.text], request.domain, request.known)
    enough = near >= grounding.floor(request.domain) and near > -1.0
    return Outcome("embedding" if enough else "not at all", flags)


def shares(answers: Sequence[Answered], grounding: Grounding) -> dict[str, Any]:
    """`n`, the share of each way of resolving and of each flag, over all answers and by `domains`."""
    pairs = [(answer.request.domain, outcome(answer, grounding)) for answer in answers]
    groups = grouped(pairs, lambda pair: (pair[0], ""))
    domains = {name: _shares([found for _, found in group]) for name, group in groups.items()}
    return {**_shares([found for _, found in pairs]), "domains": domains}


def relevance(
    before: Sequence[Answered], after: Sequence[Answered], grounding: Grounding, embedder: str
) -> dict[str, Any]:
    """How near to the wish the drafts lie, and the items: mean cosines; and how often the item really taken is found.

    `draft`, `item` (the first), `items` (all of them), `target` (the one really taken), each against the mean vector of
    the texts of the wish; `hit@1` and `hit@top`. Requests whose history is of another domain are left out of the cosines.
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


def as_markdown(report: Mapping[str, Any]) -> str:
    """The report as a Markdown block."""
    names = [*(["draft"] if "draft" in report else []), *report["modes"]]
    columns = [report["draft"] if name == "draft" else report["modes"][name]["answers"] for name in names]
    lines = [
        f"### Grounding: {report['cases']} test prompts",
        "",
        "| | " + " | ".join(names) + " |",
        "|---|" + "---:|" * len(names),
        *(_row(f"resolves: {name}", [column["resolved"][name] for column in columns]) for name in RESOLVED),
        *(_row(name, [column["flags"][name] for column in columns]) for name in FLAGS),
        "",
        "| nearness to the wish (mean cosine) | " + " | ".join(report["modes"]) + " |",
        "|---|" + "---:|" * len(report["modes"]),
    ]
    figures = [mode["relevance"] for mode in report["modes"].values()]
    for name, words in NEAR.items():
        lines.append(_row(words, [figure.get(name) for figure in figures], percent=False))
    lines += [_row(name, [figure.get(name) for figure in figures]) for name in ("hit@1", "hit@top")]
    domains = sorted(report["draft"]["domains"])
    lines += [
        "",
        "| domain | n | exact, before | invented, before | exact, after | invented, after |",
        "|---|" + "---:|" * 5,
    ]
    main = report["modes"][report["ground"]]["answers"]["domains"]
    for domain in domains:
        old, new = report["draft"]["domains"][domain], main[domain]
        parts = [
            part[kind][name]
            for part in (old, new)
            for kind, name in (("resolved", "exact"), ("flags", "invented"))
        ]
        lines.append(_row(f"{one_line(domain)} | {old['n']}", parts))
    return "\n".join(lines) + "\n"


def _row(name: str, values: Sequence[float | None], *, percent: bool = True) -> str:
    shown = ["–" if v is None else f"{v:.1%}" if percent else f"{v:.3f}" for v in values]
    return f"| {name} | " + " | ".join(shown) + " |"


def _shares(found: Sequence[Outcome]) -> dict[str, Any]:
    count = max(1, len(found))
    resolved = Counter(one.resolved for one in found)
    flags = Counter(flag for one in found for flag in one.flags)
    return {
        "n": len(found),
        "resolved": {name: resolved[name] / count for name in RESOLVED},
        "flags": {name: flags[name] / count for name in FLAGS},
    }


def _cosines(old: Answered, new: Answered, grounding: Grounding, embedder: str) -> dict[str, float]:
    domain = old.request.domain
    heads = [head_of(grounding.titles[domain].item(item.item_id)) for item in new.items]
    target = [head_of(grounding.titles[domain].item(old.target))] if old.target else []
    wishes = old.request.wishes
    vectors = embed([*wishes, old.text, *heads, *target], embedder)
    wish = np.mean(vectors[: len(wishes)], axis=0)
    wish /= max(float(np.linalg.norm(wish)), 1e-12)
    cosines = [float(value) for value in vectors[len(wishes) :] @ wish]
    found = {"draft": cosines[0]} if old.text.strip() else {}
    items = cosines[1 : 1 + len(heads)]
    if items and new.fits:
        found |= {"item": items[0], "items": fmean(items)}
    return found | ({"target": cosines[-1]} if target else {})
