"""The two forms of an answer, and the parser that reads items out of answers, ours and a model's.

A direct answer is a paragraph of reasons and a closing line that names the item. A listwise answer is a
paragraph of reasons and a ranking of all candidates shown, one title per line, the best first. The scale of
certainty is in `rectune.prompts.title_matching`.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

from rectune.core.types import Locale
from rectune.prompts.answer_parser import MARKUP, AnswerForm, choose
from rectune.prompts.list_parsing import Kind, labels_of, lines_of
from rectune.prompts.locale_words import numbered, one_line
from rectune.prompts.title_index import TitleIndex
from rectune.prompts.title_matching import SURE, TitleMention, find, find_all, in_place, placed
from rectune.prompts.titles import unescape

CLOSINGS: dict[Locale, str] = {"en": "My recommendation:", "ko": "추천:"}
RANKINGS: dict[Locale, str] = {"en": "My ranking:", "ko": "순위:"}

_KINDS: dict[str, Kind] = {words[:-1].casefold(): "closing" for words in CLOSINGS.values()}
_KINDS |= {words[:-1].casefold(): "ranking" for words in RANKINGS.values()}
_WORDS = "|".join(map(re.escape, _KINDS))
_OURS = re.compile(rf"(?<![^\W_])({_WORDS})[*_]*[ \t]?[:：]", re.IGNORECASE)  # in bold too


@dataclass(frozen=True, slots=True)
class ParsedAnswer:
    """What an answer recommends.

    Attributes:
        items: indices of titles, the best first, each once: the ranking, or the one item that the answer
            names.
        certainty: of each item; the scale is that of `rectune.prompts.title_matching`.
        form: "direct" where closing words or the like announce one item, "listwise" for a ranking or list of
            titles, "none" where only the last sentence can be gone by.
        recommended: the first item, unless the first place holds none of the titles.
        words: the text of the first place as it was written; empty where no place is made for an item.
        mentions: all titles named anywhere in the answer, in the order of the text.
    """

    items: tuple[int, ...] = ()
    certainty: tuple[float, ...] = ()
    form: AnswerForm = "none"
    recommended: int | None = None
    words: str = ""
    mentions: tuple[TitleMention, ...] = field(default=(), repr=False)


def closing(locale: Locale, title: str) -> str:
    """The line that ends a direct response: it names the item as in the catalogue."""
    return f"{CLOSINGS[locale]} {one_line(title)}"


def behind_closing(locale: Locale, titles: Sequence[str]) -> tuple[str, list[str]]:
    """The closing words of a locale, and each title as it follows them."""
    words = CLOSINGS[locale]
    return words, [closing(locale, title).removeprefix(words) for title in titles]


def ranking(locale: Locale, titles: Sequence[str]) -> str:
    """The lines that end a listwise response, the best title first.

    In a training response the target is first and the others follow in the order in which the prompt showed
    them, since the logs say nothing about their order.
    """
    return f"{RANKINGS[locale]}\n{numbered([one_line(title) for title in titles])}"


def reasons(text: str) -> str:
    """The text before the first of our closing or ranking words; the whole text if there are none."""
    match = _OURS.search(text)
    return text[: match.start()].rstrip(MARKUP + "\n") if match else text


def find_items(text: str, titles: Sequence[str] | TitleIndex) -> list[TitleMention]:
    """All titles named in a text, in its order, each place once; for many texts keep a `TitleIndex`."""
    return find_all(_index(titles), text)


def read_answer(text: str, titles: Sequence[str] | TitleIndex, shown: Sequence[int] = ()) -> ParsedAnswer:
    """Read which items an answer recommends.

    What counts is the last label that announces a choice ("My recommendation:", "Final ranking:", "추천
    영화:") with titles after it; without labels a list or row of titles; without either the last sentence
    that recommends a title, or the last title of the last sentence. A closing line after a ranking puts its
    item first. If no title follows our own labels, the answer recommends none.

    Args:
        text: an answer, untrusted.
        titles: a catalogue; for many answers an index of it.
        shown: the candidates that the prompt numbered from 1, as indices of `titles`. A number in the place
            of a title refers to one of them, and of titles that are spelt the same one of these is meant.
    """
    index = _index(titles)
    names = index.preferring(shown) if shown else index
    plain, origin = unescape(text)
    found = find(names, plain)
    choice = choose(plain, names, shown, found, labels_of(plain, _OURS, _KINDS))
    return ParsedAnswer(
        tuple(choice.items),
        tuple(choice.items.values()),
        choice.form,
        next(iter(choice.items), None) if choice.first else None,
        choice.words.strip(MARKUP),
        tuple(placed(found, origin)),
    )


def items_in_places(text: str, titles: TitleIndex) -> list[int]:
    """The titles in closing lines and list entries, one entry for each occurrence."""
    plain, _ = unescape(text)
    found = list[int]()
    for line in lines_of(plain):
        closings = [
            match.end()
            for match in _OURS.finditer(plain, line.start, line.end)
            if _KINDS[match[1].casefold()] == "closing"
        ]
        begin = closings[-1] if closings else line.begin if line.listed else None
        mention = None if begin is None else in_place(titles, plain, begin, line.end)
        if mention and mention.certainty >= SURE:
            found.append(mention.index)
    return found


def _index(titles: Sequence[str] | TitleIndex) -> TitleIndex:
    return titles if isinstance(titles, TitleIndex) else TitleIndex.of_titles(titles)
