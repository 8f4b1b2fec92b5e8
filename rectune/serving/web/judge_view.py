"""Who judges items for a person, as pages say it: what the self-check found of the language model."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from rectune.core.types import Locale
from rectune.dialogue.self_check import PersonaVerdict
from rectune.prompts.rerank_prompts import RerankPrompt

PROMPT: RerankPrompt = "short"
"""By which the pages ask a model, where it passed the self-check."""


@dataclass(frozen=True)
class JudgeView:
    """What the self-check found, ready to be shown.

    Attributes:
        found: whether the model passed, failed, or was not asked.
        auc, low, high: the AUC, with its interval; empty where it was not asked.
        persons: planted personas that it was asked about.
    """

    found: Literal["passed", "failed", "unchecked"]
    auc: str = ""
    low: str = ""
    high: str = ""
    persons: int = 0

    @classmethod
    def of(cls, verdict: PersonaVerdict | None, locale: Locale) -> JudgeView:
        """Of a model in a language."""
        own = verdict.found.get(locale, {}).get(PROMPT) if verdict else None
        if verdict is None or own is None:
            return cls("unchecked")
        passed = verdict.passes(locale, PROMPT)
        figures = [f"{figure:.2f}" for figure in (own.auc, *own.interval)]
        return cls("passed" if passed else "failed", figures[0], figures[1], figures[2], own.persons)
