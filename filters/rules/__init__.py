"""The table of filter rules, in the order in which reasons are given."""

from __future__ import annotations

from rectune.core import settings
from rectune.filters.rules.ads_and_pii import Advertising, PersonalData
from rectune.filters.rules.base import ResponseBatch, Rule
from rectune.filters.rules.duplicates import DuplicateRule, ExactDuplicate, NearDuplicate
from rectune.filters.rules.lengths import EmptyResponse, ResponseScore, ResponseTooLong, ResponseTooShort
from rectune.filters.rules.repetition import NgramRepetition, PromptCopy
from rectune.filters.rules.stop_words import StopWords
from rectune.filters.rules.target import OtherItem, WrongTarget
from rectune.filters.rules.text_quality import BrokenText, LeftoverMarkers, WrongLanguage
from rectune.filters.rules.unsupported import Unsupported

ROW_RULES: tuple[type[Rule], ...] = (
    EmptyResponse,
    ResponseScore,
    ResponseTooShort,
    ResponseTooLong,
    PromptCopy,
    NgramRepetition,
    WrongTarget,
    OtherItem,
    WrongLanguage,
    StopWords,
    Unsupported,
    BrokenText,
    LeftoverMarkers,
    Advertising,
    PersonalData,
)
SET_RULES: tuple[type[DuplicateRule], ...] = (ExactDuplicate, NearDuplicate)


def row_rules(config: settings.FilterConfig) -> list[Rule]:
    """The rules that are on and judge a response by itself."""
    return [rule(config) for rule in ROW_RULES if getattr(config.rules, rule.name).on]


def set_rules(config: settings.FilterConfig) -> list[DuplicateRule]:
    """The rules that are on and compare the responses with each other."""
    return [rule(config) for rule in SET_RULES if getattr(config.rules, rule.name).on]


__all__ = ["ResponseBatch", "DuplicateRule", "Rule", "ROW_RULES", "SET_RULES", "row_rules", "set_rules"]
