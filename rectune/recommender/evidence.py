"""What speaks for a recommended item: people who liked it with one of the history, or words in common."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from rectune.core.item_values import categories_of, makers_of
from rectune.core.text.plain import cut_line
from rectune.core.types import Item, Locale
from rectune.prompts.particles import with_particle
from rectune.prompts.query_words import QueryWords
from rectune.rankers.co_likes import CoLike, CoLikes

_TITLE = 100  # characters of a title that are shown
_WORDS = 5  # in common that are shown
_LATEST = 100  # items of a history that are compared


@dataclass(frozen=True)
class Evidence:
    """What speaks for an item.

    Attributes:
        kind: `likes`: people who liked an item of the history liked it too; `common`: the catalogue says the
            same of it and of an item of the history; `query`: it has words of the query; `text`: the words
            that a search found, or that an answer of the language model names.
        text: the same in a sentence, in the language of the request.
        item_ids: the items of the history that it speaks of.
        liked: how many people liked that item; None unless the kind is `likes`.
        both: how many of them liked this one too, at least 3.
        words: what is in common, as the catalogue writes it.
    """

    kind: Literal["likes", "common", "query", "text"]
    text: str
    item_ids: tuple[str, ...] = ()
    liked: int | None = None
    both: int | None = None
    words: tuple[str, ...] = ()


def evidence_for(
    items: Sequence[Item], liked: Sequence[Item], query: str, locale: Locale, likes: CoLikes | None
) -> list[Evidence | None]:
    """What speaks for each item; None where nothing is known that does.

    The words of the query come first, then likes, then what the catalogue says of both.

    Args:
        items: those that are recommended.
        liked: the history, oldest first.
        query: what is asked for in words; may be empty.
        locale: the language of the sentences.
        likes: what people liked, where that is known.
    """
    own = [item for item in liked if item.item_id and items and item.domain == items[0].domain]
    titles = {item.item_id: item.title for item in own}
    ids = [item.item_id for item in items]
    together = likes.strongest([item.item_id for item in own], ids) if likes else [None] * len(items)
    asked = QueryWords(query)
    return [
        _of_query(item, asked, locale)
        or (_of_likes(both, titles, locale) if both else None)
        or _in_common(item, liked[-_LATEST:], locale)
        for item, both in zip(items, together, strict=True)
    ]


def people_in_words(found: Evidence | None) -> str:
    """The sentence on people who liked both; empty for other evidence."""
    return f"{found.text[:1].upper()}{found.text[1:]}." if found and found.kind == "likes" else ""


def _of_likes(found: CoLike, titles: Mapping[str, str], locale: Locale) -> Evidence:
    title = f'"{cut_line(titles[found.item_id], _TITLE)}"'
    text = f"{found.both:,} of {found.liked:,} people who liked {title} also liked it"
    if locale == "ko":
        text = (
            f"{with_particle(title, '을')} 좋아한 {found.liked:,}명 중 {found.both:,}명이 이것도 좋아했습니다"
        )
    return Evidence("likes", text, (found.item_id,), found.liked, found.both)


def _in_common(item: Item, liked: Sequence[Item], locale: Locale) -> Evidence | None:
    """The words in common with the item of the history that has the most; of equal ones the latest."""
    mine = _words(item, locale)
    shared = [(one, [word for key, word in mine.items() if key in _words(one, locale)]) for one in liked]
    most = max(reversed(shared), key=lambda pair: len(pair[1]), default=None)
    if most is None or not most[1]:
        return None
    title, words = f'"{cut_line(most[0].title, _TITLE)}"', most[1][:_WORDS]
    listed = ", ".join(cut_line(word, _TITLE) for word in words)
    text = f"{with_particle(title, '과')} 같은 점: {listed}" if locale == "ko" else f"like {title}: {listed}"
    ids = (most[0].item_id,) if most[0].item_id else ()
    return Evidence("common", text, ids, words=tuple(words))


def _words(item: Item, locale: Locale) -> dict[str, str]:
    """Categories, makers and decade, case aside -> as they are shown."""
    found = {**categories_of(item), **makers_of(item)}
    if item.year is not None:
        decade = f"{item.year // 10 * 10}{'년대' if locale == 'ko' else 's'}"
        found[decade] = decade
    return found


def _of_query(item: Item, asked: QueryWords, locale: Locale) -> Evidence | None:
    """The words of the query that stand in the catalogue's text of the item."""
    words = asked.found_in(item)
    if not words:
        return None
    text = f"찾으신 말: {', '.join(words)}" if locale == "ko" else f"has your words: {', '.join(words)}"
    return Evidence("query", text, words=tuple(words))
