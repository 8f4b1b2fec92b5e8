"""Grounding and preferences as tables of words: what the stages `recommend` and `tag` found out about their own work."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from evaluation.pages.data_tables import Line, Table
from rectune.intervals import wilson

_NONE = "–"
_FLAGS = {
    "invented": "names what the catalogue lacks",
    "duplicated": "names something twice",
    "in the history": "names something of the history",
    "ambiguous": "names a title that several items bear",
}
_NEAR = {
    "draft": "the draft, before",
    "item": "the item recommended, after",
    "items": "all items shown, after",
    "target": "the item really taken",
}
_SIDES = {
    "words": "words an answer",
    "repetition": "share of 3-word runs that came before",
    "score": "response score, in words",
    "names_item": "share that recommends a real item",
}


def grounding_tables(document: Any, recipe: str) -> list[Table]:
    """The tables for grounding.json; none where it is missing or holds something else.

    Args:
        document: what grounding.json holds.
        recipe: the recipe's name, for the command.
    """
    found = _mapping(document)
    modes = {str(name): _mapping(entry) for name, entry in _mapping(found.get("modes")).items()}
    after = {name: _mapping(entry.get("answers")) for name, entry in modes.items()}
    columns = {**({"draft": _mapping(found["draft"])} if "draft" in found else {}), **after}
    command = f"Made by: rectune run recipes/{recipe or 'RECIPE'}.yaml --until recommend."
    note = (
        f"What answers to the same {found.get('cases')} test prompts come to: the model's own draft, and what goes out "
        "after grounding in either way. They resolve to an item by its exact title, a misspelt one, or because an item is "
        f"near to what they say. Brackets are 95 % intervals (Wilson). {command}"
    )
    resolved = [name for column in columns.values() for name in _mapping(column.get("resolved"))]
    kinds = {f"resolves: {name}": ("resolved", name) for name in resolved}
    kinds |= {words: ("flags", name) for name, words in _FLAGS.items()}

    def cells(kind: str, name: str) -> tuple[str, ...]:
        return tuple(_share(_mapping(one.get(kind)).get(name), one.get("n")) for one in columns.values())

    lines = [Line(words, False, cells(*what)) for words, what in kinds.items()]
    made = [
        Table("Grounding", note, tuple(columns), tuple(lines)),
        _nearness(modes, command),
        _by_domain(columns, str(found.get("ground")), command),
    ]
    return [table for table in made if table.lines and table.heads]


def preference_table(document: Any, recipe: str) -> Table | None:
    """Chosen against rejected answers, as health.json has them; None where it is missing or holds something else."""
    found = _mapping(document)
    lines = []
    for name, entry in _mapping(found.get("sides")).items():
        side, gap = _mapping(entry), _mapping(_mapping(entry).get("gap"))
        ends = ", ".join(_number(gap.get(end), signed=True) for end in ("low", "high"))
        difference = f"{_number(gap.get('mean'), signed=True)} [{ends}]"
        cells = (_number(side.get("chosen")), _number(side.get("rejected")), difference)
        lines.append(Line(_SIDES.get(str(name), str(name)), False, cells))
    if not lines:
        return None
    warnings = found.get("warnings")
    warned = "".join(f" Warning: {text}." for text in warnings) if isinstance(warnings, list) else ""
    note = (
        f"{found.get('pairs')} pairs of {found.get('prompts')} prompts, as DPO was given them. Brackets are 95 % intervals "
        f"of the mean difference.{warned} Made by: rectune run recipes/{recipe or 'RECIPE'}.yaml --until tag."
    )
    return Table("Preference pairs", note, ("chosen", "rejected", "difference"), tuple(lines))


def _nearness(modes: Mapping[str, Mapping[str, Any]], command: str) -> Table:
    figures = {name: _mapping(entry.get("relevance")) for name, entry in modes.items()}
    counts = {name: _mapping(entry.get("answers")).get("n") for name, entry in modes.items()}
    lines = [
        Line(words, False, tuple(_number(figure.get(name)) for figure in figures.values()))
        for name, words in _NEAR.items()
        if any(figure.get(name) is not None for figure in figures.values())
    ]
    for name, words in (("hit@1", "names the item really taken"), ("hit@top", "shows the item really taken")):
        if any(name in figure for figure in figures.values()):
            shares = (_share(figure.get(name), counts[mode]) for mode, figure in figures.items())
            lines.append(Line(words, False, tuple(shares)))
    note = (
        "Mean cosine to the wish: the query, or the latest items of the history; and how often the item really taken next "
        f"is found in the whole catalogue, with 95 % intervals (Wilson). {command}"
    )
    return Table("Nearness to the wish", note, tuple(figures), tuple(lines))


def _by_domain(columns: Mapping[str, Mapping[str, Any]], ground: str, command: str) -> Table:
    draft, after = (_mapping(_mapping(columns.get(name)).get("domains")) for name in ("draft", ground))
    lines = []
    for domain in sorted(draft):
        parts = [_mapping(side.get(domain)) for side in (draft, after)]
        shares = (
            _share(_mapping(part.get(kind)).get(name), part.get("n"))
            for part in parts
            for kind, name in (("resolved", "exact"), ("flags", "invented"))
        )
        lines.append(Line(str(domain), False, (str(parts[0].get("n", _NONE)), *shares)))
    note = f"Before is the draft, after is what goes out by {ground}. Brackets are 95 % intervals (Wilson). {command}"
    heads = ("n", "exact, before", "invented, before", "exact, after", "invented, after")
    return Table("Grounding by domain", note, heads, tuple(lines))


def _share(share: Any, n: Any) -> str:
    if not isinstance(share, (int, float)) or not isinstance(n, int) or n < 1:
        return _NONE
    low, high = wilson(round(share * n), n)
    return f"{share:.3f} [{low:.3f}, {high:.3f}]"


def _number(value: Any, *, signed: bool = False) -> str:
    if not isinstance(value, (int, float)):
        return _NONE
    return f"{value:+.3f}" if signed else f"{value:.3f}"


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}
