"""The typed sections of a recipe.

Every field has a description with its unit; a field made by `free` cannot change the result.

Free fields (workers, slots, log intervals) stay out of the run keys, so turning them never makes work again.
"""

from __future__ import annotations

from rectune.core.settings.base import Count, Fraction, Offload, Section, Share, free
from rectune.core.settings.data import Crossing, Custom, Data
from rectune.core.settings.filtering import (
    ByLocale,
    Echo,
    Filter,
    FilterRules,
    Language,
    NearDuplicate,
    Prose,
    Repeats,
    Rule,
    TooLong,
    TooShort,
)
from rectune.core.settings.generation import (
    Candidates,
    Engine,
    Generate,
    Models,
    Prompts,
    Remote,
    Sampling,
    Teacher,
)
from rectune.core.settings.serving import Evaluate, Release, Retrieval
from rectune.core.settings.training import Align, Lora, Optimisation, Train

# fmt: off
__all__ = [
    "Align", "ByLocale", "Candidates", "Count", "Crossing", "Custom", "Data", "Echo", "Engine", "Evaluate", "Filter",
    "FilterRules", "Fraction", "Generate", "Language", "Lora", "Models", "NearDuplicate", "Offload",
    "Optimisation", "Prompts", "Prose", "Release", "Remote", "Repeats", "Retrieval", "Rule", "Sampling", "Section",
    "Share", "Teacher", "TooLong", "TooShort", "Train", "free",
]
# fmt: on
