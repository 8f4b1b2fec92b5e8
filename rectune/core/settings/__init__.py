"""The typed sections of a recipe.

Every field has a description with its unit; a field made by `runtime_only` cannot change the result.

Runtime-only fields (workers, slots, log intervals) are not part of the run keys, so changing them never runs
a stage again.
"""

from __future__ import annotations

from rectune.core.settings.allmrec import AllmrecConfig, AllmrecItemsSection, JointLossesSection
from rectune.core.settings.base import Fraction, Offload, PositiveInt, Section, Weight, runtime_only
from rectune.core.settings.data import CrossDomainConfig, CustomDatasetConfig, DataConfig
from rectune.core.settings.filtering import (
    FilterConfig,
    FilterRulesConfig,
    LanguageConfig,
    NearDuplicateConfig,
    NgramRepetitionConfig,
    PerLocaleConfig,
    PromptCopyConfig,
    RuleConfig,
    StopWordsConfig,
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
from rectune.core.settings.random_split import PublishedSplitFigures, RandomSplitConfig
from rectune.core.settings.ranking import (
    FitConfig,
    HeldOutRatingsConfig,
    LeaveLastOutConfig,
    PublishedSystem,
    RerankConfig,
)
from rectune.core.settings.serving import EvaluateConfig, ReleaseConfig, ReportConfig, RetrievalConfig
from rectune.core.settings.training import AlignConfig, LoraSection, TrainConfig, TrainingConfig

__all__ = [
    "AlignConfig",
    "AllmrecConfig",
    "AllmrecItemsSection",
    "CandidatesConfig",
    "CrossDomainConfig",
    "CustomDatasetConfig",
    "DataConfig",
    "EngineConfig",
    "EvaluateConfig",
    "FilterConfig",
    "FilterRulesConfig",
    "FitConfig",
    "Fraction",
    "GenerateConfig",
    "HeldOutRatingsConfig",
    "JointLossesSection",
    "LanguageConfig",
    "LeaveLastOutConfig",
    "LoraSection",
    "ModelsConfig",
    "NearDuplicateConfig",
    "NgramRepetitionConfig",
    "Offload",
    "PerLocaleConfig",
    "PositiveInt",
    "PromptCopyConfig",
    "PromptsConfig",
    "PublishedSplitFigures",
    "PublishedSystem",
    "RandomSplitConfig",
    "ReleaseConfig",
    "RemoteConfig",
    "ReportConfig",
    "RerankConfig",
    "RetrievalConfig",
    "RuleConfig",
    "SamplingConfig",
    "Section",
    "StopWordsConfig",
    "TeacherConfig",
    "TooLongConfig",
    "TooShortConfig",
    "TrainConfig",
    "TrainingConfig",
    "Weight",
    "runtime_only",
]
