"""The rules that a response must pass, in the order in which reasons are given. A new rule is a new line here."""

from __future__ import annotations

from filters.rules.base import Batch, Rule
from filters.rules.copies import CopyRule, Duplicate, NearDuplicate
from filters.rules.lengths import Empty, Score, TooLong, TooShort
from filters.rules.prose import Prose
from filters.rules.saying_again import Echo, Repeats
from filters.rules.selling import Advertising, PersonalData
from filters.rules.target import OtherItem, Target
from filters.rules.writing import BrokenText, Language, Markers
from rectune import settings

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
