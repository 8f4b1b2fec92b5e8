"""What is read of an item: its title, and as much of what is known of it as a budget allows."""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from rectune.core.text.plain import is_unsegmented
from rectune.core.types import Item
from rectune.retrieval.chunks import sentences
from rectune.retrieval.embedding import embedder_tokens, title_and_categories

ItemText = Literal["title", "title+categories", "title+description"]
Length = Callable[[str], int]  # of a text in tokens; a longer text must not be shorter by it

MAX_TOKENS = 256  # as many as MiniLM reads

_SPACES = re.compile(r"\s+")


@dataclass(frozen=True)
class TextOptions:
    """What is read of items.

    Attributes:
        text: which text.
        max_tokens: the most that it may have, in tokens of the embedder, those that it adds at both ends
            included; no more than the embedder reads count.
    """

    text: ItemText = "title+categories"
    max_tokens: int = MAX_TOKENS


@dataclass(frozen=True)
class ItemTexts:
    """The texts of items within a budget.

    Attributes:
        texts: by item id.
        cut: the ids of those whose text was longer.
    """

    texts: Mapping[str, str]
    cut: tuple[str, ...] = ()


def word_count(text: str) -> int:
    """The length of a text in words; in scripts with few or no spaces two characters are a word."""
    return sum((len(word) + 1) // 2 if is_unsegmented(word) else 1 for word in text.split())


def token_budget(embedder: str, max_tokens: int) -> tuple[Length, int]:
    """How the lengths of texts are counted for an embedder, and how long they may be.

    An embedder without a tokenizer that is known here, as one that was registered, counts in words.
    """
    tokens = embedder_tokens(embedder)
    if tokens is None:
        return word_count, max_tokens
    return tokens.count, min(max_tokens, tokens.most or max_tokens)


def texts_of(items: Sequence[Item], options: TextOptions, embedder: str) -> ItemTexts:
    """The texts of items as `options` say, within the budget."""
    length, budget = token_budget(embedder, options.max_tokens)
    texts, cut = dict[str, str](), list[str]()
    for item in items:
        whole = item_text(item, options.text)
        texts[item.item_id] = whole
        if length(whole) > budget:
            texts[item.item_id] = cut_text(item, options.text, budget, length)
            cut.append(item.item_id)
    return ItemTexts(texts, tuple(cut))


def item_text(item: Item, text: ItemText) -> str:
    """The whole text: the title; with categories; or with the description and facts, in this order.

    What people wrote in reviews (`Item.opinions`) is left out.
    """
    if text == "title":
        return item.title
    if text == "title+categories":
        return title_and_categories(item.title, item.categories)
    found = item.title
    for part in (*_sentences(item), *item.stated):
        found = _joined(found, part)
    return found


def cut_text(item: Item, text: ItemText, budget: int, length: Length = word_count) -> str:
    """As much of the text as a budget allows.

    The title is always there, of one that is too long by itself as many words as fit. With categories, the
    first ones follow that fit. A description ends with the last of its sentences that fits whole; a first one
    that does not is cut at a word. Of the facts each is there that still fits whole.

    Args:
        item: any.
        text: which text.
        budget: the most that the text may have, at least 1.
        length: what the budget counts.
    """

    def fits(tried: str) -> bool:
        return length(tried) <= budget

    found = _beginning(item.title, fits, letters=True)
    if text == "title":
        return found
    if text == "title+categories":
        tried = (title_and_categories(found, item.categories[:n]) for n in range(len(item.categories), 0, -1))
        return next(filter(fits, tried), found)
    found = with_sentences(found, _sentences(item), budget, length)
    for fact in item.stated:
        longer = _joined(found, fact)
        found = longer if fits(longer) else found
    return found


def with_sentences(lead: str, following: Sequence[str], budget: int, length: Length = word_count) -> str:
    """A text and the sentences that follow it, up to the last one that fits whole; of a first sentence that
    does not fit, the words that do.
    """
    found = lead
    for number, sentence in enumerate(following):
        longer = _joined(found, sentence)
        if length(longer) > budget:
            if not number:
                some = _beginning(
                    sentence, lambda tried: length(_joined(lead, tried)) <= budget, is_unsegmented(sentence)
                )
                found = _joined(lead, some) if some else lead
            break
        found = longer
    return found


def _sentences(item: Item) -> list[str]:
    return sentences(item.description, max(len(item.description), 1))


def _joined(text: str, more: str) -> str:
    if not text:
        return more
    return f"{text} {more}" if text.endswith((".", "!", "?", "。")) else f"{text}. {more}"


def _beginning(text: str, fits: Callable[[str], bool], letters: bool) -> str:
    """The longest beginning that fits: of whole words, or, if `letters`, of letters where no word does."""
    if fits(text):
        return text
    ends = [space.start() for space in _SPACES.finditer(text)]
    found = _longest(text, ends, fits)
    return found if found.strip() or not letters else _longest(text, range(1, len(text)), fits)


def _longest(text: str, ends: Sequence[int], fits: Callable[[str], bool]) -> str:
    """The text up to the last of these places up to which it fits; "" where it fits up to none."""
    count = bisect_left(ends, True, key=lambda end: not fits(text[:end]))
    return text[: ends[count - 1]] if count else ""
