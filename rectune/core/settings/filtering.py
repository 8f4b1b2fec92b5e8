"""The section `filter`."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from rectune.core.settings.base import Fraction, NonNegativeInt, PositiveFloat, PositiveInt, Section


class RuleConfig(Section):
    """One way in which a response may be unfit."""

    on: bool = True
    """Whether the rule is measured and drops rows."""


class TooShortConfig(RuleConfig):
    """A response of few tokens."""

    tokens: NonNegativeInt = 20
    """Responses of fewer tokens of the base model go: they hardly hold a reason."""


class TooLongConfig(RuleConfig):
    """A response of many tokens."""

    tokens: PositiveInt = 400
    """Responses of more tokens of the base model go: they are more than one paragraph."""


class PromptCopyConfig(RuleConfig):
    """A response that says the prompt again."""

    words: PositiveInt = 4
    """Length of the runs of words that are looked for in the prompt. Longer runs forgive more."""
    share: Fraction = 0.5
    """From which share of the response's runs on, found in the prompt, the response goes."""


class NgramRepetitionConfig(RuleConfig):
    """A response that says itself again."""

    words: PositiveInt = 3
    """Length of the runs of words that are looked for earlier in the response. Longer runs forgive more."""
    share: Fraction = 0.3
    """From which share of the response's runs on, found earlier in it, the response goes."""


class PerLocaleConfig(RuleConfig):
    """A least share for each locale."""

    en: Fraction
    """The least share in English responses."""
    ko: Fraction
    """The least share in Korean responses."""


class LanguageConfig(PerLocaleConfig):
    """The share of letters, titles left out, in the script of the prompt's locale."""

    en: Fraction = 0.9
    """The least share of Latin letters in English responses."""
    ko: Fraction = 0.5
    """The least share of Hangul in Korean responses, in which foreign names are frequent."""


class StopWordsConfig(PerLocaleConfig):
    """The share of words, titles left out, that hold sentences together."""

    en: Fraction = 0.33
    """The least share of function words in English responses; lists of keywords have fewer."""
    ko: Fraction = 0.4
    """The least share of words with a particle or a verb's ending in Korean responses."""


class NearDuplicateConfig(RuleConfig):
    """A response that is nearly the same as another one."""

    similarity: Annotated[float, Field(ge=0.5, le=1.0)] = 0.8
    """From which similarity (Jaccard, of word 3-grams) to one that stays on a response goes."""


class FilterRulesConfig(Section):
    """The rules of `rectune.filters.rules`, by name."""

    empty: RuleConfig = RuleConfig()
    """There is no word in the response."""
    score: RuleConfig = RuleConfig()
    """ln(L)*L/C of the response is at or above `threshold`: it is repetitive."""
    too_short: TooShortConfig = TooShortConfig()
    """The response has few tokens."""
    too_long: TooLongConfig = TooLongConfig()
    """The response has many tokens."""
    prompt_copy: PromptCopyConfig = PromptCopyConfig()
    """The response says the prompt again."""
    ngram_repetition: NgramRepetitionConfig = NgramRepetitionConfig()
    """The response says itself again."""
    target: RuleConfig = RuleConfig()
    """The response does not end on the item really taken, nor rank it first."""
    other_item: RuleConfig = RuleConfig()
    """The response ends on another item of the catalogue, or ranks another first."""
    language: LanguageConfig = LanguageConfig()
    """The response is in another script than its prompt's locale."""
    stop_words: StopWordsConfig = StopWordsConfig()
    """The response is words without sentences."""
    broken_text: RuleConfig = RuleConfig()
    """The response has characters that no writer types, or letters read in a wrong encoding."""
    markers: RuleConfig = RuleConfig()
    """The response has leftovers of templates or roles, or speaks of itself as a model."""
    advertising: RuleConfig = RuleConfig()
    """The response has phrases that sell."""
    personal_data: RuleConfig = RuleConfig()
    """The response has addresses, telephone, card or resident registration numbers outside titles."""
    duplicate: RuleConfig = RuleConfig()
    """The response is the same as another one, which stays."""
    near_duplicate: NearDuplicateConfig = NearDuplicateConfig()
    """The response is nearly the same as another one, which stays."""


class FilterConfig(Section):
    """What a response must be to be trained on."""

    threshold: PositiveFloat = 15.0
    """From which ln(L)*L/C on the rule `score` drops a response; L counts its tokens, C the distinct ones
    among them. Lower drops more, of long responses first; with another tokenizer the figures are others."""
    rules: FilterRulesConfig = FilterRulesConfig()
    """What drops a response; each rule does by itself, and the reasons are counted."""
