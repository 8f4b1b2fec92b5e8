"""The model of a recommender as a chat asks it: in the terminal, or in the engine of a service."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace

from rectune.core.types import Locale
from rectune.dialogue.chat_model import ChatModel
from rectune.inference.requests import GenerationRequest, GenerationResult
from rectune.inference.sentences import SentenceReader
from rectune.inference.service_generate import Sentence, ServiceGenerate
from rectune.recommender.answering import CatalogueAnswers
from rectune.recommender.generative import GenerativeRecommender

_LOCALES: tuple[Locale, ...] = ("en", "ko")
_ASCII = 3  # characters of a token, rather fewer than there are
_OTHERS = 3  # tokens of another character: small models write Hangul byte by byte
_NOT_ASCII = re.compile(r"[^\x00-\x7f]")


def chat_model(recommender: CatalogueAnswers, context: int | None = None) -> ChatModel | None:
    """The model that words the answers of a chat; None where the recommender has none.

    Args:
        recommender: in a service one of `rectune.recommender.served`, whose call is asked.
        context: tokens that prompt and answer may have; as the recipe says unless given.
    """
    generative = recommender.generative
    if generative is None:
        return None
    settings = generative.retrieval
    trusted = frozenset(_LOCALES) - generative.untrusted
    return ChatModel(
        _say(generative), estimated_tokens, context or settings.context, settings.sampling,
        generative.grounding, trusted, settings.embedder,
    )  # fmt: skip


def estimated_tokens(text: str) -> int:
    """At most about so many tokens, whatever the model: more room is kept than is needed."""
    others = len(_NOT_ASCII.findall(text))
    return (len(text) - others) // _ASCII + _OTHERS * others + 1


def _say(
    generative: GenerativeRecommender,
) -> Callable[[GenerationRequest, Callable[[str], None]], GenerationResult]:
    def say(request: GenerationRequest, hear: Callable[[str], None]) -> GenerationResult:
        ask = generative
        if isinstance(generative.generate, ServiceGenerate):

            def told(sentence: Sentence) -> None:
                hear(sentence.text)

            ask = replace(generative, generate=replace(generative.generate, on_sentence=told))
            return ask.ask([request])[0]
        answer = ask.ask([request])[0]
        reader = SentenceReader()
        sentences = reader.add(answer.text)
        if answer.finish == "stop" and (rest := reader.rest()):
            sentences.append(rest)
        for sentence in sentences:
            hear(sentence)
        return answer

    return say
