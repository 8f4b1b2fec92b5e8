"""What the items of a catalogue are like: categories, makers, decades, other facts, words of descriptions."""

from __future__ import annotations

import itertools
import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache

from rectune.core.item_values import categories_of, facts_by_value, is_maker
from rectune.core.text.common_words import FUNCTION_WORDS, GENERAL_ENGLISH, GENERAL_KOREAN
from rectune.core.text.morphemes import PAIRS, segmenter
from rectune.core.text.plain import is_unsegmented
from rectune.core.text.support import stem_of
from rectune.core.types import ORIGINAL_TITLE, Item
from rectune.prompts.titles import fold
from rectune.retrieval.terms import PREDICATE, is_hangul, terms_of

Trait = tuple[str, str]
"""An aspect (`category`, `maker`, `decade`, `word`, or the name of a fact) and a value, case aside."""

_READ = 1000  # characters of a description whose words are looked at
_FEWEST = 3  # items that have a word, below which it is no trait
_GENERAL = FUNCTION_WORDS | GENERAL_ENGLISH
_LETTER = re.compile(r"[^\W\d_]")
_ORDER = (
    "category",
    "maker",
    "",
    "decade",
    "word",
)  # which name is taken of two that say the same; "": facts


@dataclass(frozen=True, eq=False)
class CatalogueTraits:
    """The traits of a catalogue's items. It is read once for a catalogue, and shared by all users.

    Attributes:
        items: the catalogue, by id.
        of_item: item id -> its traits.
        holders: trait -> the ids of the items that have it.
        shown: trait -> its value as the catalogue has it.
        terms: item id -> what its text is found by: title, categories, description, and values of facts that
            are no opinions; see `found_by`.
    """

    items: Mapping[str, Item]
    of_item: Mapping[str, frozenset[Trait]]
    holders: Mapping[Trait, frozenset[str]]
    shown: Mapping[Trait, str]
    terms: Mapping[str, frozenset[str]]

    @classmethod
    def of(cls, items: Iterable[Item] | Mapping[str, Item]) -> CatalogueTraits:
        """Read the traits of a catalogue; its descriptions are split into words once."""
        listed = list(items.values() if isinstance(items, Mapping) else items)
        told = list(terms_of(item.description[:_READ] for item in listed))
        rest = terms_of(map(_beside_description, listed))
        terms = {
            item.item_id: _stemmed((*own, *more)) for item, own, more in zip(listed, told, rest, strict=True)
        }
        shown: dict[Trait, str] = {}
        holders: dict[Trait, set[str]] = defaultdict(set)
        for item, words in zip(listed, told, strict=True):
            for trait, value in (
                _named(item) | {("word", one): one for one in words if is_telling(one)}
            ).items():
                shown.setdefault(trait, value)
                holders[trait].add(item.item_id)
        kept = {
            one: frozenset(ids) for one, ids in holders.items() if one[0] != "word" or len(ids) >= _FEWEST
        }
        by_item: dict[str, set[Trait]] = {item.item_id: set() for item in listed}
        for trait, item_id in ((one, each) for one, ids in kept.items() for each in ids):
            by_item[item_id].add(trait)
        return cls(
            {item.item_id: item for item in listed},
            {item_id: frozenset(own) for item_id, own in by_item.items()},
            kept,
            {trait: shown[trait] for trait in kept},
            terms,
        )

    def having(self, trait: Trait) -> frozenset[str]:
        """The ids of the items that have a trait; none for one that the catalogue does not know."""
        return self.holders.get(trait, frozenset())

    def count(self, item_ids: Sequence[str]) -> dict[Trait, int]:
        """How many of these items have each trait; ids that the catalogue lacks are left out."""
        found: dict[Trait, int] = defaultdict(int)
        for trait in itertools.chain.from_iterable(self.of_item.get(one, ()) for one in item_ids):
            found[trait] += 1
        return found

    @cached_property
    def aspects(self) -> frozenset[str]:
        """The aspects that any item has something of, case aside."""
        return frozenset(fold(aspect) for aspect, _ in self.holders)

    @cached_property
    def named_sizes(self) -> tuple[int, ...]:
        """Of every trait but words how many items have it."""
        return tuple(len(ids) for trait, ids in self.holders.items() if trait[0] != "word")

    @cached_property
    def word_sizes(self) -> tuple[int, ...]:
        """Of every word how many items have it in their descriptions."""
        return tuple(len(ids) for trait, ids in self.holders.items() if trait[0] == "word")

    @property
    def domain(self) -> str:
        """The kind of the items; `other` for an empty catalogue."""
        return next((item.domain for item in self.items.values()), "other")


@lru_cache(maxsize=4096)
def traits_and_terms(item: Item) -> tuple[frozenset[Trait], frozenset[str]]:
    """The traits of one item but for words, and what its text is found by; the same as in its catalogue."""
    own, more = terms_of((item.description[:_READ], _beside_description(item)))
    return frozenset(_named(item)), _stemmed((*own, *more))


def found_by(text: str) -> frozenset[str]:
    """What items are found by for a text: its terms that say something; of English words their stems."""
    return _stemmed(telling_terms(text))


def aspect_order(aspect: str) -> int:
    """The place of an aspect: of two traits that always come together the first is spoken of."""
    return _ORDER.index(aspect) if aspect in _ORDER else _ORDER.index("")


def decade_of(year: int) -> str:
    """The decade of a year: `1990s`."""
    return f"{year // 10 * 10}s"


def is_telling(term: str) -> bool:
    """Whether a term is a word that says something about an item, and can be shown as it is."""
    if is_hangul(term):
        known = segmenter() != PAIRS and not term.endswith(PREDICATE)
        return known and len(term) > 1 and term not in GENERAL_KOREAN
    plain = len(term) > 2 and _LETTER.search(term) is not None and not is_unsegmented(term)
    return plain and term not in _GENERAL and term.removesuffix("s") not in _GENERAL


def telling_terms(text: str) -> frozenset[str]:
    """The terms of a text that say something, to be looked for in items; verbs and adjectives too."""
    (found,) = terms_of([text])
    bare = {one: one.removesuffix(PREDICATE) for one in found}
    return frozenset(one for one, word in bare.items() if is_telling(word) or _predicate(one, word))


def _predicate(term: str, word: str) -> bool:
    return term != word and word not in GENERAL_KOREAN


def _stemmed(terms: Iterable[str]) -> frozenset[str]:
    return frozenset(one if is_hangul(one) else stem_of(one) for one in terms)


def _beside_description(item: Item) -> str:
    values = (fact.partition(": ")[2] for fact in item.stated)
    return " . ".join((item.title, *item.categories, *values))


def _named(item: Item) -> dict[Trait, str]:
    """The traits of an item that stand in columns of the catalogue: trait -> value as shown."""
    found = {("category", key): one for key, one in categories_of(item).items() if key != item.domain}
    for key, (name, value) in facts_by_value(item).items():
        if name != ORIGINAL_TITLE and _LETTER.search(value):
            found.setdefault(("maker" if is_maker(name) else name, key), value)
    if item.year is not None:
        found["decade", decade_of(item.year)] = decade_of(item.year)
    return found
