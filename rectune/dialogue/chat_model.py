"""The answer in a model's words, sentence by sentence: what a sentence may not say does not go out.

A sentence goes out only if it names an item that was found, names nothing else, and says of it what stands in
the facts or in the conversation (`rectune.recommender.reason_checks`).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from rectune.core.settings import SamplingConfig
from rectune.core.text.plain import cut_line
from rectune.core.types import Item, Locale, content_id
from rectune.dialogue.chat_sentences import FILE
from rectune.dialogue.chat_turn import SaidSentence
from rectune.dialogue.recall import PromptParts
from rectune.inference.requests import GenerationRequest, GenerationResult
from rectune.prompts.answers import find_items
from rectune.prompts.locale_words import fill, load_words
from rectune.prompts.teacher_prompts import facts as told_facts
from rectune.prompts.title_matching import SURE
from rectune.prompts.titles import key_of, name_of, without_year
from rectune.recommender.explanation_request import ExplanationRequest
from rectune.recommender.reason_checks import KnownTitles, fault

Say = Callable[[GenerationRequest, Callable[[str], None]], GenerationResult]
"""Answers a request; the second argument hears of every finished sentence, unchecked."""

_QUOTED = re.compile('["“「『《]([^"“”「」『』《》]+)["”」』》]')
_BULLETS = "-–•* "
_TOKENS = 160  # of an answer
_MESSAGE = 500  # characters of a message that the model is shown
_MOST = 6  # sentences


@dataclass(frozen=True)
class ChatModel:
    """A model that words answers.

    Attributes:
        say: asks it.
        count: the tokens of a text.
        context: tokens that prompt and answer have together.
        sampling: how it writes.
        titles: knows all titles of the catalogue.
        trusted: languages in which its words go out; see `rectune.recommender.model_check`.
        embedder: compares facts with messages; None compares words.
    """

    say: Say
    count: Callable[[str], int]
    context: int
    sampling: SamplingConfig
    titles: KnownTitles
    trusted: frozenset[Locale] = frozenset()
    embedder: str | None = None


@dataclass(frozen=True)
class Worded:
    """What a model wrote: the sentences that went out, how many did not, and tokens."""

    sentences: tuple[SaidSentence, ...]
    dropped: int
    prompt_tokens: int
    written_tokens: int


def chat_messages(
    parts: PromptParts, message: str, items: Sequence[Item], locale: Locale, domain: str
) -> tuple[tuple[str, str], ...]:
    """The conversation that the model goes on with: earlier turns, then what is known and found as data."""
    words, kinds = load_words(locale, FILE)["model"], load_words(locale)
    turns = [turn for said, told in parts.turns for turn in (("user", said), ("assistant", told))]
    blocks = [
        (words["known"], [one.text for one in parts.claims if one.text]),
        (words["said"], [one.quote for one in parts.facts]),
        (words["found"], [told_facts(item, locale) for item in items]),
    ]
    shown = [
        f"{head}\n" + "\n".join(f"- {cut_line(line, _MESSAGE)}" for line in lines)
        for head, lines in blocks
        if lines
    ]
    shown.append(f"{words['message']} {cut_line(message, _MESSAGE)}")
    return (("system", fill(words["system"], domain, kinds, {})), *turns, ("user", "\n\n".join(shown)))


def worded(
    model: ChatModel,
    parts: PromptParts,
    message: str,
    items: Sequence[Item],
    liked: Sequence[Item],
    query: str,
    locale: Locale,
    tell: Callable[[SaidSentence], None],
) -> Worded:
    """Let the model answer; `tell` hears of each sentence that passed the checks, as soon as it did.

    Args:
        model: writes.
        parts: of the person and the chat.
        message: what was said.
        items: what was found.
        liked, query: what it was found by.
        locale: the language.
        tell: hears of sentences.
    """
    messages = chat_messages(parts, message, items, locale, items[0].domain)
    sampling = model.sampling.model_copy(update={"max_tokens": min(_TOKENS, model.sampling.max_tokens)})
    seed = int(content_id("chat", messages, sampling.seed)[:8], 16)
    request = GenerationRequest(content_id("chat", messages), messages, sampling, seed)
    gone, said, spoken = 0, list[SaidSentence](), list[str]()

    def hear(sentence: str) -> None:
        nonlocal gone
        sentence = sentence.lstrip(_BULLETS)
        about = checked_item(sentence, items, spoken, liked, query, locale, model.titles)
        if about is None or len(said) >= _MOST or any(one.text == sentence for one in said):
            gone += 1
            return
        spoken[:] = [about.item_id]
        said.append(SaidSentence(cut_line(sentence, 2 * _MESSAGE), (about.item_id,)))
        tell(said[-1])

    answer = model.say(request, hear)
    return Worded(tuple(said), gone, answer.prompt_tokens, answer.tokens)


def checked_item(
    sentence: str,
    items: Sequence[Item],
    before: Sequence[str],
    liked: Sequence[Item],
    query: str,
    locale: Locale,
    titles: KnownTitles,
) -> Item | None:
    """The item that a sentence may speak of; None where it must not go out.

    Args:
        sentence: as the model wrote it.
        items: what was found.
        before: the id of the item of the sentence before, which one without a title goes on about.
        liked, query: what the items were found by, which may be named too.
        locale: the language.
        titles: knows all titles of the catalogue.
    """
    named = [
        items[one.index]
        for one in find_items(sentence, [item.title for item in items])
        if one.certainty >= SURE
    ]
    ids = {item.item_id for item in named}
    if len(ids) > 1:
        return None
    about = named[0] if named else next((item for item in items if item.item_id in before), None)
    if about is None:
        return None
    if any(_unknown(found[1], [*items, *liked], query) for found in _QUOTED.finditer(sentence)):
        return None
    asked = ExplanationRequest(about, tuple(liked), "" if liked else query or about.title, locale)
    return None if fault(f"{asked.opening} {sentence}", asked, titles) else about


def _unknown(quotation: str, items: Sequence[Item], query: str) -> bool:
    """Whether a quotation is none of these titles, and stands nowhere in their facts or the query."""
    words = key_of(without_year(quotation) or quotation)
    facts = [one for item in items for one in (item.description, *item.facts)]
    told = " ".join([query, *facts])
    return words not in {name_of(one.title) for one in items} and words not in key_of(told)
