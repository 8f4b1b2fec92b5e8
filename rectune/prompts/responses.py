"""Responses as they are trained on: reasons, and the closing line or the ranking that names the item."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Literal

from rectune.core.catalogue import Catalogue
from rectune.core.rng import seed_of
from rectune.core.types import Prompt
from rectune.prompts.answers import ParsedAnswer, closing, ranking, read_answer, reasons
from rectune.prompts.query_words import query_words
from rectune.prompts.template_reasons import template_reason
from rectune.prompts.title_matching import WHOLE

_SENTENCE_END = re.compile(r"[.!?。…](?=[\"'”’)\]]?(\s|$))")


def ranked_titles(prompt: Prompt, catalogue: Catalogue, first: str = "") -> list[str]:
    """The title of an item, then those of the other candidates in the order in which the prompt shows them.

    The logs say nothing about the order of the others, so none is made up.

    Args:
        prompt: its `candidates` are listed.
        catalogue: where they are.
        first: the id of the item that is ranked first; the target without it.
    """
    first = first or prompt.target
    others = [item for item in prompt.candidates if item != first]
    return catalogue.titles(prompt.domain, [first, *others])


def respond(
    text: str, titles: Sequence[str], prompt: Prompt, *, cut: bool
) -> tuple[str, Literal["model", "template"]]:
    """The response made of a teacher's text, and who named the item in it.

    A direct response is the reasons in one paragraph and the closing line; a listwise one the same reasons
    and the ranking. The ranking is always by "template": a teacher is asked for a paragraph and shown only
    the target.

    Args:
        text: what the teacher wrote.
        titles: the target's title exactly as in the catalogue, then those of the other candidates as they are
            ranked.
        prompt: the prompt of the response.
        cut: the text was stopped by the token limit, so its incomplete last sentence is removed.
    """
    text = " ".join(text.split())
    body = reasons(text)
    if cut or body != text:  # "… so I come to my recommendation: X" leaves half a sentence too
        body = whole_sentences(body)
    if prompt.form == "listwise":
        return f"{body}\n{ranking(prompt.locale, titles)}".strip(), "template"
    named = read_answer(text, titles[:1])
    by: Literal["model", "template"] = "model" if _closes(named) else "template"
    return f"{body}\n{closing(prompt.locale, titles[0])}".strip(), by


def templated_response(prompt: Prompt, catalogue: Catalogue, item_id: str) -> str:
    """A response that recommends an item, whose reasons are sentences made of what the catalogue says.

    Args:
        prompt: what is asked.
        catalogue: of its history and of the item.
        item_id: the item, of the prompt's domain; the target or any other.
    """
    item = catalogue.get(prompt.domain, item_id)
    history = [catalogue.get(prompt.history_domain, liked) for liked in prompt.history]
    words = query_words(item, prompt.query)
    text = template_reason(item, history, prompt.query, prompt.locale, wording_of(prompt), words)
    return respond(text, ranked_titles(prompt, catalogue, item_id), prompt, cut=False)[0]


def ending(prompt: Prompt, catalogue: Catalogue, item_id: str) -> str:
    """The same response without its reasons: the closing line, or the ranking."""
    return respond("", ranked_titles(prompt, catalogue, item_id), prompt, cut=False)[0]


def wording_of(prompt: Prompt) -> int:
    """The seed that picks the opening of a templated response; the same for every item of a prompt."""
    return seed_of("seed", "opening", prompt.id)


def _closes(reading: ParsedAnswer) -> bool:
    """Whether a text ends on its only title, after closing words."""
    return reading.form == "direct" and reading.certainty == (WHOLE,)


def whole_sentences(text: str) -> str:
    """The text up to its last full stop; the whole text if it has none."""
    ends = [match.end() for match in _SENTENCE_END.finditer(text)]
    return text[: ends[-1]] if ends else text
