"""The model of a recommender as a chat asks it: in the terminal, or in the engine of a service."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace

from rectune.core.types import Locale
from rectune.dialogue.chat_model import ChatModel
from rectune.inference.generate import Generate
from rectune.inference.requests import GenerationRequest, GenerationResult
from rectune.inference.sentences import SentenceReader
from rectune.recommender.answering import CatalogueAnswers
from rectune.recommender.generative import GenerativeRecommender

_LOCALES: tuple[Locale, ...] = ("en", "ko")
_ASCII = 3  # characters of a token, rather fewer than there are
_OTHERS = 3  # tokens of another character: small models write Hangul byte by byte
_NOT_ASCII = re.compile(r"[^\x00-\x7f]")


Hear = Callable[[str], None]
"""Is told a finished sentence, as the model wrote it."""
Hearing = Callable[[Hear], Generate]
"""Gives what generates, and tells every sentence as soon as it is finished."""


def chat_model(
    recommender: CatalogueAnswers, context: int | None = None, hearing: Hearing | None = None
) -> ChatModel | None:
    """The model that words the answers of a chat; None where the recommender has none.

    Args:
        recommender: whose model is asked.
        context: tokens that prompt and answer may have; as the recipe says unless given.
        hearing: answers requests in place of the recommender's model, sentence by sentence; else sentences
            are told when the whole answer is there.
    """
    generative = recommender.generative
    if generative is None:
        return None
    settings = generative.retrieval
    trusted = frozenset(_LOCALES) - generative.untrusted
    return ChatModel(
        _say(generative, hearing), estimated_tokens, context or settings.context, settings.sampling,
        generative.grounding, trusted, settings.embedder,
    )  # fmt: skip


def estimated_tokens(text: str) -> int:
    """At most about so many tokens, whatever the model: more room is kept than is needed."""
    others = len(_NOT_ASCII.findall(text))
    return (len(text) - others) // _ASCII + _OTHERS * others + 1


def _say(
    generative: GenerativeRecommender, hearing: Hearing | None
) -> Callable[[GenerationRequest, Hear], GenerationResult]:
    def say(request: GenerationRequest, hear: Hear) -> GenerationResult:
        if hearing:
            return replace(generative, generate=hearing(hear)).ask([request])[0]
        answer = generative.ask([request])[0]
        reader = SentenceReader()
        sentences = reader.add(answer.text)
        if answer.finish == "stop" and (rest := reader.rest()):
            sentences.append(rest)
        for sentence in sentences:
            hear(sentence)
        return answer

    return say
