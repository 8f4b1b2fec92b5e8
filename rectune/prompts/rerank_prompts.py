"""Prompts that ask how well one item suits a person: for a score, or for a yes or no.

What all persons are asked alike stands first, then what is told of the person, then the item: so the prompts
of one person share all but their ends.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Literal

from rectune.core.text.plain import cut_line
from rectune.core.types import Item, Locale
from rectune.prompts.locale_words import TEMPLATES, fill, load_words
from rectune.prompts.teacher_prompts import facts

RerankPrompt = Literal["detailed", "short"]
Messages = tuple[tuple[str, str], ...]

RERANK_PROMPTS: tuple[RerankPrompt, ...] = ("detailed", "short")

_FILE = "rerank.{locale}.yaml"
_CLAIM, _TITLE, _TOLD = 120, 100, 500  # characters that are shown
_CATEGORIES = 8  # that are shown: what a person likes or avoids may be any of them


def score_messages(prompt: RerankPrompt, claims: Sequence[str], item: Item, locale: Locale) -> Messages:
    """Ask for a score from 1 to 10.

    Args:
        prompt: `detailed` shows the item's facts and says what the scores mean, `short` its title and
            categories.
        claims: what is known of the person, a sentence or a few words each.
        item: what is judged.
        locale: of the prompt.
    """
    shown = _in_full(item, locale) if prompt == "detailed" else _in_short(item)
    return _messages(prompt, claims, item.domain, shown, locale)


def fit_messages(claims: Sequence[str], item: Item, locale: Locale) -> Messages:
    """Ask whether an item suits a person, yes or no (`answer_words`); without claims nothing is known."""
    return _messages("fit", claims, item.domain, _in_full(item, locale), locale)


def answer_words(locale: Locale) -> tuple[str, str]:
    """A yes and a no, as `fit_messages` asks for them."""
    yes, no = load_words(locale, _FILE)["answers"]
    return yes, no


def claim_words(stance: str, value: str, locale: Locale) -> str:
    """What a person likes or avoids, in words, for a claim that nobody has worded."""
    return _filled("claims", stance, value, locale)


def check_question(stance: str, value: str, locale: Locale) -> str:
    """The question of a set of items which of them have what a person likes or avoids."""
    return _filled("checks", stance, value, locale)


def suits_sentence(claims: Sequence[str], locale: Locale) -> str:
    """That an item suits what is known of a person, by these claims."""
    shown = [cut_line(claim, _CLAIM).rstrip(".;") for claim in claims]
    return fill(load_words(locale, _FILE)["suits"], "other", load_words(locale), {"claims": shown})


def _filled(part: str, stance: str, value: str, locale: Locale) -> str:
    source = load_words(locale, _FILE)[part][stance]
    return fill(source, "other", load_words(locale), {"value": cut_line(value, _CLAIM)})


def _messages(name: str, claims: Sequence[str], domain: str, shown: str, locale: Locale) -> Messages:
    words = load_words(locale)
    values = {"claims": [cut_line(claim, _CLAIM).rstrip(".;") for claim in claims], "item": shown}
    rules = ("system", "scale") if name == "detailed" else ("system",)
    system = "\n".join(fill(_template(locale, rule), domain, words, {}) for rule in rules)
    return (("system", system), ("user", fill(_template(locale, name), domain, words, values)))


def _in_full(item: Item, locale: Locale) -> str:
    return cut_line(facts(item, locale, _CATEGORIES), _TOLD)


def _in_short(item: Item) -> str:
    title = cut_line(item.title, _TITLE)
    named = ", ".join(cut_line(category, _TITLE) for category in item.categories[:_CATEGORIES])
    return f"{title} ({named})" if named else title


@functools.cache
def _template(locale: Locale, name: str) -> str:
    return (TEMPLATES / locale / "rerank" / f"{name}.jinja").read_text(encoding="utf-8")
