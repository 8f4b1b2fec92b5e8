"""The section `filter`."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from rectune.core.settings.base import Fraction, NonNegativeInt, PositiveFloat, PositiveInt, Section


class RuleConfig(Section):
    """A filter rule."""

    on: bool = True
    """Whether the rule is measured and drops rows."""


class TooShortConfig(RuleConfig):
    """A response of few tokens."""

    tokens: NonNegativeInt = 20
    """Responses with fewer tokens (of the base model) are dropped: they hardly hold a reason."""


class TooLongConfig(RuleConfig):
    """A response of many tokens."""

    tokens: PositiveInt = 400
    """Responses with more tokens (of the base model) are dropped: they are more than one paragraph."""


class PromptCopyConfig(RuleConfig):
    """A response that copies the prompt."""

    words: PositiveInt = 4
    """Length of the word n-grams that are looked for in the prompt. Larger values are more tolerant."""
    share: Fraction = 0.5
    """Share of the response's n-grams found in the prompt from which on it is dropped."""


class NgramRepetitionConfig(RuleConfig):
    """A response that repeats itself."""

    words: PositiveInt = 3
    """Length of the word n-grams that are looked for earlier in the response. Larger values are more
    tolerant."""
    share: Fraction = 0.3
    """Share of the response's n-grams found earlier in it from which on it is dropped."""


class PerLocaleConfig(RuleConfig):
    """A minimum share for each locale."""

    en: Fraction
    """Minimum share in English responses."""
    ko: Fraction
    """Minimum share in Korean responses."""


class LanguageConfig(PerLocaleConfig):
    """The share of letters, titles left out, in the script of the prompt's locale."""

    en: Fraction = 0.9
    """Minimum share of Latin letters in English responses."""
    ko: Fraction = 0.5
    """Minimum share of Hangul in Korean responses, in which foreign names are frequent."""


class StopWordsConfig(PerLocaleConfig):
    """The share of function words among the words, titles left out."""

    en: Fraction = 0.33
    """Minimum share of function words in English responses; lists of keywords have fewer."""
    ko: Fraction = 0.4
    """Minimum share of words with a particle or a verb ending in Korean responses."""


class UnsupportedConfig(RuleConfig):
    """The share of content words that stand neither in the facts of the item, nor in the history or query."""

    en: Fraction = 0.34
    """Share in English responses above which they are dropped; smaller values drop more of what is invented,
    and more of what is said in other words."""
    ko: Fraction = 0.34
    """The same in Korean responses."""


class NearDuplicateConfig(RuleConfig):
    """A response that is nearly equal to another one."""

    similarity: Annotated[float, Field(ge=0.5, le=1.0)] = 0.8
    """Jaccard similarity of word 3-grams to a kept response from which on a response is dropped."""


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
    """The response copies the prompt."""
    ngram_repetition: NgramRepetitionConfig = NgramRepetitionConfig()
    """The response repeats itself."""
    target: RuleConfig = RuleConfig()
    """The response neither ends on the target nor ranks it first."""
    other_item: RuleConfig = RuleConfig()
    """The response ends on another item of the catalogue, or ranks another first."""
    language: LanguageConfig = LanguageConfig()
    """The response is in another script than its prompt's locale."""
    stop_words: StopWordsConfig = StopWordsConfig()
    """The response is a list of words without sentences."""
    unsupported: UnsupportedConfig = UnsupportedConfig()
    """The response says what stands nowhere. Not judged where nothing is known of the item in the script of
    the response."""
    broken_text: RuleConfig = RuleConfig()
    """The response has characters that no writer types, or letters read in a wrong encoding."""
    markers: RuleConfig = RuleConfig()
    """The response has template or role markers, or speaks of itself as a model."""
    advertising: RuleConfig = RuleConfig()
    """The response has advertising phrases."""
    personal_data: RuleConfig = RuleConfig()
    """The response has addresses, telephone, card or resident registration numbers outside titles."""
    duplicate: RuleConfig = RuleConfig()
    """The response equals another one, which is kept."""
    near_duplicate: NearDuplicateConfig = NearDuplicateConfig()
    """The response is nearly equal to another one, which is kept."""


class FilterConfig(Section):
    """Which responses are dropped before training."""

    threshold: PositiveFloat = 15.0
    """Response score ln(L)*L/C from which on the rule `score` drops a response; L is the number of its
    tokens, C of distinct ones. Lower values drop more, long responses first; the scores depend on the
    tokenizer."""
    rules: FilterRulesConfig = FilterRulesConfig()
    """The rules; each drops responses on its own, and the reasons are counted."""
