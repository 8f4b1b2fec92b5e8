"""A language model as ranker by its answers: the item named, items near to it, or a list in order."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from rectune.prompts.answers import read_answer
from rectune.prompts.title_index import TitleIndex
from rectune.rankers.base import Scores
from rectune.rankers.domain_data import DomainData
from rectune.retrieval.embedding import embed

Answers = Callable[[Sequence[str]], str]  # a history of item ids -> what the model wrote to it


@dataclass(frozen=True)
class GeneratedAnswers:
    """Items named by a model's answers, and the answers' vectors; each answer is parsed and embedded once."""

    domain_data: DomainData = field(repr=False)
    answers: Answers = field(repr=False)
    _named: dict[str, frozenset[str]] = field(default_factory=dict, repr=False, compare=False)
    _vectors: dict[str, Scores] = field(default_factory=dict, repr=False, compare=False)

    @cached_property
    def _titles(self) -> TitleIndex:
        return TitleIndex(self.domain_data.items.values())

    def named(self, history: Sequence[str]) -> frozenset[str]:
        """The items with the title that the answer recommends; none if it recommends none."""
        text = self.answers(history)
        if text not in self._named:
            self._named[text] = self._titles.ids(read_answer(text, self._titles).recommended)
        return self._named[text]

    def vector(self, history: Sequence[str]) -> Scores:
        """[d] the embedding of the whole answer."""
        text = self.answers(history)
        if text not in self._vectors:
            self._vectors[text] = embed([text], self.domain_data.embedder)[0].astype(np.float64)
        return self._vectors[text]


@dataclass(frozen=True)
class ParsedAnswerRanker:
    """1 for the item that the answer names, 0 for all others."""

    name: str
    written: GeneratedAnswers

    def score(self, histories: Sequence[Sequence[str]], candidates: Sequence[Sequence[str]]) -> list[Scores]:
        """See `CandidateScorer.score`."""
        named = [self.written.named(history) for history in histories]
        return [
            np.array([float(item in names) for item in shown], np.float64)
            for names, shown in zip(named, candidates, strict=True)
        ]


@dataclass(frozen=True)
class AnswerRetrievalRanker:
    """Cosine of candidate and answer; the item that the answer names is first.

    The answer is the query, real item or not (HyDE, Gao et al. 2022, "Precise Zero-Shot Dense Retrieval
    without Relevance Labels").
    """

    name: str
    written: GeneratedAnswers

    def score(self, histories: Sequence[Sequence[str]], candidates: Sequence[Sequence[str]]) -> list[Scores]:
        """See `CandidateScorer.score`."""
        return [self._scores(h, c) for h, c in zip(histories, candidates, strict=True)]

    def _scores(self, history: Sequence[str], candidates: Sequence[str]) -> Scores:
        if not candidates or not self.written.answers(history).strip():
            return np.zeros(len(candidates))
        near = self.written.domain_data.vectors(candidates).astype(np.float64) @ self.written.vector(history)
        named = self.written.named(history)
        scores: Scores = near + np.array([3.0 * (item in named) for item in candidates])  # cosines end at 1
        return scores


@dataclass(frozen=True)
class ListwiseRanker:
    """The order in which the model lists the candidates shown; those left out tie at the end.

    `answers` maps a history and the candidates, in the order shown, to what the model wrote.
    """

    name: str
    titles: Mapping[str, str] = field(repr=False)
    answers: Callable[[Sequence[str], Sequence[str]], str] = field(repr=False)

    def score(self, histories: Sequence[Sequence[str]], candidates: Sequence[Sequence[str]]) -> list[Scores]:
        """See `CandidateScorer.score`."""
        return [self._scores(h, c) for h, c in zip(histories, candidates, strict=True)]

    def _scores(self, history: Sequence[str], candidates: Sequence[str]) -> Scores:
        shown = [self.titles[item] for item in candidates]
        reading = read_answer(self.answers(history, candidates), shown, range(len(shown)))
        scores = np.full(len(candidates), -float(len(candidates)))
        for place, item in enumerate(reading.items):
            scores[item] = -float(place)
        return scores
