"""The typed sections of a recipe.

Every field has a description with its unit; a field made by `runtime_only` cannot change the result.

Free fields (workers, slots, log intervals) stay out of the run keys, so turning them never makes work again.
"""

from __future__ import annotations

from rectune.core.settings.base import PositiveInt, Fraction, Offload, Section, Weight, runtime_only
from rectune.core.settings.data import CrossDomainConfig, CustomDatasetConfig, DataConfig
from rectune.core.settings.filtering import (
    PerLocaleConfig,
    PromptCopyConfig,
    FilterConfig,
    FilterRulesConfig,
    LanguageConfig,
    NearDuplicateConfig,
    StopWordsConfig,
    NgramRepetitionConfig,
    RuleConfig,
    TooLongConfig,
    TooShortConfig,
)
from rectune.core.settings.generation import (
    CandidatesConfig,
    EngineConfig,
    GenerateConfig,
    ModelsConfig,
    PromptsConfig,
    RemoteConfig,
    SamplingConfig,
    TeacherConfig,
)
from rectune.core.settings.serving import EvaluateConfig, ReleaseConfig, RetrievalConfig
from rectune.core.settings.training import AlignConfig, LoraSection, TrainingConfig, TrainConfig

# fmt: off
__all__ = [
    "Align", "ByLocale", "Candidates", "Count", "Crossing", "Custom", "Data", "Echo", "Engine", "Evaluate", "Filter",
    "FilterRules", "Fraction", "Generate", "Language", "Lora", "Models", "NearDuplicate", "Offload",
    "Optimisation", "Prompts", "Prose", "Release", "Remote", "Repeats", "Retrieval", "Rule", "Sampling", "Section",
    "Share", "Teacher", "TooLong", "TooShort", "Train", "free",
]
# fmt: on
