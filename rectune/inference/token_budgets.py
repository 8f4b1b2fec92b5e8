"""How long answers may be in each language: recipes say it for English, others take more tokens."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import lru_cache
from pathlib import Path

from rectune.core.settings import EngineConfig
from rectune.core.text.plain import locale_of
from rectune.core.types import Locale
from rectune.inference.requests import GenerationRequest
from rectune.inference.vocabulary import opened_vocabulary

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


def with_budgets(
    model: Path, requests: Sequence[GenerationRequest], engine: EngineConfig
) -> list[GenerationRequest]:
    """The requests, with answers as long as their language needs to say what `max_tokens` of English say.

    The language is that of the system message. An answer gets half of the context at most, unless it was
    given more.
    """
    found = []
    for request in requests:
        locale, most = locale_of(request.messages[0][1]), request.sampling.max_tokens
        if locale != "en":
            wanted = round(most * tokens_in(locale, model))
            sampling = request.sampling.model_copy(
                update={"max_tokens": max(most, min(wanted, engine.context // 2))}
            )
            request = replace(request, sampling=sampling)
        found.append(request)
    return found


def tokens_in(locale: Locale, model: Path) -> float:
    """How many times the tokens of English a model needs to say the same in a language; at least 1."""
    state = model.stat()
    counts = _counts(model, state.st_size, state.st_mtime_ns)
    return max(1.0, counts[locale] / counts["en"])


@lru_cache(maxsize=16)
def _counts(model: Path, size: int, modified: int) -> dict[Locale, int]:
    with opened_vocabulary(model) as vocabulary:
        return {locale: len(vocabulary.plain(text)) for locale, text in _SAID.items()}
