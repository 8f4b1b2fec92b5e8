"""Terms of a Korean request that say that something is wanted, and not what."""

from __future__ import annotations

from functools import lru_cache

from rectune.prompts.locale_words import load_words
from rectune.retrieval.terms import PREDICATE, terms_of

_VERBS = "나오 보 읽 듣 하 가 사 찾 고르 권하 추천하 원하 바라 알리 부탁하 있 없 좋 같 되 관하 대하".split()
ASKING = frozenset("추천 부탁 소개 종류".split())  # nouns that ask, and are not what is asked for


@lru_cache(maxsize=64)
def request_words(domain: str | None) -> frozenset[str]:
    """Such terms, and those of what the items of a domain are called: 영화 says nothing among films."""
    kind = load_words("ko")["kinds"].get(domain, {})
    named = terms_of([kind["noun"]]) if kind else ()
    return frozenset((*(verb + PREDICATE for verb in _VERBS), *ASKING, *(t for one in named for t in one)))
