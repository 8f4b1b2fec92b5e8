"""Grounding and preferences as tables of words: what the stages `recommend` and `tag` found out about their own work."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rectune.core.shipped import recipe_argument
from rectune.evaluation.pages.data_tables import Line, Table
from rectune.evaluation.pages.values import NONE, figure, mapping, share, with_ends
from rectune.recommender.report import NEAR

_FLAGS = {
    "invented": "names what the catalogue lacks",
    "duplicated": "names something twice",
    "in the history": "names something of the history",
    "ambiguous": "names a title that several items bear",
}


def grounding_tables(document: Any, recipe: str) -> list[Table]:
    """The tables for grounding.json; none where it is missing or holds something else.

    Args:
        document: what grounding.json holds.
        recipe: the recipe's name, for the command.
    """
    found = mapping(document)
    modes = {str(name): mapping(entry) for name, entry in mapping(found.get("modes")).items()}
    after = {name: mapping(entry.get("answers")) for name, entry in modes.items()}
    columns = {**({"draft": mapping(found["draft"])} if "draft" in found else {}), **after}
    command = f"Made by: rectune run {recipe_argument(recipe)} --until recommend."
    note = (
        f"What answers to the same {found.get('cases')} test prompts come to: the model's own draft, and what goes out "
        "after grounding in either way. They resolve to an item by its exact title, a misspelt one, or because an item is "
        f"near to what they say. Brackets are 95 % intervals (Wilson). {command}"
    )
    resolved = [name for column in columns.values() for name in mapping(column.get("resolved"))]
    kinds = {f"resolves: {name}": ("resolved", name) for name in resolved}
    kinds |= {words: ("flags", name) for name, words in _FLAGS.items()}

    def cells(kind: str, name: str) -> tuple[str, ...]:
        return tuple(share(mapping(one.get(kind)).get(name), one.get("n")) for one in columns.values())

    lines = [Line(words, False, cells(*what)) for words, what in kinds.items()]
    made = [
        Table("Grounding", note, tuple(columns), tuple(lines)),
        _nearness(modes, command),
        _by_domain(columns, str(found.get("ground")), command),
    ]
    return [table for table in made if table.lines and table.heads]


def preference_table(document: Any, recipe: str) -> Table | None:
    """Chosen against rejected answers, as health.json has them; None where it is missing or holds something else."""
    found = mapping(document)
    meanings = mapping(found.get("meanings"))
    lines = []
    for name, entry in mapping(found.get("sides")).items():
        side, gap = mapping(entry), mapping(mapping(entry).get("gap"))
        difference = with_ends(gap.get("mean"), (gap.get("low"), gap.get("high")), signed=True)
        cells = (figure(side.get("chosen")), figure(side.get("rejected")), difference)
        lines.append(Line(str(meanings.get(name, name)), False, cells))
    if not lines:
        return None
    warnings = found.get("warnings")
    warned = "".join(f" Warning: {text}." for text in warnings) if isinstance(warnings, list) else ""
    note = (
        f"{found.get('pairs')} pairs of {found.get('prompts')} prompts, as DPO was given them. Brackets are 95 % intervals "
        f"of the mean difference.{warned} "
        f"Made by: rectune run {recipe_argument(recipe)} --until tag."
    )
    return Table("Preference pairs", note, ("chosen", "rejected", "difference"), tuple(lines))


def _nearness(modes: Mapping[str, Mapping[str, Any]], command: str) -> Table:
    figures = {name: mapping(entry.get("relevance")) for name, entry in modes.items()}
    counts = {name: mapping(entry.get("answers")).get("n") for name, entry in modes.items()}
    lines = [
        Line(words, False, tuple(figure(found.get(name)) for found in figures.values()))
        for name, words in NEAR.items()
        if any(found.get(name) is not None for found in figures.values())
    ]
    for name, words in (("hit@1", "names the item really taken"), ("hit@top", "shows the item really taken")):
        if any(name in found for found in figures.values()):
            shares = (share(found.get(name), counts[mode]) for mode, found in figures.items())
            lines.append(Line(words, False, tuple(shares)))
    note = (
        "Mean cosine to the wish: the query, or the latest items of the history; and how often the item really taken next "
        f"is found in the whole catalogue, with 95 % intervals (Wilson). {command}"
    )
    return Table("Nearness to the wish", note, tuple(figures), tuple(lines))


def _by_domain(columns: Mapping[str, Mapping[str, Any]], ground: str, command: str) -> Table:
    draft, after = (mapping(mapping(columns.get(name)).get("domains")) for name in ("draft", ground))
    lines = []
    for domain in sorted(draft):
        parts = [mapping(side.get(domain)) for side in (draft, after)]
        shares = (
            share(mapping(part.get(kind)).get(name), part.get("n"))
            for part in parts
            for kind, name in (("resolved", "exact"), ("flags", "invented"))
        )
        lines.append(Line(str(domain), False, (str(parts[0].get("n", NONE)), *shares)))
    note = f"Before is the draft, after is what goes out by {ground}. Brackets are 95 % intervals (Wilson). {command}"
    heads = ("n", "exact, before", "invented, before", "exact, after", "invented, after")
    return Table("Grounding by domain", note, heads, tuple(lines))
