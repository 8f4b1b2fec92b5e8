"""Korean particles after arbitrary words: the form depends on how the word ends."""

from __future__ import annotations

# Form behind a final consonant, form behind a vowel; a template names a particle by the first.
FORMS = {"을": "를", "이": "가", "은": "는", "과": "와"}

# Syllables are numbered by their 28 finals, of which the first is none.
_FIRST, _LAST, _FINALS = ord("가"), ord("힣"), 28
_CONSONANT_DIGITS = frozenset("013678")  # 영 일 삼 육 칠 팔 end in a consonant, 이 사 오 구 in a vowel


def with_particle(word: str, particle: str) -> str:
    """The word and its particle.

    Closing quotes and brackets are skipped. The pronunciation of a word in another script is unknown, so it
    gets both forms, as in "Alien을(를)".

    Args:
        word: a noun, a title, a query.
        particle: the form after a final consonant, a key of `FORMS`.

    Raises:
        ValueError: an unknown particle.
    """
    if particle not in FORMS:
        raise ValueError(f"{particle!r} is none of the particles {', '.join(FORMS)}")
    last = next((char for char in reversed(word) if char.isalnum()), "")
    if last and _FIRST <= ord(last) <= _LAST:
        consonant = (ord(last) - _FIRST) % _FINALS > 0
    elif last and last in "0123456789":
        consonant = last in _CONSONANT_DIGITS
    else:
        return f"{word}{particle}({FORMS[particle]})"
    return word + (particle if consonant else FORMS[particle])
