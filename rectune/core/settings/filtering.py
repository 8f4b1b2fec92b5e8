"""The section `filter`."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from rectune.core.settings.base import Count, Fraction, Section


class Rule(Section):
    """One way in which a response may be unfit; a rule that is not `on` is not measured."""

    on: bool = True


class TooShort(Rule):
    """Fewer `tokens` than a reason takes."""

    tokens: Annotated[int, Field(ge=0)] = 12


class TooLong(Rule):
    """More `tokens` than one paragraph has."""

    tokens: Count = 400


class Echo(Rule):
    """The response says the prompt again: from which `share` of its runs of `words` words on."""

    words: Count = 4
    share: Fraction = 0.5


class Repeats(Rule):
    """The response says itself again: from which `share` of its runs of `words` words on."""

    words: Count = 3
    share: Fraction = 0.3


class ByLocale(Rule):
    """A least share for each locale."""

    en: Fraction
    ko: Fraction


class Language(ByLocale):
    """The least share of letters outside titles in the script of the prompt's locale: Latin, Hangul."""

    en: Fraction = 0.9
    ko: Fraction = 0.5


class Prose(ByLocale):
    """The least share of words outside titles that hold sentences together: function words, endings in Korean."""

    en: Fraction = 0.33
    ko: Fraction = 0.4


class NearDuplicate(Rule):
    """From which `similarity` (Jaccard, of word 3-grams) to an earlier response on a response goes."""

    similarity: Annotated[float, Field(ge=0.5, le=1.0)] = 0.8


class FilterRules(Section):
    """The rules of `rectune.filters.rules`, by name; each drops a row on its own."""

    empty: Rule = Rule()
    score: Rule = Rule()
    too_short: TooShort = TooShort()
    too_long: TooLong = TooLong()
    echo: Echo = Echo()
    repeats: Repeats = Repeats()
    target: Rule = Rule()
    other_item: Rule = Rule()
    language: Language = Language()
    prose: Prose = Prose()
    broken_text: Rule = Rule()
    markers: Rule = Rule()
    advertising: Rule = Rule()
    personal_data: Rule = Rule()
    duplicate: Rule = Rule()
    near_duplicate: NearDuplicate = NearDuplicate()


class Filter(Section):
    """What a response must be to be trained on. `threshold` bounds ln(L)*L/C from above (rule `score`)."""

    threshold: Annotated[float, Field(gt=0.0)] = 15.0
    rules: FilterRules = FilterRules()
