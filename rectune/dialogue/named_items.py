"""The items that a message names by their titles."""

from __future__ import annotations

import re

from rectune.core.text.common_words import FUNCTION_WORDS, GENERAL_ENGLISH
from rectune.core.types import Item
from rectune.dialogue.catalogue_terms import CatalogueTerms
from rectune.dialogue.chat_catalogue import ChatCatalogue, Named, item_called
from rectune.dialogue.message_text import plain_message
from rectune.prompts.title_index import TitleIndex
from rectune.prompts.title_matching import QUOTES, SURE, find_all
from rectune.prompts.titles import split_words

_TITLE_PLACES = (
    re.compile(r"\b(?:like|similar to|tell me about|know about)\s+(.+?)[?.!,]*$", re.IGNORECASE),
    re.compile(r"\b(?:what is|what's|who directed|who made)\s+(.+?)(?:\s+about)?[?.!]*$", re.IGNORECASE),
    re.compile(r"\b(?:do you have|have you got|got)\s+(.+?)[?.!,]*$", re.IGNORECASE),
    re.compile(
        r"^(\S+(?:\s\S+){0,4}?)(?:은|는|도|의)?\s(?:있어|있나|있습니까|있을까|누가|누구|몇|언제|감독|작가|배우)"
    ),
    re.compile(
        r"(\S+(?:\s\S+){0,4}?)(?:은|는|이랑|랑|과|와|이란|란)?\s?(?:같은|비슷한|처럼|어떤"
        r"|무슨|에 대해|줄거리|내용)"
    ),
    re.compile(
        r"(?<=\s)(\S+)(?:은|는|이랑|랑|과|와|이란|란)?\s?(?:같은|비슷한|처럼|어떤|무슨|에 대해|줄거리|내용)"
    ),
)


def named_items(text: str, catalogue: ChatCatalogue) -> tuple[list[Named], list[Named]]:
    """The items that a text names: those of the catalogue, and those of others where it has none there."""
    terms = catalogue.terms
    own = _titles_in(text, catalogue.titles, terms)
    taken = [(one.start, one.end) for one in own]
    other = list[Named]()
    for titles in catalogue.foreign.values():
        for one in _titles_in(text, titles, terms):
            if not any(one.start < end and start < one.end for start, end in taken):
                other.append(one)
                taken.append((one.start, one.end))
    return own, sorted(other, key=lambda one: one.start)


def _titles_in(text: str, titles: TitleIndex, terms: CatalogueTerms) -> list[Named]:
    found = [
        Named(titles.items[one.index], one.start, one.end)
        for one in find_all(titles, text)
        if one.certainty >= SURE
    ]
    found = found or _loosely(text, titles)
    return [one for one in found if not _means_no_title(text, one, terms)]


def _loosely(text: str, titles: TitleIndex) -> list[Named]:
    """A title in whatever case where nothing but a title stands: the whole message, or behind `like`."""
    places = [
        (0, len(text)),
        *(found.span(1) for pattern in _TITLE_PLACES for found in pattern.finditer(text)),
    ]
    for start, end in places:
        bare = text[start:end].strip(" .!?~\"'“”")
        if item := item_called(bare, titles):
            start = text.find(bare, start)
            return [Named(item, start, start + len(bare))]
    return []


def _means_no_title(text: str, one: Named, terms: CatalogueTerms) -> bool:
    """Whether the words are rather a category ("I hate War") or everyday words ("a big fan of") than the
    title that they are, too; in quotation marks they are the title.
    """
    words = text[one.start : one.end]
    if text[max(0, one.start - 1) : one.start] in QUOTES and one.start:
        return False
    if any(
        term.term.aspect == "category" and term.end - term.start == len(words) for term in terms.find(words)
    ):
        return True
    every = [word.text for word in split_words(words)]
    return words == words.lower() and all(word in FUNCTION_WORDS or word in GENERAL_ENGLISH for word in every)


def foreign_in(text: str, catalogue: ChatCatalogue) -> list[Item]:
    """The items of other domains that a text names, in its order."""
    return [one.item for one in named_items(plain_message(text), catalogue)[1]]


def items_in(text: str, catalogue: ChatCatalogue) -> list[Item]:
    """The catalogue's items that a text names by their titles, in its order."""
    return [one.item for one in named_items(plain_message(text), catalogue)[0]]
