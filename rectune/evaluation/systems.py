"""The systems that are compared: rankers by name, and every language model in each of the ways in which it can rank."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from rectune.core.catalogue import Catalogue
from rectune.core.recipe import Recipe
from rectune.core.settings import Evaluate
from rectune.core.types import Case, grouped
from rectune.evaluation.trials import Trial
from rectune.rankers.base import Ranker, Scores, open_ranker
from rectune.rankers.ground import Ground, Likes, train_likes

# The system that is a language model -> the stage whose model.gguf it is, before and after tuning.
MODELS: dict[str, str] = {"base": "base", "sft": "candidates", "dpo": "export"}

LIKELIHOOD = "likelihood"  # the way that every language model is ranked in; its system bears the model's name
WRITING = ("parsed", "retrieved", "listed")  # the ways for which the model must write


@dataclass(frozen=True)
class Material:
    """What systems are made from."""

    config: Recipe
    inputs: Mapping[str, Path]
    catalogue: Catalogue
    cases: Sequence[Case]
    _grounds: dict[str, Ground] = field(default_factory=dict, repr=False, compare=False)
    _rankers: dict[tuple[str, str], Ranker] = field(default_factory=dict, repr=False, compare=False)

    def model(self, system: str) -> Path:
        """The GGUF file of a system that is a language model."""
        return self.inputs[MODELS[system]] / "model.gguf"

    def ground(self, domain: str) -> Ground:
        """What rankers of a domain are made from; counted and embedded once, for all of them."""
        if domain not in self._grounds:
            self._grounds[domain] = Ground(
                domain,
                self.catalogue.of(domain),
                lambda: train_likes(self.inputs["data"], self.cases, domain),
                self.config.retrieval.embedder,
                self.config.evaluate.seed,
            )
        return self._grounds[domain]

    def ranker(self, name: str, domain: str) -> Ranker:
        """A system that is no language model, for a domain; made once."""
        if (name, domain) not in self._rankers:
            self._rankers[name, domain] = open_ranker(name, self.ground(domain))
        return self._rankers[name, domain]

    def likes(self, domain: str) -> Likes:
        """What train users of a domain liked."""
        return self.ground(domain).likes


def rankers(config: Evaluate) -> list[str]:
    """The systems that are no language models."""
    return [name for name in config.systems if name not in MODELS]


def models(config: Evaluate) -> list[str]:
    """The systems that are."""
    return [name for name in config.systems if name in MODELS]


def ways(config: Evaluate) -> list[str]:
    """The ways in which each of them ranks."""
    return list(dict.fromkeys((LIKELIHOOD, *config.ways)))


def system_name(model: str, way: str) -> str:
    """How reports call a model that ranks in this way: `sft`, `sft/prior`."""
    return model if way == LIKELIHOOD else f"{model}/{way}"


def scored(ranker: Ranker, trials: Sequence[Trial]) -> Iterator[tuple[Trial, Scores]]:
    """The scores of each trial, all of one domain."""
    histories = [trial.test.case.history for trial in trials]
    yield from zip(trials, ranker.rank(histories, [trial.candidates for trial in trials]), strict=True)


def trials_by_domain(trials: Sequence[Trial]) -> dict[str, list[Trial]]:
    """The trials of each domain, domains sorted."""
    return grouped(trials, lambda trial: (trial.test.case.domain, ""))
