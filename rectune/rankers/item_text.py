"""What is read of an item: its title, and as much of what is known of it as a budget allows."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

from rectune.core.text.plain import is_unsegmented
from rectune.core.types import Item
from rectune.retrieval.chunks import sentences
from rectune.retrieval.embedding import title_and_categories

ItemText = Literal["title", "title+categories", "title+description"]

TEXT_BUDGET = 160  # words: about 210 tokens of English, of the 256 that MiniLM reads
_LONGEST = 400  # characters of a sentence, above which it is cut at spaces


def word_count(text: str) -> int:
    """The length of a text in words; in scripts with few or no spaces two characters are a word."""
    return sum((len(word) + 1) // 2 if is_unsegmented(word) else 1 for word in text.split())


def item_text(item: Item, text: ItemText) -> str:
    """The text by which an item is embedded."""
    if text == "title":
        return item.title
    if text == "title+categories":
        return title_and_categories(item.title, item.categories)
    return described(item)


def described(item: Item, budget: int = TEXT_BUDGET, length: Callable[[str], int] = word_count) -> str:
    """Title, description and facts of an item, in this order, within a budget.

    The title is always there, of one that is too long by itself as many words as fit. The description ends
    with the last of its sentences that fits whole; of the facts each is there that still fits whole. What
    people wrote in reviews (`Item.opinions`) is left out. The memory that training takes grows with the
    length of texts; that of the vectors does not.

    Args:
        item: any.
        budget: the most that the text may have, at least 1.
        length: what the budget counts, by default words; of a tokenizer: `lambda text:
            len(tokenizer.encode(text))`. Longer texts must not be shorter by it.
    """
    found = _shortened(item.title, budget, length)
    for sentence in sentences(item.description, _LONGEST):
        longer = _joined(found, sentence)
        if length(longer) > budget:
            break
        found = longer
    for fact in item.stated:
        longer = _joined(found, fact)
        if length(longer) <= budget:
            found = longer
    return found


def _joined(text: str, more: str) -> str:
    if not text:
        return more
    return f"{text} {more}" if text.endswith((".", "!", "?", "。")) else f"{text}. {more}"


def _shortened(title: str, budget: int, length: Callable[[str], int]) -> str:
    """The longest beginning of a title that fits: of its words, or of its letters where no word does."""
    if length(title) <= budget:
        return title
    ends = [at for at, letter in enumerate(title) if letter == " "]
    fitting = [title[:end] for end in ends if length(title[:end]) <= budget]
    if fitting and fitting[-1].strip():
        return fitting[-1]
    end = next((end for end in range(len(title), 0, -1) if length(title[:end]) <= budget), 0)
    return title[:end]
