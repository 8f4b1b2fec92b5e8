"""Reasons written by a template: what the catalogue says of an item and of a history, or of it and a query.

Nothing is said that the catalogue does not say: the categories, makers and the decade in common with one or
two items of the history, words in common with a query, what else there is to know of the item, and a
sentence of its description, quoted.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from rectune.core.item_values import categories_of, facts_by_value, is_maker
from rectune.core.text.leading_article import upright
from rectune.core.types import ORIGINAL_TITLE, Item, Locale, without_opinions
from rectune.prompts.amounts import amount_in_words
from rectune.prompts.in_common import Common, most_in_common
from rectune.prompts.locale_words import fill, load_words, one_line
from rectune.prompts.teacher_prompts import told_opinions
from rectune.prompts.titles import without_year

_FILE = "reasons.{locale}.yaml"
_VALUES = 3  # categories, makers or words that are named
_ROLES = 2  # facts that are named
_TITLE, _TOLD = 100, 200  # characters of a title and of a description that are shown
_READ = 2000  # characters of a description that are looked at
_LEAST, _LEAST_HANGUL = 20, 8  # characters of a description that says something
_HANGUL = re.compile("[가-힣]")
_LABEL = re.compile(r"\w+: ")
_SENTENCE = re.compile(r".+?[.!?。…](?=[\"”’)\]]*(?:\s|$))")


def template_reason(
    item: Item,
    liked: Sequence[Item],
    query: str,
    locale: Locale,
    wording: int = 0,
    words: Sequence[str] = (),
    told: str = "",
    people: str = "",
) -> str:
    """One paragraph on why an item fits a history, or a query.

    Args:
        item: what is recommended.
        liked: the history, oldest first.
        query: what is asked for in words; empty for a history.
        locale: the language of the sentences; names and categories stay as the catalogue has them.
        wording: picks one of the openings.
        words: words of the query that the catalogue says of the item.
        told: a piece of the description to quote; the item's own without it.
        people: a sentence on people who liked both, for where the catalogue shows nothing in common.
    """
    written = _Written(item, locale, liked, tuple(words))
    if query:
        parts = [written.asked(query, wording), written.plain(query=True), written.words()]
        parts += [written.facts(""), written.told(told)]
    else:
        common = most_in_common(item, liked)
        shown = [one for one in liked if any(one is found.liked for found in common)] or list(liked[-2:])
        parts = [written.liked(shown, wording)] if shown else []
        parts += written.shared(common) if common else [written.plain(), people or written.unlinked()]
        parts += [written.facts(" ".join(parts).casefold()), written.told(told)]
    parts.append(told_opinions(item, locale, 1))
    return " ".join(part for part in parts if part)


@dataclass(frozen=True)
class _Written:
    """The sentences about one item."""

    item: Item
    locale: Locale
    history: Sequence[Item]
    query_words: tuple[str, ...] = ()

    def asked(self, query: str, wording: int) -> str:
        """What was asked for."""
        return self._choice("asked", wording, query=one_line(query))

    def liked(self, shown: Sequence[Item], wording: int) -> str:
        """What was liked, of which the next sentence speaks."""
        names = self._in_a_row([self._name(one) for one in shown])
        return self._choice("liked", wording, liked=names, both=len(shown) > 1)

    def shared(self, common: Sequence[Common]) -> list[str]:
        """What is in common with the history, the rarest first, and what else is known."""
        first, second = common[0], common[-1]
        parts = list[str]()
        for role in list(dict.fromkeys(name for name, _ in first.facts.values()))[:_ROLES]:
            own = {key: value for key, (name, value) in first.facts.items() if name == role}
            both = [value for key, value in own.items() if key in second.facts]
            told: dict[str, Any] = {"like": self._names(common if both else [first])}
            told |= {"role": self._role(role, len(both or own))}
            told |= {"names": self._list(both or own.values()), "many": len(both or own) > 1}
            told |= {"later": bool(parts), "author": self._title_of(role)}
            parts.append(
                self._fill("maker", **told) if is_maker(role) else self._by_role("shared", role, told)
            )
        both_of = len(second.of(first).categories) == len(first.categories)
        shared = {key: shown for key, shown in self._categories.items() if key in first.categories}
        if shared:
            told = {"both": both_of and len(common) > 1, "alone": len(common) == 1, "later": bool(parts)}
            told |= {"like": self._names([first]), "categories": self._list(shared.values())}
            parts.append(self._fill("kind", **told))
        if not parts and first.decade is not None:
            alone = self._names([first])
            return [self._fill("decade", like=alone, decade=first.decade), self._also({}, {}, year=False)]
        if not parts:
            return [self.plain(), self.unlinked()]
        return [*parts, self._also(shared, first.facts, year=True)]

    def _by_role(self, part: str, role: str, told: Mapping[str, Any]) -> str:
        """A sentence on a fact, by its name where there is one for it."""
        ways = _sentences(self.locale)[part]
        return self._filled(ways.get(role, ways["other"]), {"title": self._title, **told})

    def _also(self, told: Mapping[str, str], facts: Mapping[str, Any], year: bool) -> str:
        """The year, the makers and the categories that were not named yet."""
        rest = [shown for key, shown in self._categories.items() if key not in told]
        known = self.item.year if year else None
        named = any(is_maker(name) for name, _ in facts.values())
        role, names = ("", "") if named else self._makers()
        if not rest and known is None and not role:
            return ""
        role = self._role(role)
        told_of = {"year": known, "role": role, "names": names, "too": bool(told)}
        return self._fill("also", categories=self._list(rest), **told_of)

    def _makers(self) -> tuple[str, str]:
        """Who made it: the name of the first fact that tells it, and its values in a row."""
        made = [one for one in facts_by_value(self.item).values() if is_maker(one[0])]
        role = made[0][0] if made else ""
        return role, self._list(value for name, value in made if name == role)

    @property
    def _described(self) -> bool:
        """Whether the catalogue has more of the item than its title."""
        one = self.item
        return any((categories_of(one), one.stated, one.description, one.year))

    @property
    def _asked(self) -> list[str]:
        """The words of the query, case aside."""
        return [word.casefold() for word in self.query_words]

    @property
    def _categories(self) -> dict[str, str]:
        """Those to be named, first those that have words of the query; not the kind that all things are."""
        every, asked = categories_of(self.item), self._asked
        found = {key: shown for key, shown in every.items() if key != self.item.domain}
        return dict(sorted(found.items(), key=lambda one: not any(word in one[0] for word in asked)))

    def plain(self, query: bool = False) -> str:
        """What the catalogue says of an item, where nothing is in common with a history."""
        categories, (role, names) = self._categories, self._makers()
        if not self._described:
            return self._fill("bare_found" if query else "bare")
        told = {"names": names, "author": self._title_of(role), "categories": self._list(categories.values())}
        return self._fill("plain", year=self.item.year, **told)

    def unlinked(self) -> str:
        """That nothing in common is known, where the history was named and more than the title is known."""
        return self._fill("unlinked") if self._described and self.history else ""

    def facts(self, said: str) -> str:
        """Facts that were not named yet, first those that have words of the query."""
        told = [(name, value) for name, _, value in (fact.partition(": ") for fact in self.item.stated)]
        left = [
            (name, value)
            for name, value in told
            if name != ORIGINAL_TITLE
            and not is_maker(name)
            and not any(one.casefold() in said for one in value.split(", "))
        ]
        asked = self._asked
        left.sort(key=lambda one: not any(word in one[1].casefold() for word in asked))
        return " ".join(
            self._by_role("facts", name, self._told(name, value)) for name, value in left[:_ROLES]
        )

    def _told(self, name: str, value: str) -> dict[str, str]:
        name, value = amount_in_words(name, value)
        role = self._role(name, value.count(", ") + 1)
        return {"role": role, "value": _cut(one_line(value), _TITLE)}

    def words(self) -> str:
        """Which words of the query the catalogue has."""
        if not self.query_words:
            return self._fill("no_words") if self._described else ""
        words = self._list([f'"{word}"' for word in self.query_words])
        return self._fill("words", words=words, many=len(self.query_words) > 1)

    def told(self, piece: str) -> str:
        """A sentence of the description, quoted: the first, or the one with most words of the query."""
        text = one_line((without_opinions(piece) or self.item.description)[:_READ])
        if text.startswith(self.item.title):  # the only piece of a short item holds its title and facts
            text = one_line(self.item.description[:_READ])
        least = _LEAST_HANGUL if _HANGUL.search(text) else _LEAST
        if len(text) < least or text == one_line(self.item.title):
            return ""
        asked = self._asked
        best = max(_sentences_in(text), key=lambda one: sum(word in one.casefold() for word in asked))
        return self._fill("told", text=_cut(best, _TOLD))

    def _choice(self, part: str, wording: int, **values: Any) -> str:
        ways = _sentences(self.locale)[part]
        return self._filled(ways[wording % len(ways)], values)

    def _fill(self, part: str, **values: Any) -> str:
        return self._filled(_sentences(self.locale)[part], {"title": self._title, **values})

    def _filled(self, template: str, values: Mapping[str, Any]) -> str:
        words = load_words(self.locale)
        known = self.history[-1].domain if self.history else self.item.domain
        return one_line(fill(template, self.item.domain, words, values, known))

    def _names(self, common: Sequence[Common]) -> str:
        """The items of the history of which something is said, in the order of the history."""
        return self._in_a_row(
            [self._name(one) for one in self.history if any(one is c.liked for c in common)]
        )

    def _in_a_row(self, names: Sequence[str]) -> str:
        if len(names) < 2:
            return names[0]
        return self._filled(_sentences(self.locale)["pair"], {"first": names[0], "second": names[1]})

    @property
    def _title(self) -> str:
        """The item that is recommended; with its year where the history has another one of its title."""
        name = quoted(self.item.title)
        same = any(quoted(past.title) == name for past in self.history)
        return f"{name} ({self.item.year})" if same and self.item.year is not None else name

    def _name(self, past: Item) -> str:
        """An item of the history; one that bears the title of what is recommended with its year."""
        name = quoted(past.title)
        same = name == quoted(self.item.title) and past.year is not None
        return f"{name} ({past.year})" if same else name

    def _list(self, values: Iterable[str]) -> str:
        """Some names in a row."""
        named = [_cut(one_line(value), _TITLE) for value in itertools.islice(values, _VALUES)]
        last = str(_sentences(self.locale)["last"])
        return last.join(filter(None, [", ".join(named[:-1]), *named[-1:]]))

    def _title_of(self, role: str) -> str:
        """What stands behind the name of a person of this role; empty in English."""
        return str(_sentences(self.locale)["titles"].get(role, ""))

    def _role(self, name: str, values: int = 1) -> str:
        """The name of a fact, in the language of the sentence; in the singular for one value."""
        known = str(_sentences(self.locale)["roles"].get(name, name))
        many = re.sub(r"(?<=[a-z])ies$", "y", known) if known.endswith("ies") else known.removesuffix("s")
        return many if values == 1 and known.isascii() and known.endswith("s") else known


def quoted(title: str) -> str:
    """A title as a sentence has it: its article in front, no year in brackets, in quotation marks."""
    name = upright(one_line(title))
    return f'"{_cut(without_year(name) or name, _TITLE)}"'


def _sentences_in(text: str) -> list[str]:
    """Its sentences, a short one with the next ("By Dr." is none), without lines of facts ("Genres: …")."""
    found, held = list[str](), ""
    for one in _SENTENCE.findall(text) or [text]:
        held = f"{held} {one.strip()}".strip()
        if len(held) >= _LEAST:
            found, held = [*found, held], ""
    return [one for one in found if not _LABEL.match(one)] or found or [text]


def _cut(text: str, most: int) -> str:
    return text if len(text) <= most else text[:most].rsplit(" ", 1)[0] + " …"


def _sentences(locale: Locale) -> dict[str, Any]:
    return load_words(locale, _FILE)
