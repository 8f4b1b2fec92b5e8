"""Titles that a free answer has from somewhere else: made up, or of another domain than the one asked for.

A model that was tuned on some domains may recommend their items where another domain is asked for. Such an
answer names a title that the domain lacks, so it also counts as invented.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence

from rectune.core.figures.evaluation import DraftFigures
from rectune.core.stats.intervals import share_of
from rectune.core.types import Prompt
from rectune.prompts.answers import find_items, read_answer
from rectune.prompts.title_index import TitleIndex
from rectune.prompts.title_matching import MARKED, SURE, TitleMention
from rectune.prompts.titles import split_words

_LONGEST = 200  # characters in the place of a title that can still be one


def is_invented(text: str, titles: TitleIndex) -> bool:
    """Whether an answer recommends something that is not among the titles, nor one of them misspelt."""
    read = read_answer(text, titles)
    words = read.words[:_LONGEST]
    return bool(words) and read.recommended is None and titles.alike(words)[0] is None


def other_titles(
    text: str, prompt: Prompt, titles: Mapping[str, TitleIndex], domains: Collection[str]
) -> list[str]:
    """The titles of other domains that an answer names, domain by domain in the order of the text.

    A title counts if it is recommended, marked (in quotation marks, say), or has several words; one word in
    running text may be an ordinary one. It does not count if an item of the prompt's own domain bears it, if
    it is part of such a title, or if it is one of the history's.

    Args:
        text: what a model wrote.
        prompt: what it was asked.
        titles: by domain.
        domains: those whose titles are looked for; the prompt's own is left out.
    """
    own = titles[prompt.domain]
    taken = [(mention.start, mention.end) for mention in find_items(text, own)]
    found: list[str] = []
    for domain in sorted(set(domains) - {prompt.domain}):
        index = titles[domain]
        known = set(prompt.history) if domain == prompt.history_domain else set()
        places = [m.index for m in find_items(text, index) if _is_named(m, index) and not _within(m, taken)]
        read = read_answer(text, index)
        if read.recommended is not None and read.form != "none" and read.certainty[0] >= SURE:
            places.append(read.recommended)
        found += [
            index.titles[place]
            for place in dict.fromkeys(places)
            if not own.has(index.titles[place]) and not known & index.ids(place)
        ]
    return found


def _is_named(mention: TitleMention, index: TitleIndex) -> bool:
    several = len(split_words(index.titles[mention.index])) > 1
    return mention.certainty >= MARKED or (several and mention.certainty >= SURE)


def _within(mention: TitleMention, taken: Iterable[tuple[int, int]]) -> bool:
    return any(start < mention.end and mention.start < end for start, end in taken)


def draft_figures(
    texts: Sequence[str],
    prompts: Sequence[Prompt],
    titles: Mapping[str, TitleIndex],
    domains: Collection[str],
) -> DraftFigures:
    """The shares of a model's free answers that name what their domain lacks.

    Args:
        texts: the answers.
        prompts: what was asked, answer by answer.
        titles: by domain, of the domains asked for and of `domains`.
        domains: those that the model was tuned on.
    """
    pairs = list(zip(texts, prompts, strict=True))
    invented = sum(is_invented(text, titles[prompt.domain]) for text, prompt in pairs)
    other = sum(bool(other_titles(text, prompt, titles, domains)) for text, prompt in pairs)
    return DraftFigures(
        n=len(pairs),
        invented=share_of(invented, len(pairs)),
        other_domain=share_of(other, len(pairs)),
    )
