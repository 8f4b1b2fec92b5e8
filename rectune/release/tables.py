"""Tables out of metrics.json, whatever systems, protocols and figures an evaluation has."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

_DEPTH = 6  # of nesting that is followed
_WIDE = 6  # columns beside the first that a page has room for
_MAIN = "hit@1"  # the figure that groups are compared by
_NONE = "–"
Entries = Mapping[str, Mapping[str, Any]]


@dataclass(frozen=True)
class Table:
    """`rows` run alongside `heads`; `notes` say how the figures were got. All of it is plain text."""

    title: str
    notes: tuple[str, ...]
    heads: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


def evaluation_tables(metrics: Mapping[str, Any]) -> list[Table]:
    """Every table in a document of figures.

    A mapping (or list) of mappings with scalars in them is a table: a row each, a column a figure, with the interval in
    brackets where there is one (`<figure>_interval`, and `interval` for hit@1). Mappings in such a row, `domains` say, make
    tables of their own: a row a group, a column a system. Scalars beside a table are its notes.
    """
    return list(_walk(metrics, "", 0))


def headline(metrics: Mapping[str, Any], system: str) -> Mapping[str, Any]:
    """The figures of a system in the first table that has it; empty if none has."""
    for _, entries in _systems(metrics, 0):
        if system in entries:
            return entries[system]
    return {}


def _systems(node: Any, depth: int) -> Iterator[tuple[str, Entries]]:
    if not isinstance(node, Mapping) or depth > _DEPTH:
        return
    if entries := _entries(node.get("systems")):
        yield "systems", entries
    for name, child in node.items():
        if name != "systems":
            yield from _systems(child, depth + 1)


def _walk(node: Any, title: str, depth: int) -> Iterator[Table]:
    if not isinstance(node, Mapping) or depth > _DEPTH:
        return
    notes = _notes(node)
    for name, child in node.items():
        entries = _entries(child)
        shown = title if name == "systems" else ": ".join(filter(None, (title, _words(name))))
        if entries:
            yield _table(shown, notes, "system" if name == "systems" else _words(name), entries)
            yield from _groups(shown, entries)
            notes = ()
        else:
            yield from _walk(child, shown, depth + 1)


def _entries(child: Any) -> dict[str, Mapping[str, Any]]:
    """The rows of a table, by name; empty if this is none."""
    if isinstance(child, Sequence) and not isinstance(child, str):
        listed = [one for one in child if isinstance(one, Mapping)]
        child = (
            {_name(one, number): one for number, one in enumerate(listed, 1)}
            if len(listed) == len(child)
            else None
        )
    if not isinstance(child, Mapping) or not child:
        return {}
    if not all(isinstance(one, Mapping) for one in child.values()):
        return {}
    if any(isinstance(one.get("systems"), (Mapping, list)) for one in child.values()):
        return {}
    found = {str(name): one for name, one in child.items()}
    return found if any(_is_shown(value) for one in found.values() for value in one.values()) else {}


def _name(entry: Mapping[str, Any], number: int) -> str:
    return str(entry.get("system") or entry.get("name") or number)


def _table(title: str, notes: tuple[str, ...], first: str, entries: Entries) -> Table:
    columns = dict.fromkeys(
        name
        for entry in entries.values()
        for name, value in entry.items()
        if _is_shown(value) and name not in ("system", "name") and not _is_interval_of(name, entry)
    )
    rows = tuple((key, *(_with_interval(entry, name) for name in columns)) for key, entry in entries.items())
    return Table(title, notes, (first, *map(_words, columns)), rows)


def _groups(title: str, entries: Entries) -> Iterator[Table]:
    """For each mapping of mappings in the rows: its main figure, a row a group, a column an entry."""
    grouped = {key: dict(_parts(entry)) for key, entry in entries.items()}
    for name in dict.fromkeys(name for found in grouped.values() for name in found):
        parts = {key: found.get(name, {}) for key, found in grouped.items()}
        groups = sorted({group for part in parts.values() for group in part})
        figure = _main_figure(parts.values())
        rows = tuple(
            (group, *(_with_interval(part.get(group, {}), figure) for part in parts.values()))
            for group in groups
        )
        shown = ": ".join(filter(None, (title, f"{_words(figure)} by {_words(name)}")))
        heads = (_words(name), *parts)
        if len(parts) > _WIDE:  # then a row an entry, a column a group
            heads, *turned = zip(heads, *rows, strict=True)
            rows = tuple(turned)
        yield Table(shown, (), heads, rows)


def _parts(entry: Mapping[str, Any]) -> Iterator[tuple[str, Entries]]:
    """The mappings of mappings in a row, also those that stand under a common name."""
    for name, value in entry.items():
        if found := _entries(value):
            yield name, found
        elif isinstance(value, Mapping):
            for inner, part in value.items():
                if found := _entries(part):
                    yield str(inner), found


def _main_figure(parts: Any) -> str:
    names = [
        name for part in parts for entry in part.values() for name, value in entry.items() if _is_shown(value)
    ]
    return _MAIN if _MAIN in names else next((name for name in names if name != "n"), "n")


def _with_interval(entry: Mapping[str, Any], name: str) -> str:
    value = entry.get(name)
    if isinstance(value, (list, tuple)):
        return _pair(value)
    for other in (f"{name}_interval", "interval" if name == _MAIN else ""):
        if _is_pair(entry.get(other)):
            return f"{_scalar(value)} {_pair(entry[other])}"
    return _scalar(value)


def _is_interval_of(name: str, entry: Mapping[str, Any]) -> bool:
    """Whether a column is shown in another one's brackets."""
    return (name == "interval" and _MAIN in entry) or (
        name.endswith("_interval") and name.removesuffix("_interval") in entry
    )


def _is_shown(value: Any) -> bool:
    return isinstance(value, (str, int, float)) or _is_pair(value)


def _is_pair(value: Any) -> bool:
    return (
        isinstance(value, (list, tuple))
        and len(value) == 2
        and all(isinstance(one, (int, float)) and not isinstance(one, bool) for one in value)
    )


def _pair(value: Sequence[Any]) -> str:
    return f"[{', '.join(map(_scalar, value))}]"


def _scalar(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.3f}" if value == value else _NONE
    return str(value) if isinstance(value, (str, int)) else _NONE


def _notes(node: Mapping[str, Any]) -> tuple[str, ...]:
    """The scalars of a mapping: sentences as they are, figures with their names."""
    found = []
    for name, value in node.items():
        if isinstance(value, str) and value:
            found.append(value if name in ("protocol", "verdict") else f"{_words(name)}: {value}")
        elif isinstance(value, (int, float)):
            found.append(f"{_words(name)}: {_scalar(value)}")
    return tuple(found)


def _words(name: Any) -> str:
    return str(name).replace("_", " ")
