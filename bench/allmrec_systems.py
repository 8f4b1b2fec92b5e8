"""The systems of `bench.allmrec_llm`: A-LLMRec, the baselines of its paper, and rivals without a language
model; each fitted once and kept in a folder.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from bench.allmrec_data import Ask
from rectune.rankers.allmrec.items_ranker import AllmrecItems
from rectune.rankers.allmrec.list_ranker import AllmRecList
from rectune.rankers.allmrec.llmsrec import LlmSRec
from rectune.rankers.allmrec.mlp_llm import MlpLlm
from rectune.rankers.allmrec.ranker import AllmRec
from rectune.rankers.allmrec.soft_ranker import SoftRanker
from rectune.rankers.allmrec.tallrec import TallRec
from rectune.rankers.als import Als
from rectune.rankers.base import CandidateScorer, Ranker
from rectune.rankers.baselines import EmbeddingBest
from rectune.rankers.domain_data import DomainData
from rectune.rankers.ease import Ease
from rectune.rankers.fusion import Fused
from rectune.rankers.popularity import Popularity
from rectune.rankers.saved import is_saved
from rectune.rankers.sequential.sasrec import SasRec, SasRecText

ALONE = "language model alone"
SOFT: Mapping[str, type[SoftRanker] | type[TallRec]] = {
    kind.name: kind for kind in (AllmRec, AllmRecList, MlpLlm, TallRec, LlmSRec)
}
_TOTALS: Mapping[str, Callable[[Sequence[float]], float]] = {"sum": np.sum, "mean": np.mean}

R = TypeVar("R", bound=Ranker)
Scores = Mapping[str, Sequence[float]]


@dataclass(frozen=True)
class System:
    """What scores the candidates of an ask, in one way or several.

    Attributes:
        name: of the file that its ranks are kept in.
        scores: row of the table -> a score for each candidate.
        whole: whether it ranks a whole catalogue in passing; what reads every candidate does not.
    """

    name: str
    scores: Callable[[Ask], Scores]
    whole: bool = False


@dataclass(frozen=True)
class SystemOptions:
    """How the systems are trained.

    Attributes:
        model: the language model.
        cases, epochs: of each training of it.
        sasrec_epochs: at most, of the recommenders.
        soft: names of the rankers that a language model takes part in, of `SOFT`.
    """

    model: str = "embedded"
    cases: int = 1000
    epochs: int = 1
    sasrec_epochs: int = 60
    soft: Sequence[str] = ("allmrec", "mlp_llm", "tallrec")


@dataclass(frozen=True)
class Fitted:
    """All rankers, fitted on one dataset."""

    popularity: Popularity
    ease: Ease
    als: Als
    embedding: EmbeddingBest
    sasrec: SasRec
    sasrec_text: SasRecText
    items: AllmrecItems
    soft: Mapping[str, SoftRanker | TallRec]


def fitted(folder: Path, kind: type[R], fit: Callable[[], R]) -> R:
    """What is in the folder; else it is fitted and saved there."""
    if is_saved(folder):
        return kind.load(folder)
    begun = time.process_time()
    ranker = fit()
    ranker.save(folder)
    print(f"{kind.name}: fitted in {time.process_time() - begun:.0f} processor s", flush=True)
    return ranker


def fit_all(data: DomainData, place: Path, options: SystemOptions) -> Fitted:
    """Fit what is not in the folder yet; what was cut short goes on."""
    epochs = {"epochs": options.sasrec_epochs}

    def plain(kind: type[R], **given: int) -> R:
        return fitted(place / kind.name, kind, lambda: kind(**given).fit(data))

    sasrec = plain(SasRec, **epochs)
    items = fitted(place / "allmrec_items", AllmrecItems, lambda: AllmrecItems().fit_beside(sasrec, data))
    how: dict[str, Any] = {"model": options.model, "cases": options.cases, "epochs": options.epochs}
    language = place / "-".join(map(str, how.values())).replace("/", "_")

    def soft(name: str) -> SoftRanker | TallRec:
        def fit() -> SoftRanker | TallRec:
            ranker = SOFT[name](**how)
            ranker.checkpoint = language / f"{name}.training"
            if isinstance(ranker, TallRec):
                ranker.fit(data)
            else:
                ranker.fit_beside(items, data)
            _say(ranker)
            return ranker

        return fitted(language / name, SOFT[name], fit)

    return Fitted(
        plain(Popularity), plain(Ease), plain(Als), plain(EmbeddingBest), sasrec,
        plain(SasRecText, **epochs), items, {name: soft(name) for name in options.soft},
    )  # fmt: skip


def _say(ranker: SoftRanker | TallRec) -> None:
    record = {name: value for name, value in asdict(ranker.record).items() if name != "digest"}
    print(f"{ranker.name}: {record}", flush=True)


def systems_of(found: Fitted) -> list[System]:
    """All systems, the cheap ones first."""
    by_text = AllmrecItems(by="text").of(found.items.joint) if found.items.joint is not None else found.items
    both = Fused("als + embedding", found.als, found.embedding, 0.5)
    rivals: list[CandidateScorer] = [
        found.popularity, found.ease, found.als, found.embedding, both, found.sasrec, found.sasrec_text
    ]  # fmt: skip
    return [
        *(_scored(ranker.name, ranker) for ranker in rivals),
        _scored("allmrec_items", found.items),
        _scored("allmrec_items, text", by_text),
        *_read(found.soft),
    ]


def foreign_systems(found: Fitted, data: DomainData) -> list[System]:
    """Those of them that can rank a catalogue that they were not fitted on, by its texts."""
    embedding = EmbeddingBest().fit(data)
    items, sasrec_text = found.items.of_items(data), found.sasrec_text.of_items(data)
    rivals: list[tuple[str, CandidateScorer]] = [(embedding.name, embedding)]
    if sasrec_text is not None:
        rivals.append((sasrec_text.name, sasrec_text))
    if items is not None:
        rivals.append(("allmrec_items, text", items))
    readers = {name: ranker.of_items(data) for name, ranker in found.soft.items()}
    read = _read({name: ranker for name, ranker in readers.items() if ranker is not None}, joint=False)
    return [*(_scored(name, ranker) for name, ranker in rivals), *read]


def _read(soft: Mapping[str, SoftRanker | TallRec], joint: bool = True) -> list[System]:
    """What a language model takes part in; without `joint` by the texts of items alone, where there is a
    choice.
    """
    found = []
    for name, ranker in soft.items():
        if not isinstance(ranker, AllmRec):
            found.append(_scored(name, ranker, whole=not isinstance(ranker, TallRec)))
            continue
        if joint:
            found.append(_titled(name, ranker))
        if not isinstance(ranker, MlpLlm):
            found.append(_titled(f"{name}, text", ranker.reading("text")))
            alone = f"{ALONE}, list" if isinstance(ranker, AllmRecList) else ALONE
            found.append(_titled(alone, ranker, vectors=False))
    return found


def _scored(name: str, ranker: CandidateScorer, whole: bool = True) -> System:
    def scores(ask: Ask) -> Scores:
        return {name: ranker.score([ask.history], [ask.candidates])[0].tolist()}

    return System(name, scores, whole)


def _titled(name: str, ranker: AllmRec, vectors: bool = True) -> System:
    """By the sum and by the mean of the log-probabilities of a title's tokens."""

    def scores(ask: Ask) -> Scores:
        logs = ranker.title_logs(ask.history, ask.candidates, vectors=vectors)
        return {f"{name}, {how}": [float(total(row)) for row in logs] for how, total in _TOTALS.items()}

    return System(name, scores)
