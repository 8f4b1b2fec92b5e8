"""What is left of a catalogue by what somebody wants: categories, makers, decades, things for children."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from rectune.dialogue.chat_catalogue import ChatCatalogue
from rectune.dialogue.knowledge import ChatFact
from rectune.prompts.genre_names import same_genre

# What a catalogue may call things for children; only what it has counts.
FOR_YOUNG = ("Children", "Children's", "Kids", "Family", "가족", "어린이", "아동", "키즈")
_HARD = ("Horror", "Thriller", "Crime", "War", "Film-Noir")  # nothing for children, unless it is asked for
_YOUNG = re.compile(
    r"^(?:kids?|child(?:ren)?|son|daughter|toddler|grandchildren|nephew|niece|family|아이들?|애들?|애기"
    r"|아기|아들|딸|조카|가족들?)$"
)
_YEARS = re.compile(r"(?:19|20)\d\ds?")


@dataclass(frozen=True)
class Narrowed:
    """What is left.

    Attributes:
        allowed: ids that may be recommended.
        met: values of the catalogue that all of these have: what is wanted.
        unmet: what is wanted, and no item that is left has.
        not_young: whether something for children was wanted, the catalogue has a category for that, and no
            item that is left is in it.
    """

    allowed: frozenset[str]
    met: tuple[str, ...]
    unmet: tuple[str, ...]
    not_young: bool = False


def narrowed(
    catalogue: ChatCatalogue, allowed: frozenset[str], facts: Sequence[ChatFact], liked_now: Sequence[str]
) -> Narrowed:
    """The allowed ids that have what is wanted: all of it, else as much as some item has.

    Args:
        catalogue: what is talked about.
        allowed: ids that are not ruled out.
        facts: of the person.
        liked_now: what the message says that they like, in values of the catalogue.
    """
    met, unmet = list[str](), list[str]()
    kinds = catalogue.terms.categories()
    wanted = [fact.value for fact in facts if fact.kind in ("want", "mood")]
    for value in dict.fromkeys([*wanted, *liked_now]):
        if not catalogue.terms.has(value):
            unmet += [value] if _YEARS.fullmatch(value) else []
        elif some := allowed & kinds.get(value, catalogue.terms.ids(value)):
            allowed = some
            met.append(value)
        else:
            unmet.append(value)
    folded = {name.casefold(): name for name in kinds}
    young = any(fact.kind == "company" and _YOUNG.match(fact.value) for fact in facts)
    for_young = [folded[name.casefold()] for name in FOR_YOUNG if young and name.casefold() in folded]
    suits = [
        *for_young,
        *(folded[fact.value] for fact in facts if fact.kind == "occasion" and fact.value in folded),
    ]
    some = allowed & _having(kinds, suits)
    if some:
        met += [name for name in suits if some & kinds[name]]
    missing = bool(for_young) and not some & _having(kinds, for_young)
    if young and not some:
        hard = [name for name in kinds if any(same_genre(name, one) for one in _HARD) and name not in met]
        some = allowed - _having(kinds, hard)
    return Narrowed(some or allowed, tuple(dict.fromkeys(met)), tuple(unmet), missing)


def _having(kinds: Mapping[str, frozenset[str]], names: Iterable[str]) -> frozenset[str]:
    return frozenset[str]().union(*(kinds[name] for name in names))
