"""Claims and a portrait in sentences from templates: true by construction, in both languages.

Values and quotes are untrusted text: they are put into sentences, on one line, and never rendered.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any

from rectune.core.text.plain import cut_line
from rectune.core.types import Locale
from rectune.dialogue.findings import Evidence
from rectune.dialogue.knowledge import Claim
from rectune.dialogue.said import TASTE
from rectune.prompts.genre_names import as_said
from rectune.prompts.locale_words import fill, load_words

FILE = "persona.{locale}.yaml"
_VALUE, _QUOTE = 100, 200  # characters that are shown
_NAMED = 3  # values of a sentence of the portrait
_LIFTED = 1.15  # the least lift that is spoken of


def worded(claim: Claim, domain: str, locale: Locale) -> Claim:
    """The claim with its sentence from a template."""
    return replace(claim, text=sentence_of(claim, domain, locale), worded_by="template")


def sentence_of(claim: Claim, domain: str, locale: Locale) -> str:
    """What a claim says, and what it rests on.

    Args:
        claim: its counts are those of `rectune.dialogue.findings`.
        domain: of the catalogue.
        locale: the language of the sentence; values stay as the catalogue has them.
    """
    words = load_words(locale, FILE)
    quote = cut_line(claim.quote or claim.value, _QUOTE)
    if claim.aspect == TASTE:
        return _filled(words["taste"][claim.stance], domain, locale, quote=quote)
    way = "lately" if claim.recent else claim.stance
    if claim.quote:
        tail = _filled(words["tail"]["said"], domain, locale, quote=quote)
    elif claim.count:
        numbers = {"count": claim.count, "of": claim.of, "lift": _lift(claim)}
        tail = _filled(words["tail"][way], domain, locale, **numbers)
    else:
        tail = _filled(words["tail"]["kept"], domain, locale)
    told = {
        "what": what(claim, domain, locale),
        "tail": tail,
        "seems": claim.state == "inferred" and not claim.quote,
    }
    return _filled(words["claim"][way], domain, locale, **told)


def what(claim: Claim, domain: str, locale: Locale) -> str:
    """What a claim speaks of, as a sentence has it: `films by Bong Joon-ho`."""
    words = load_words(locale, FILE)
    template = words["what"].get(claim.aspect, words["what"]["other"])
    role = cut_line(str(words["roles"].get(claim.aspect, claim.aspect)), _VALUE)
    return _filled(template, domain, locale, value=_value(claim, locale), role=role)


def template_portrait(
    claims: Sequence[Claim], evidence: Evidence, domain: str, locale: Locale
) -> tuple[str, ...]:
    """At most three sentences: what somebody likes, what is new or avoided, and what that rests on."""
    words = load_words(locale, FILE)
    likes = [one for one in claims if one.stance == "likes" and not one.recent]
    lately = [one for one in claims if one.stance == "likes" and one.recent]
    avoids = [one for one in claims if one.stance == "avoids"]
    told = [
        (way, some[:_NAMED])
        for way, some in (("likes", likes), ("avoids", avoids), ("lately", lately))
        if some
    ]
    if not told:
        return (_filled(words["portrait"]["nothing"], domain, locale),)
    sentences = []
    for way, some in told[:2]:
        seems = any(one.state == "inferred" and not one.quote for one in some)
        values = in_a_row([_named(one, domain, locale) for one in some], locale)
        sentences.append(_filled(words["portrait"][way], domain, locale, values=values, seems=seems))
    basis = {
        "liked": len(evidence.liked),
        "disliked": len(evidence.disliked),
        "said": len({one.quote for one in claims if one.quote}),
        "confirmed": sum(one.state == "kept" and not one.quote for one in claims),
    }
    parts = [_filled(words["basis"][name], domain, locale, n=n) for name, n in basis.items() if n]
    return (*sentences, _filled(words["portrait"]["basis"], domain, locale, parts=in_a_row(parts, locale)))


def in_a_row(values: Iterable[str], locale: Locale) -> str:
    """`a, b and c`."""
    listed = list(values)
    last = str(load_words(locale, FILE)["last"])
    return last.join(filter(None, [", ".join(listed[:-1]), *listed[-1:]]))


def _named(claim: Claim, domain: str, locale: Locale) -> str:
    """A value in the portrait: words and what was said in quotation marks."""
    words, value = load_words(locale, FILE), _value(claim, locale)
    if claim.aspect in (TASTE, "word"):
        return _filled(words["quoted"], domain, locale, value=value)
    if claim.aspect == "decade":
        return _filled(words["decades"], domain, locale, value=value)
    return what(claim, domain, locale)


def _value(claim: Claim, locale: Locale) -> str:
    value = as_said(claim.value, claim.quote) if claim.aspect == "category" and claim.quote else claim.value
    value = cut_line(value, _VALUE)
    return f"{value.removesuffix('s')}년대" if locale == "ko" and claim.aspect == "decade" else value


def _lift(claim: Claim) -> str:
    """The lift in digits; empty where it is not worth a word."""
    return "" if claim.lift < _LIFTED else f"{claim.lift:.1f}" if claim.lift < 10 else f"{claim.lift:.0f}"


def _filled(template: str, domain: str, locale: Locale, **values: Any) -> str:
    return fill(template, domain, load_words(locale), values)
