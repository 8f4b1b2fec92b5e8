"""The standard names of genres and sections in English and Korean: 공포 is Horror.

The table is `templates/genres.yaml`; what is said of a genre instead of its name (`scary`, `무서운`) stands
in `templates/qualities.yaml`. What a catalogue calls something itself always comes first: other names
are tried only for what it has no name of, and what was taken for what is said (`as_said`).
"""

from __future__ import annotations

import functools
import re
from collections.abc import Iterable
from types import MappingProxyType
from typing import Any

from rectune.prompts.locale_words import TEMPLATES
from rectune.prompts.titles import fold, key_of

_FILE, _QUALITIES = "genres.yaml", "qualities.yaml"


def other_names(name: str) -> tuple[str, ...]:
    """The other names of a genre or a section, in both languages; empty for one that the table lacks."""
    return tuple(one for one in _rows().get(key_of(name), ()) if key_of(one) != key_of(name))


def names_for(categories: Iterable[str]) -> dict[str, str]:
    """The names by which these categories may be asked for besides their own: name -> category.

    A name that is a category itself, or that two of them share, is left out: it would be a guess between two.
    """
    listed = list(categories)
    own = {key_of(one) for one in listed}
    found: dict[str, set[str]] = {}
    for category in listed:
        for name in other_names(category):
            found.setdefault(name, set()).add(category)
    return {name: next(iter(of)) for name, of in found.items() if len(of) == 1 and key_of(name) not in own}


def qualities_for(categories: Iterable[str]) -> dict[str, str]:
    """The words that are said of these categories instead of their names: word -> category.

    Of two categories that a word may mean the first counts; words that name a category are left out.
    """
    listed = list(categories)
    own = {key_of(one) for one in listed}
    found: dict[str, str] = {}
    for names, words in _qualities():
        of = next((one for one in listed if key_of(one) in names), "")
        found |= {word: of for word in words if of and key_of(word) not in own and word not in found}
    return found


def same_genre(name: str, other: str) -> bool:
    """Whether two names are the same, or names of one row of the table."""
    return key_of(name) == key_of(other) or key_of(other) in map(key_of, other_names(name))


def as_said(value: str, said: str) -> str:
    """A value of the catalogue with the name that was said for it: `공포(Horror)`; itself where it was said
    as it is, or by no name of the table.
    """
    text = fold(said)
    if fold(value) in text:
        return value
    names = sorted(other_names(value), key=len, reverse=True)
    name = next((one for one in names if _stands_in(fold(one), text)), "")
    return f"{name}({value})" if name else value


def _stands_in(name: str, text: str) -> bool:
    """Whether a folded name begins a word of a folded text; endings may follow."""
    return re.search(rf"(?<!\w){re.escape(name)}", text) is not None


@functools.cache
def _qualities() -> tuple[tuple[frozenset[str], tuple[str, ...]], ...]:
    """Keys of the names of a genre, and what is said of it."""
    rows = _read(_QUALITIES)
    return tuple((frozenset(map(key_of, row["of"])), tuple(row["words"])) for row in rows)


def _read(file: str) -> Any:
    from ruamel.yaml import YAML

    return YAML(typ="safe", pure=True).load((TEMPLATES / file).read_text(encoding="utf-8"))


@functools.cache
def _rows() -> MappingProxyType[str, tuple[str, ...]]:
    """Key of a name -> all names of its rows."""
    sections = _read(_FILE)
    found: dict[str, dict[str, None]] = {}
    for row in (row for rows in sections.values() for row in rows):
        names = [*row["en"], *row["ko"]]
        for name in names:
            found.setdefault(key_of(name), {}).update(dict.fromkeys(names))
    return MappingProxyType({key: tuple(names) for key, names in found.items()})
