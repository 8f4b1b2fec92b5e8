"""Korean particles after arbitrary words: the form depends on how the word ends when it is spoken."""

from __future__ import annotations

import re
import unicodedata

# Form behind a final consonant, form behind a vowel; a template names a particle by the first.
FORMS = {"을": "를", "이": "가", "은": "는", "과": "와", "으로": "로", "이에요": "예요"}

# Syllables are numbered by their 28 finals, of which the first is none.
_FIRST, _LAST, _FINALS, _RIEUL = ord("가"), ord("힣"), 28, 8
_VOWEL, _CONSONANT, _L = "", "consonant", "ㄹ"
# 영 일 이 삼 사 오 육 칠 팔 구
_DIGITS = {**dict.fromkeys("036", _CONSONANT), **dict.fromkeys("178", _L), **dict.fromkeys("2459", _VOWEL)}
_LETTERS = {"L": _L, "R": _L, "M": _CONSONANT, "N": _CONSONANT}  # 엘 알 엠 엔; all other names end in a vowel
_SPELT = 3  # capitals that are read letter by letter: SF, DVD
_LONGEST = 40  # letters of a word that are looked at
_LATIN = re.compile(r"[A-Za-z]+$")
_HANGUL = re.compile("[가-힣]")
_BRACKETED = re.compile(r"\s*[(（\[][^()（）\[\]]*[)）\]]\W*$")
# How an English word ends as Koreans say it, by its spelling; the first that matches counts.
_ENDINGS = (
    (re.compile(r"anime$"), _VOWEL),
    (re.compile(r"([mn]|ng|ck|ic|ook)$"), _CONSONANT),
    (re.compile(r"[aeiouy].*[mn]e$"), _CONSONANT),  # Time, Gone: 타임, 곤
    (re.compile(r"(l|[aeiouy].*le)$"), _L),
    (re.compile(r"(^|[^aeiouy])[aeiouy][pkt]$"), _CONSONANT),  # Pop, Robot: 팝, 로봇
    (re.compile(r"([bcg]|ood)$"), None),  # 웹 and 튜브, 빅 and 도그: the spelling does not tell
    (re.compile(r"[a-z]$"), _VOWEL),
)


def with_particle(word: str, particle: str) -> str:
    """The word and its particle.

    Closing quotes are skipped, and so is what stands behind a word in brackets: "기생충 (Parasite)을".
    English words end as they are mostly said in Korean; where their spelling does not tell, and after
    other scripts, both forms stand, as in "Web을(를)".

    Args:
        word: a noun, a title, a query.
        particle: the form after a final consonant, a key of `FORMS`.

    Raises:
        ValueError: an unknown particle.
    """
    if particle not in FORMS:
        raise ValueError(f"{particle!r} is none of the particles {', '.join(FORMS)}")
    final = _final(_read_out(word))
    if final is None:
        return f"{word}{particle}({FORMS[particle]})"
    vowel_form = final == _VOWEL or (particle == "으로" and final == _L)
    return word + (FORMS[particle] if vowel_form else particle)


def _read_out(word: str) -> str:
    """The word without what it has behind it in brackets; a word of nothing else stays, and one in Latin with
    Hangul behind it ("Parasite (기생충)") is read by that.
    """
    before = _BRACKETED.sub("", word)
    if _HANGUL.search(word) and not _HANGUL.search(before):
        return word
    return _read_out(before) if before != word and any(map(str.isalnum, before)) else word


def _final(word: str) -> str | None:
    """How a word ends: in a vowel, in ㄹ, in another consonant; None where that is not known."""
    spoken = word.rstrip()
    while spoken and not spoken[-1].isalnum():
        spoken = spoken[:-1]
    last = spoken[-1:]
    if last and _FIRST <= ord(last) <= _LAST:
        final = (ord(last) - _FIRST) % _FINALS
        return _L if final == _RIEUL else _CONSONANT if final else _VOWEL
    if last in _DIGITS:
        return _DIGITS[last]
    signs = unicodedata.normalize("NFKD", spoken[-_LONGEST:])
    found = _LATIN.search("".join(sign for sign in signs if not unicodedata.combining(sign)))
    if not found:
        return None
    letters = found.group()
    if letters.isupper() and len(letters) <= _SPELT:
        return _LETTERS.get(letters[-1], _VOWEL)
    return next(final for ending, final in _ENDINGS if ending.search(letters.lower()))
