"""The base classes of rules: a name, a figure for every response, and whether that figure drops it."""

from __future__ import annotations

import typing
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar

from rectune.core import settings
from rectune.core.types import Locale
from rectune.filters.title_masking import mask, segments
from rectune.prompts.answers import CLOSINGS, RANKINGS, read_answer
from rectune.prompts.title_index import TitleIndexes

if typing.TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    Column = npt.NDArray[np.float64]
    Mask = npt.NDArray[np.bool_]
    Ints = npt.NDArray[np.int64]


@dataclass(frozen=True)
class ResponseBatch:
    """Examples as aligned columns, with token counts and scores of the responses.

    `titles` has the target's title, then those shown as candidates, then the history's, each once; `shown`
    the places of the candidates in it. `facts` is what is known of the target without its title, `known` what
    else is known: its title, and the items of the history. `catalogue` has all titles of all domains.
    """

    ids: Sequence[str]
    domains: Sequence[str]
    categories: Sequence[str]
    locales: Sequence[Locale]
    instructions: Sequence[str]
    queries: Sequence[str]
    responses: Sequence[str]
    titles: Sequence[Sequence[str]]
    shown: Sequence[Sequence[int]]
    facts: Sequence[str]
    known: Sequence[Sequence[str]]
    tokens: Ints
    distinct: Ints
    score: Column
    catalogue: TitleIndexes

    @cached_property
    def masked(self) -> list[str]:
        """The responses without titles."""
        return [mask(text, titles) for text, titles in zip(self.responses, self.titles, strict=True)]

    @cached_property
    def segments(self) -> list[list[list[str]]]:
        """The words of the masked responses, split at the masked titles."""
        return [segments(text) for text in self.masked]

    @cached_property
    def recommended(self) -> list[tuple[str, float]]:
        """The title of its row that each response recommends, and its certainty; an empty title if none."""
        rows = zip(self.responses, self.titles, self.shown, strict=True)
        return [_recommended(*row) for row in rows]


class BaseRule(ABC):
    """Attributes of all rules.

    `name` is the rule's key under `filter.rules`, `reason` the text for people when it drops a row, `counts`
    the description of its figure.
    """

    name: ClassVar[str]
    reason: ClassVar[str]
    counts: ClassVar[str]

    def __init__(self, config: settings.FilterConfig) -> None:
        self.config = config


class Rule(BaseRule):
    """A rule that judges each response by itself."""

    @abstractmethod
    def figures(self, batch: ResponseBatch) -> Column:
        """One figure per row [n], NaN if there is none."""

    @abstractmethod
    def drops(self, figures: Column, batch: ResponseBatch) -> Mask:
        """Whether these figures [n] of this batch drop their rows; NaN never does."""


class CountRule(Rule):
    """A rule that counts something; one hit drops the row."""

    def figures(self, batch: ResponseBatch) -> Column:
        import numpy as np

        return np.array([self.hits(text) for text in batch.masked], dtype=np.float64)

    def drops(self, figures: Column, batch: ResponseBatch) -> Mask:
        return figures > 0

    @abstractmethod
    def hits(self, masked: str) -> int:
        """The number of hits in a response without titles."""


class LocaleShareRule(Rule):
    """A rule that requires a minimum share of something, by locale."""

    def figures(self, batch: ResponseBatch) -> Column:
        import numpy as np

        rows = zip(batch.masked, batch.locales, strict=True)
        return np.array([self.share(text, locale) for text, locale in rows], dtype=np.float64)

    def drops(self, figures: Column, batch: ResponseBatch) -> Mask:
        import numpy as np

        least: settings.PerLocaleConfig = getattr(self.config.rules, self.name)
        return figures < np.array([getattr(least, locale) for locale in batch.locales], dtype=np.float64)

    @abstractmethod
    def share(self, masked: str, locale: Locale) -> float:
        """The share in a response without titles; NaN if it cannot be determined."""


def _recommended(text: str, titles: Sequence[str], shown: Sequence[int]) -> tuple[str, float]:
    reading = read_answer(_end(text), titles, shown)
    return ("", 0.0) if reading.recommended is None else (titles[reading.recommended], reading.certainty[0])


def _end(text: str) -> str:
    """The text from the last line that begins with our closing or ranking words."""
    return text[max(text.rfind(f"\n{words}") for words in (*CLOSINGS.values(), *RANKINGS.values())) + 1 :]
