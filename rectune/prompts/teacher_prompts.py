"""Prompts for teacher models: the messages that ask for a search query, a rationale or a
summary.

They show the target and are never trained on; training prompts come from `rectune.prompts.render`.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence

from rectune.core.types import Item, Locale
from rectune.prompts.locale_words import fill, load_words, one_line

Messages = tuple[tuple[str, str], ...]

_FILE = "teacher.{locale}.yaml"
_DESCRIPTION = 160  # characters of a description that are shown
_CATEGORIES = 4
_FACTS, _FACT = 6, 80  # facts of an item that are shown, and characters of each
_OPINIONS = 3  # opinions of an item that are shown


def facts(item: Item, locale: Locale, categories: int = _CATEGORIES) -> str:
    """An item in one line: title, categories, year, further facts, the beginning of its description, and what
    people wrote about it, as their opinions.

    Args:
        item: what is told of.
        locale: of the words around opinions.
        categories: that are shown at most.
    """
    about = [*item.categories[:categories]]
    if item.year is not None:
        about.append(str(item.year))
    about += [fact[:_FACT] for fact in item.stated[:_FACTS]]
    line = f"{item.title} ({', '.join(about)})" if about else item.title
    text = " ".join(item.description.split())
    if text and text != item.title:
        short = text if len(text) <= _DESCRIPTION else f"{text[:_DESCRIPTION].rsplit(' ', 1)[0]} …"
        line = f"{line}: {short}"
    opinions = told_opinions(item, locale)
    return f"{line}{' ' if line.endswith(('.', '!', '?', '…')) else '. '}{opinions}" if opinions else line


def told_opinions(item: Item, locale: Locale, most: int = _OPINIONS) -> str:
    """What people wrote about an item, marked as their opinions; empty where there is nothing."""
    said = [one_line(opinion) for opinion in item.opinions[:most]]
    words = load_words(locale, _FILE)["opinions"]
    return fill(words["told"], item.domain, load_words(locale), {"said": said}) if said else ""


def brief(item: Item) -> str:
    """An item of a history: title and two categories."""
    return f"{item.title} ({', '.join(item.categories[:2])})" if item.categories else item.title


def query_messages(item: Item, locale: Locale) -> Messages:
    """Seven shots from different domains, then the item."""
    words = load_words(locale, _FILE)["query"]
    shots = [
        turn for shot in words["shots"] for turn in (("user", shot["item"]), ("assistant", shot["query"]))
    ]
    return (("system", words["system"]), *shots, ("user", facts(item, locale)))


def rationale_opening(recent: Sequence[str], query: str, locale: Locale, choice: int) -> str:
    """The first words of a rationale, so that it addresses the user; `choice` picks one of the openings.

    Args:
        recent: titles of the history, newest last; two of them are named. Empty where there is a query.
    """
    words = load_words(locale, _FILE)["rationale"]
    openings = words["openings"]["active" if query else "passive"]
    values = {"recent": words["join"].join(recent[-2:]), "query": query}
    return fill(openings[choice % len(openings)], "other", load_words(locale), values)


def rationale_messages(item: Item, history: Sequence[Item], query: str, locale: Locale) -> Messages:
    """Ask why `item` fits this history, or answers this query (exactly one of the two is given).

    With a query there are shots from different domains before it. Where opinions of the item are shown, the
    system message says what they are.
    """
    kinds, words = load_words(locale), load_words(locale, _FILE)["rationale"]
    values = {"history": [brief(liked) for liked in history], "query": query, "item": facts(item, locale)}
    question = words["active" if query else "passive"]
    known = history[0].domain if history else item.domain
    system = [words["system"], *([load_words(locale, _FILE)["opinions"]["system"]] if item.opinions else [])]
    return (
        ("system", " ".join(fill(part, item.domain, kinds, {}) for part in system)),
        *(_shots(locale) if query else ()),
        ("user", fill(question, item.domain, kinds, values, known)),
    )


def summary_messages(item: Item, text: str, words: int, locale: Locale) -> Messages:
    """Ask for a text about an item in at most so many words; the text stands in the last message as it is."""
    kinds, asked = load_words(locale), load_words(locale, _FILE)["summary"]
    values = {"text": text, "words": words}
    return (("system", asked["system"]), ("user", fill(asked["ask"], item.domain, kinds, values)))


@functools.cache
def _shots(locale: Locale) -> Messages:
    kinds, words = load_words(locale), load_words(locale, _FILE)["rationale"]
    turns: list[tuple[str, str]] = []
    for shot in words["shots"]:
        values = {"query": shot["query"], "item": shot["item"], "history": []}
        turns += [("user", fill(words["active"], shot["domain"], kinds, values)), ("assistant", shot["text"])]
    return tuple(turns)
