"""The systems that are compared: rankers by name, and every language model in each of the ways in which it
can rank.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from rectune.core.catalogue import Catalogue
from rectune.core.figures.allmrec import AllmrecLlmFigures
from rectune.core.figures.read_records import read_figures
from rectune.core.recipe import Recipe
from rectune.core.settings import EngineConfig, EvaluateConfig, SamplingConfig
from rectune.core.types import Case, Provenance, grouped
from rectune.evaluation.ranking_tasks import RankingTask
from rectune.inference.generate import Generate, generate, provenance
from rectune.inference.llamacpp import LlamaEngine
from rectune.rankers.base import CandidateScorer, Ranker, Scores, fit_ranker
from rectune.rankers.chosen import ChosenRanker
from rectune.rankers.domain_data import DomainData, TrainLikes, train_likes
from rectune.rankers.likelihood import Scorer
from rectune.rankers.stage import choice_folder, chosen_path

# The system that is a language model -> the stage whose model.gguf it is, before and after tuning.
MODELS: dict[str, str] = {"base": "base", "sft": "candidates", "dpo": "export"}

LIKELIHOOD = "likelihood"  # the way that every language model is ranked in; its system bears the model's name
JOINT_ITEMS = "allmrec_items"  # the ranker of A-LLMRec's stage 1

WRITING = ("parsed", "retrieved", "listed")  # the ways for which the model must write


@dataclass(frozen=True)
class EvalContext:
    """What systems are made from.

    Attributes:
        config, inputs: of the stage.
        catalogue, cases: of all domains and splits.
        generate: answers requests of language models.
        open_engine: opens what computes their likelihoods.
        provenance: says who wrote an answer.
    """

    config: Recipe
    inputs: Mapping[str, Path]
    catalogue: Catalogue
    cases: Sequence[Case]
    generate: Generate = generate
    open_engine: Callable[[Path, EngineConfig], AbstractContextManager[Scorer]] = LlamaEngine
    provenance: Callable[[Path, SamplingConfig, int], Provenance] = provenance
    _grounds: dict[str, DomainData] = field(default_factory=dict, repr=False, compare=False)
    _rankers: dict[tuple[str, str], Ranker] = field(default_factory=dict, repr=False, compare=False)
    _fitted: dict[str, ChosenRanker] = field(default_factory=dict, repr=False, compare=False)

    def model(self, system: str) -> Path:
        """The GGUF file of a system that is a language model."""
        return self.inputs[MODELS[system]] / "model.gguf"

    def domain_data(self, domain: str) -> DomainData:
        """What rankers of a domain are made from; counted and embedded once, for all of them."""
        if domain not in self._grounds:
            self._grounds[domain] = DomainData(
                domain,
                self.catalogue.of(domain),
                lambda: train_likes(self.inputs["data"], self.cases, domain),
                self.config.retrieval.embedder,
                self.config.evaluate.seed,
            )
        return self._grounds[domain]

    def ranker(self, name: str, domain: str) -> Ranker:
        """A system that is no language model, for a domain; made once.

        What the stage `fit` wrote is loaded, as it was tuned; all else is fitted here, with its defaults.
        """
        fitted = self.fitted(domain)
        if fitted and name == fitted.name:
            return fitted
        if fitted and name in fitted.rankers:
            return fitted.rankers[name]
        if (name, domain) not in self._rankers:
            self._rankers[name, domain] = fit_ranker(name, self.domain_data(domain))
        return self._rankers[name, domain]

    def fitted(self, domain: str) -> ChosenRanker | None:
        """What was chosen for a domain, with every ranker that was fitted; None where the stage `fit` is no
        input. See `choice_folder`.
        """
        if "fit" not in self.inputs:
            return None
        if domain not in self._fitted:
            self._fitted[domain] = ChosenRanker.load(chosen_path(choice_folder(self.inputs), domain))
        return self._fitted[domain]

    @cached_property
    def read_by_models(self) -> tuple[str, ...]:
        """The rankers through which A-LLMRec's language model ranks, where the recipe switches it on."""
        if "allmrec_llm" not in self.inputs:
            return ()
        found = read_figures(AllmrecLlmFigures, self.inputs["allmrec_llm"]).domains.values()
        return tuple(dict.fromkeys(name for domain in found for name in domain.trained))

    def added(self, domain: str) -> list[str]:
        """The rankers that A-LLMRec's stages added to a domain; they are systems without being named."""
        fitted = self.fitted(domain)
        names = [JOINT_ITEMS, *self.read_by_models] if self.read_by_models and fitted else []
        return [name for name in names if fitted and name in fitted.rankers]

    def likes(self, domain: str) -> TrainLikes:
        """What train users of a domain liked."""
        return self.domain_data(domain).likes


def rankers(config: EvaluateConfig) -> list[str]:
    """The systems that are no language models."""
    return [name for name in config.systems if name not in MODELS]


def models(config: EvaluateConfig) -> list[str]:
    """The systems that are."""
    return [name for name in config.systems if name in MODELS]


def scoring_methods(config: EvaluateConfig) -> list[str]:
    """The ways in which each of them ranks."""
    return list(dict.fromkeys((LIKELIHOOD, *config.scoring_methods)))


def system_name(model: str, method: str) -> str:
    """How reports call a model that ranks in this way: `sft`, `sft/prior`."""
    return model if method == LIKELIHOOD else f"{model}/{method}"


def scored(ranker: CandidateScorer, tasks: Sequence[RankingTask]) -> Iterator[tuple[RankingTask, Scores]]:
    """The scores of each trial, all of one domain."""
    histories = [task.test.case.history for task in tasks]
    yield from zip(tasks, ranker.score(histories, [task.candidates for task in tasks]), strict=True)


def tasks_by_domain(tasks: Sequence[RankingTask]) -> dict[str, list[RankingTask]]:
    """The trials of each domain, domains sorted."""
    return grouped(tasks, lambda task: (task.test.case.domain, ""))
