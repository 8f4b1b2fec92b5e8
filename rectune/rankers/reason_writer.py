"""What a ranker that has a language model of its own is asked for reasons with."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from rectune.core.settings import SamplingConfig
from rectune.core.types import Locale
from rectune.inference.requests import GenerationResult


@dataclass(frozen=True)
class ReasonRequest:
    """Why an item suits a user, or answers what they ask for.

    Attributes:
        history: item ids, oldest first.
        item_id: what is recommended.
        wish: what the user asks for in words; empty for nothing.
        facts: what is known of the item, in one line; empty for nothing.
        opening: the first words of the answer, which the model goes on from.
        locale: the language of the answer.
    """

    history: tuple[str, ...]
    item_id: str
    wish: str = ""
    facts: str = ""
    opening: str = ""
    locale: Locale = "en"


@runtime_checkable
class ReasonWriter(Protocol):
    """A ranker that words reasons with the language model that it ranks by."""

    @property
    def writes(self) -> bool:
        """Whether it can: not where nothing was trained."""
        ...

    def write_reason(self, asked: ReasonRequest, sampling: SamplingConfig, seed: int) -> GenerationResult:
        """What the model writes behind the opening, unchecked; `finish` is "error" where it wrote nothing.

        Args:
            asked: for what.
            sampling: how it is decoded; a temperature of 0 is greedy.
            seed: of what is drawn.
        """
        ...
