"""The rules that a response must pass, in the order in which reasons are given. A new rule is a new line here."""

from __future__ import annotations

from rectune.core import settings
from rectune.filters.rules.base import Batch, Rule
from rectune.filters.rules.copies import CopyRule, Duplicate, NearDuplicate
from rectune.filters.rules.lengths import Empty, Score, TooLong, TooShort
from rectune.filters.rules.prose import Prose
from rectune.filters.rules.saying_again import Echo, Repeats
from rectune.filters.rules.selling import Advertising, PersonalData
from rectune.filters.rules.target import OtherItem, Target
from rectune.filters.rules.writing import BrokenText, Language, Markers

ROW_RULES: tuple[type[Rule], ...] = (
    Empty,
    Score,
    TooShort,
    TooLong,
    Echo,
    Repeats,
    Target,
    OtherItem,
    Language,
    Prose,
    BrokenText,
    Markers,
    Advertising,
    PersonalData,
)
SET_RULES: tuple[type[CopyRule], ...] = (Duplicate, NearDuplicate)


def row_rules(config: settings.Filter) -> list[Rule]:
    """The rules that are on and judge a response by itself."""
    return [rule(config) for rule in ROW_RULES if getattr(config.rules, rule.name).on]


def set_rules(config: settings.Filter) -> list[CopyRule]:
    """The rules that are on and compare the responses with each other."""
    return [rule(config) for rule in SET_RULES if getattr(config.rules, rule.name).on]


__all__ = ["Batch", "CopyRule", "Rule", "ROW_RULES", "SET_RULES", "row_rules", "set_rules"]
