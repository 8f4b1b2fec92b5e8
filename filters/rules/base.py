"""What a rule is: a name, a figure for every response, and whether that figure drops it."""

from __future__ import annotations

import re
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
    """Examples as columns that run alongside each other, with what was counted of the responses.

    `titles` holds the target's title, then those shown as candidates, then the history's, each once; `shown`
    the places of the candidates in it. `catalogue` has all titles of all domains.
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
        """The words of the masked responses, parted where a title stood."""
        return [segments(text) for text in self.masked]

    @cached_property
    def recommended(self) -> list[tuple[str, float]]:
        """The title, of its row's own, that each response ends on or ranks first, and how sure that is; empty
        if none.
        """
        rows = zip(self.responses, self.titles, self.shown, strict=True)
        return [_recommended(*row) for row in rows]


class BaseRule(ABC):
    """What every rule has.

    `name` is its key under `filter.rules`, `reason` what people read where it drops a row, `counts` what its
    figure is.
    """

    name: ClassVar[str]
    reason: ClassVar[str]
    counts: ClassVar[str]

    def __init__(self, config: settings.FilterConfig) -> None:
        self.config = config


class Rule(BaseRule):
    """One way in which a response may be unfit, judged by itself."""

    @abstractmethod
    def figures(self, batch: ResponseBatch) -> Column:
        """One figure a row [n], NaN where there is none."""

    @abstractmethod
    def drops(self, figures: Column, batch: ResponseBatch) -> Mask:
        """Whether these figures [n] of this batch drop their rows; NaN never does."""


class CountRule(Rule):
    """A rule that counts what must not be there at all."""

    def figures(self, batch: ResponseBatch) -> Column:
        import numpy as np

        return np.array([self.hits(text) for text in batch.masked], dtype=np.float64)

    def drops(self, figures: Column, batch: ResponseBatch) -> Mask:
        return figures > 0

    @abstractmethod
    def hits(self, masked: str) -> int:
        """How often it is there, in a response without titles."""


class LocaleShareRule(Rule):
    """A rule that asks for a share of something, another one in each locale."""

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
        """How large it is in a response without titles; NaN where there is nothing to tell it by."""


@dataclass(frozen=True)
class HintedPattern:
    """A pattern for text in small letters, and hints of which one is in whatever matches it.

    A pattern with many beginnings is slow to look for, and hints are quick: most texts have none.
    """

    hints: tuple[str, ...]
    pattern: re.Pattern[str]

    def count(self, folded: str) -> int:
        """How often the pattern is in a text in small letters."""
        if not any(hint in folded for hint in self.hints):
            return 0
        return sum(1 for _ in self.pattern.finditer(folded))


def hinted_patterns(*pairs: tuple[str, str]) -> tuple[HintedPattern, ...]:
    """Signs from pairs of hints, parted by `|`, and a pattern, in which `^` is the beginning of a line."""
    return tuple(
        HintedPattern(tuple(hints.split("|")), re.compile(pattern, re.MULTILINE | re.ASCII))
        for hints, pattern in pairs
    )


def count_matches(among: Sequence[HintedPattern], text: str) -> int:
    """How often any of the signs is in a text."""
    folded = text.lower()
    return sum(sign.count(folded) for sign in among)


def _recommended(text: str, titles: Sequence[str], shown: Sequence[int]) -> tuple[str, float]:
    reading = read_answer(_end(text), titles, shown)
    return ("", 0.0) if reading.recommended is None else (titles[reading.recommended], reading.certainty[0])


def _end(text: str) -> str:
    """The text from the last line that begins with our closing or ranking words: what is before them decides
    nothing.
    """
    return text[max(text.rfind(f"\n{words}") for words in (*CLOSINGS.values(), *RANKINGS.values())) + 1 :]
