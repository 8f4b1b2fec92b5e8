"""What a turn may recommend, and what is searched with: by what was said, known and ruled out."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from rectune.core.item_values import categories_of, makers_of
from rectune.core.text.support import content_words
from rectune.core.types import Item, Locale, without_opinions
from rectune.dialogue.chat_catalogue import ChatCatalogue
from rectune.dialogue.circumstances import is_feeling, minutes_of
from rectune.dialogue.item_years import year_of
from rectune.dialogue.knowledge import ChatFact, Persona, UserKnowledge
from rectune.dialogue.memory import same_thing
from rectune.dialogue.narrowing import narrowed
from rectune.dialogue.wishes import Order
from rectune.recommender.answering import CatalogueAnswers
from rectune.recommender.evidence import Evidence, evidence_for
from rectune.recommender.options import RecommendOptions
from rectune.recommender.requests import UserRequest

K = 5
_MORE = 4  # times as many are looked at where something should be like an item
_LIKED = 50  # items of a history that are ranked with: the latest
_WORDS = 8  # likes in words that are searched with: the latest
_FOREIGN = 200  # characters of the description of another domain's item that are searched with
_TEXT = 2000  # characters of an item's text that are looked at for words that are avoided
_LENGTHS = re.compile(
    r"^(?:run ?time|running time|duration|length|minutes|상영 ?시간|러닝 ?타임|재생 ?시간|길이)$",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class SearchWish:
    """What is searched for.

    Attributes:
        query: words; empty for none.
        history: ids of items that are liked, oldest first.
        allowed: ids that may be recommended.
        met: values of the catalogue that all of these have: what is wanted.
        unmet: what is wanted, and no item that is left has.
        not_young: see `Narrowed`.
        again: whether items come that this chat has shown, since no others are left.
        lengths: False where a time was given, and the catalogue does not say how long its items take.
        likened: ids of the items that it should be like.
        order: what comes first; empty for what suits best.
    """

    query: str
    history: tuple[str, ...]
    allowed: frozenset[str]
    met: tuple[str, ...] = ()
    unmet: tuple[str, ...] = ()
    not_young: bool = False
    again: bool = False
    lengths: bool = True
    likened: tuple[str, ...] = ()
    order: Order = ""


@dataclass(frozen=True)
class Found:
    """What was found: items with what speaks for each, the best first; whether they fit the words."""

    items: tuple[Item, ...]
    evidence: tuple[Evidence | None, ...]
    fits: bool = True


def ruled_out(
    catalogue: ChatCatalogue, knowledge: UserKnowledge, facts: Sequence[ChatFact], persona: Persona
) -> frozenset[str]:
    """The ids that must not be recommended: seen, disliked, hidden, and what has anything that is avoided.

    A later wish for the very thing suspends what was said before; claims count that the person said, kept or
    edited.
    """
    gone = set(knowledge.seen | knowledge.disliked | knowledge.hidden)
    for at, fact in enumerate(facts):
        if fact.kind == "seen":
            gone.add(fact.item_id)
        elif fact.kind in ("avoid", "not_now"):
            later = facts[at + 1 :]
            if not any(one.kind in ("want", "mood", "like") and same_thing(one, fact) for one in later):
                gone |= {fact.item_id} if fact.item_id else ids_with(catalogue, fact.value)
        elif fact.kind == "time" and (most := minutes_of(fact.value)):
            gone |= {id for id, item in catalogue.items.items() if (minutes_taken(item) or 0) > most}
    own = [one for one in persona.active if one.stance == "avoids" and (one.quote or one.state != "inferred")]
    for claim in own:
        wished = any(
            one.kind in ("want", "like") and one.value.casefold() == claim.value.casefold() for one in facts
        )
        if not wished:
            gone |= ids_with(catalogue, claim.value)
    return frozenset(gone) - {""}


def ids_with(catalogue: ChatCatalogue, value: str) -> frozenset[str]:
    """The items that have a value of the catalogue; else those whose text has all of the words."""
    if catalogue.terms.has(value):
        return catalogue.terms.ids(value)
    wanted = content_words(value.casefold()).all
    if not wanted:
        return frozenset()
    return frozenset(
        id for id, item in catalogue.items.items() if wanted <= content_words(item_text(item)).all
    )


def minutes_taken(item: Item) -> float | None:
    """How long an item takes, by a fact of the catalogue; None where it does not say."""
    for fact in item.stated:
        name, _, value = fact.partition(": ")
        if _LENGTHS.match(name) and (found := re.search(r"\d+(?:\.\d+)?", value)):
            return float(found.group())
    return None


def wish_of(
    catalogue: ChatCatalogue,
    knowledge: UserKnowledge,
    facts: Sequence[ChatFact],
    persona: Persona,
    *,
    query: str,
    likened: Sequence[str],
    foreign: Sequence[Item],
    shown: Collection[str],
    liked_now: Sequence[str] = (),
    shorter_than: str = "",
    others: bool = False,
    order: Order = "",
) -> SearchWish:
    """What to search for.

    Args:
        catalogue: what is recommended from.
        knowledge, persona, facts: of the person, with what this message says.
        query: the words of this message that say what is wanted.
        likened: ids of the items that it should be like.
        foreign: items of other domains that it should be like; they are searched with.
        shown: ids that were shown lately; they come again only where no others are left.
        liked_now: what this message says that the person likes, in values of the catalogue.
        shorter_than: the id of an item that takes too long; empty for none.
        others: whether what was not shown yet comes before what is liked; where all that is liked was shown,
            that comes again else.
        order: what comes first.
    """
    gone = ruled_out(catalogue, knowledge, facts, persona) | set(likened) | _namesakes(catalogue, foreign)
    liked = _liked(catalogue, knowledge, facts)
    gone |= set(liked)
    if shorter_than and (most := minutes_taken(catalogue.items[shorter_than])):
        gone |= {id for id, item in catalogue.items.items() if (minutes_taken(item) or most) >= most}
    allowed = frozenset(catalogue.items) - gone
    left = narrowed(catalogue, allowed, facts, liked_now)
    allowed = left.allowed
    fresh = allowed - set(shown)
    said = [fact.value for fact in facts if fact.kind == "like" and not fact.item_id]
    likely = allowed & frozenset[str]().union(*(catalogue.terms.ids(value) for value in said))
    plain = not (query or likened or foreign or left.met or others)
    again = bool(allowed) and (not fresh or (plain and bool(likely) and not likely & fresh))
    words = "; ".join(filter(None, [query, *map(_told, foreign)]))
    words = words or "; ".join([*liked_now, *_words_wanted(facts)])
    history = tuple(one for one in likened if one in catalogue.items) or tuple(liked[-_LIKED:])
    if not words and not history:
        words = "; ".join(_words_liked(knowledge, facts, persona))
    elif not words and not likened:
        words = "; ".join(one.value for one in facts[-_WORDS:] if one.kind == "like" and not one.item_id)
    timed = any(fact.kind == "time" for fact in facts) or bool(shorter_than)
    known = not timed or any(minutes_taken(item) is not None for item in catalogue.items.values())
    return SearchWish(
        words, history, allowed if again else fresh, left.met, left.unmet, left.not_young, again, known,
        tuple(one for one in likened if one in catalogue.items), order,
    )  # fmt: skip


def find(
    recommender: CatalogueAnswers, catalogue: ChatCatalogue, wish: SearchWish, locale: Locale, k: int = K
) -> Found:
    """At most `k` items for a wish; what is popular, else the catalogue's order, where nothing is known.

    Of what should be like an item those come for which something speaks; the others only where nothing speaks
    for any.
    """
    if not wish.allowed:
        return Found((), ())
    fits, most = True, _MORE * k if wish.likened else k
    if wish.order:
        ids = _ordered(recommender, catalogue, wish)[:k]
    elif wish.history or wish.query.strip():
        options = RecommendOptions(min(most, len(wish.allowed)), within=wish.allowed, explain=0)
        answer = recommender.recommend_all([UserRequest(wish.history, wish.query)], options)[0]
        ids, fits = [one.item_id for one in answer], answer.fits
    else:
        ids = _popular(recommender, wish.allowed)[:k]
    if len(ids) < min(k, len(wish.allowed)) and (wish.met or not ids):  # words alone find no more
        fits = fits and bool(ids)
        ids += [one for one in _popular(recommender, wish.allowed) if one not in ids][: k - len(ids)]
    items = [catalogue.items[id] for id in ids]
    liked = [catalogue.items[id] for id in wish.history if id in catalogue.items]
    evidence = evidence_for(items, liked, wish.query, locale, recommender.likes)
    pairs = list(zip(items, evidence, strict=True))
    if wish.likened:
        pairs = sorted([one for one in pairs if one[1]] or pairs, key=lambda one: _only_of_its_time(*one))
    return Found(
        tuple(item for item, _ in pairs[:k]), tuple(why for _, why in pairs[:k]), fits or bool(wish.met)
    )


def _only_of_its_time(item: Item, evidence: Evidence | None) -> bool:
    """Whether nothing but the decade is in common."""
    own = {*categories_of(item), *makers_of(item)}
    return evidence is None or (
        evidence.kind == "common" and own.isdisjoint(map(str.casefold, evidence.words))
    )


def _ordered(recommender: CatalogueAnswers, catalogue: ChatCatalogue, wish: SearchWish) -> list[str]:
    """The allowed ids, the newest or the oldest first, those without a year last; or the most liked first."""
    ids = _popular(recommender, wish.allowed)
    years = {id: year_of(catalogue.items[id]) for id in ids}
    if wish.order == "popular":
        return ids
    sign = -1 if wish.order == "new" else 1
    return sorted(ids, key=lambda id: ((year := years[id]) is None, sign * (year or 0)))


def _liked(catalogue: ChatCatalogue, knowledge: UserKnowledge, facts: Sequence[ChatFact]) -> list[str]:
    """Ids that are liked, by what was done and said, oldest first; what is avoided since is not."""
    said = [fact.item_id for fact in facts if fact.kind == "like" and fact.item_id]
    against = {fact.item_id for fact in facts if fact.kind == "avoid"} | knowledge.disliked | knowledge.hidden
    every = dict.fromkeys([*knowledge.liked, *said])
    return [id for id in every if id in catalogue.items and id not in against]


def _words_wanted(facts: Sequence[ChatFact]) -> list[str]:
    return [
        fact.value
        for fact in facts
        if fact.kind == "want" or (fact.kind == "mood" and not is_feeling(fact.value))
    ]


def _words_liked(knowledge: UserKnowledge, facts: Sequence[ChatFact], persona: Persona) -> list[str]:
    """What is liked, in words, where no item is known that is."""
    said = [fact.value for fact in facts if fact.kind == "like" and not fact.item_id]
    claims = [claim.value for claim in persona.active if claim.stance == "likes"]
    return list(dict.fromkeys([*knowledge.tastes, *claims, *said]))[-_WORDS:]


def _popular(recommender: CatalogueAnswers, allowed: Collection[str]) -> list[str]:
    counts: Mapping[str, int] = {}
    if recommender.likes is not None:
        counts = dict(zip(recommender.likes.item_ids, recommender.likes.counts.tolist(), strict=True))
    return sorted((id for id in recommender.items if id in allowed), key=lambda id: -counts.get(id, 0))


def _told(item: Item) -> str:
    """What is searched with of an item of another domain: all but its title."""
    about = without_opinions(item.description)[:_FOREIGN].replace(item.title, " ")
    return " ".join([*item.categories, about]).strip()


def _namesakes(catalogue: ChatCatalogue, foreign: Sequence[Item]) -> frozenset[str]:
    """The items of the catalogue that bear the title of one of another domain."""
    return frozenset(item.item_id for one in foreign for item in catalogue.titles.bearers(one.title))


def item_text(item: Item) -> str:
    """What the catalogue says of an item."""
    values = (fact.partition(": ")[2] for fact in item.stated)
    return " . ".join([item.title, *item.categories, item.description[:_TEXT], *values])
