"""How long answers may be in each language: recipes say it for English, others take more tokens."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import lru_cache
from pathlib import Path

from rectune.core.text.plain import locale_of
from rectune.core.types import Locale
from rectune.inference.requests import GenerationRequest
from rectune.inference.vocabulary import Vocabulary, opened_vocabulary

# The same in every language.
_SAID: dict[Locale, str] = {
    "en": (
        "You liked quiet dramas about families, so this film suits you: it tells of three sisters "
        "by the sea, takes its time, and ends on a hopeful note. My recommendation comes from the list "
        "you gave me."
    ),
    "ko": (
        "가족을 다룬 잔잔한 드라마를 좋아하셨으니 이 영화가 어울립니다. 바닷가에 사는 세 자매의 "
        "이야기를 서두르지 않고 들려주며 희망을 남기고 끝납니다. 주신 목록을 보고 추천했습니다."
    ),
}


# Of a model behind a server, whose tokens are not known here.
SAME_LENGTHS: Mapping[Locale, float] = dict.fromkeys(_SAID, 1.0)


def with_budgets(
    requests: Sequence[GenerationRequest], lengths: Mapping[Locale, float], context: int
) -> list[GenerationRequest]:
    """The requests, with answers as long as their language needs to say what `max_tokens` of English say.

    The language is that of the system message. An answer gets half of the context at most, unless it was
    given more.

    Args:
        requests: what is asked.
        lengths: see `token_lengths`.
        context: tokens that a sequence may reach.
    """
    found = []
    for request in requests:
        most = request.sampling.max_tokens
        wanted = round(most * lengths[locale_of(request.messages[0][1])])
        if wanted > most:
            sampling = request.sampling.model_copy(
                update={"max_tokens": max(most, min(wanted, context // 2))}
            )
            request = replace(request, sampling=sampling)
        found.append(request)
    return found


def token_lengths(vocabulary: Vocabulary) -> dict[Locale, float]:
    """How many times the tokens of English a model needs to say the same in each language; at least 1."""
    counts = {locale: len(vocabulary.plain(text)) for locale, text in _SAID.items()}
    return {locale: max(1.0, count / counts["en"]) for locale, count in counts.items()}


def token_lengths_of(model: Path) -> dict[Locale, float]:
    """As `token_lengths`, of a GGUF file; the file is read once as long as it stays the same."""
    state = model.stat()
    return _lengths(model, state.st_size, state.st_mtime_ns)


@lru_cache(maxsize=16)
def _lengths(model: Path, size: int, modified: int) -> dict[Locale, float]:
    with opened_vocabulary(model) as vocabulary:
        return token_lengths(vocabulary)
