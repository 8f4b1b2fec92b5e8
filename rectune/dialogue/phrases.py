"""The things that a cue governs, in words: what is left of its reach without what says nothing."""

from __future__ import annotations

import re
from collections.abc import Iterator

from rectune.core.extras import is_installed
from rectune.core.text.common_words import FUNCTION_WORDS, GENERAL_ENGLISH, GENERAL_KOREAN
from rectune.core.text.morphemes import morphemes_of
from rectune.core.text.support import MASK
from rectune.core.types import Locale
from rectune.prompts.title_matching import without_particle

_MOST_WORDS, _LONGEST = 4, 60
_SPLIT = re.compile(r"\s*(?:,|;|/|&|\band\b|\bor\b|\bnor\b|\bplus\b|\bas well as\b)\s*")
_HEAD = re.compile(
    r"^(?:(?:the|a|an|any|all|some|most|more|too|very|really|so|such|much|many|your"
    r"|those|these|kind of|kinds of|lots of"
    r"|a lot of|to (?:watch|see|read|play|hear|listen to)|watching|seeing|reading"
    r"|playing|listening to|with|about"
    r"|by|from|in|like|of|stories about|(?:films?|movies?|books?|games?|songs?|albums?"
    r"|anime|things?|stuff|anything"
    r"|something|everything) (?:about|with|by|from|like|that (?:are|is)|which (?:are|is)"
    r"|full of|set in))\s+)+"
)
_TAIL = re.compile(
    r"(?:\s*\b(?:films?|movies?|books?|games?|songs?|albums?|anime|stuff|things?|ones?"
    r"|genres?|stories|at all|any ?more"
    r"|either|tonight|today|now|please|much|too much|too|very much|a lot|so much|after "
    r"all|again|though|then|these days"
    r"|lately|really|in it|in them|in general|anyway|to watch|to read|to see|to play|to "
    r"listen to|for me|instead)\b)+\s*$"
)
_NO_THING = re.compile(
    r"^(?:it|that|this|them|those|these|you|me|him|her|us|one|to|how|when|what|who|where|why|if|being|having"
    r"|going|doing|my|we|i|they|he|she|not|no|everything|anything|nothing|something)\b"
)
_WORD = re.compile(r"[^\W_]+(?:['-][^\W_]+)*")
_HANGUL = re.compile("[가-힣]+")
# Korean words that end the phrase before them, or say nothing of a thing.
_EMPTY_KO = frozenset(
    "저는 나는 난 전 제가 내가 저도 나도 우리는 우리 오늘 오늘은 요즘 요즘은 그리고 "
    "그런데 근데 하지만 그래서 사실 아 음 네 아니 "
    "너무 정말 진짜 별로 그냥 좀 조금 뭔가 혹시 제일 가장 특히 역시 아주 이제 이제는 "
    "앞으로 다시 그래도 영화 책 게임 거 것 걸 건 게 "
    "장르 작품 영화를 책을 게임을 영화는 영화가 재미있는 재밌는 좋은 괜찮은 볼 만한 "
    "만한 하나 한 편 다 지금 지금은 사람 나 저".split()
)
_THINGS_KO = frozenset(
    "거 것 걸 건 게 거는 것은 거를 것을 영화 영화는 영화를 책 책은 게임 작품 장르 장르는".split()
)
_ENDS_KO = re.compile(r"(?:는데|지만|고|아서|어서|니까|며|면서|면)$")


def phrases_in(reach: str, locale: Locale) -> list[str]:
    """What a cue governs, each as it was written; of things without a name in the catalogue.

    Args:
        reach: the words behind an English cue, or before a Korean one; in lower case.
        locale: their language.
    """
    found = _korean(reach) if locale == "ko" else _english(reach)
    return [phrase for phrase in found if phrase and len(phrase) <= _LONGEST and MASK not in phrase]


def says_something(text: str) -> bool:
    """Whether a text has a word that can tell one item from another."""
    words = [word.casefold() for word in _WORD.findall(text) if not _HANGUL.search(word)]
    if any(word not in FUNCTION_WORDS and word not in GENERAL_ENGLISH and len(word) > 2 for word in words):
        return True
    if not _HANGUL.search(text):
        return False
    if not is_installed("kiwipiepy"):
        return any(word not in _EMPTY_KO and len(word) > 1 for word in _HANGUL.findall(text))
    return any(
        one.form not in GENERAL_KOREAN and one.form not in _EMPTY_KO for one in next(morphemes_of([text]))
    )


def _english(reach: str) -> Iterator[str]:
    for piece in _SPLIT.split(reach.strip(" .!?:-\"'()")):
        bare = _TAIL.sub("", _HEAD.sub("", piece.strip(" .!?:-\"'()"))).strip()
        words = _WORD.findall(bare)
        if words and len(words) <= _MOST_WORDS and not _NO_THING.match(bare) and says_something(bare):
            yield bare


def _korean(reach: str) -> Iterator[str]:
    for piece in re.split(
        r"\s*[,;/]\s*|\s그리고\s|(?<=[가-힣\ufffc])(?:이랑|랑|하고)\s"
        r"|(?<=[가-힣\ufffc])[와과]\s",
        reach.strip(" .!?~\"'()"),
    ):
        words = piece.split()
        if len(words) > 1 and words[1].startswith("않"):  # 잔인하지 않은 거
            words = [words[0].removesuffix("하지") + "한"] if words[0].endswith("하지") else []
        for at in range(len(words) - 1, -1, -1):  # what stands behind the last clause that ended
            if _ENDS_KO.search(words[at]):
                words = words[at + 1 :]
                break
        while words and words[0] in _EMPTY_KO:
            words = words[1:]
        if not words:
            continue
        if len(words) > 1 and words[-1] in _THINGS_KO:  # 무서운 거
            words = words[:-1]
        last = _bare(words[-1])
        bare = " ".join([*words[:-1], last]).strip()
        if bare and len(words) <= _MOST_WORDS and says_something(bare):
            yield bare


def _bare(word: str) -> str:
    """A Korean word without the particle behind it: the shortest form of two syllables or more."""
    forms = [form for form in without_particle(word) if len(form) > 1] or [word]
    return min(forms, key=len) if word[-1:] in "은는이가을를도만의" else forms[0]
