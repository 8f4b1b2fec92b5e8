"""The systems that are compared, by name: how each is opened for the cases of a domain."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from inference.llamacpp import LlamaEngine
from recommenders.base import Ranker
from recommenders.baselines import EmbeddingMean, Popularity, Random, liked_counts
from recommenders.cases import TestCase, asked_by_history
from recommenders.likelihood import Likelihood
from rectune.catalogue import Catalogue
from rectune.recipe import Recipe
from rectune.types import Case

# The system that is a language model -> the stage whose model.gguf it is, before and after tuning.
MODELS: dict[str, str] = {"base": "base", "sft": "candidates", "dpo": "export"}

Opener = Callable[[str, Sequence[TestCase]], Ranker]


@dataclass(frozen=True)
class Material:
    """What systems are made from."""

    config: Recipe
    inputs: Mapping[str, Path]
    catalogue: Catalogue
    cases: Sequence[Case]

    def model(self, system: str) -> Path:
        """The GGUF file of a system that is a language model."""
        return self.inputs[MODELS[system]] / "model.gguf"


@contextmanager
def opened(system: str, material: Material, on_case: Callable[[int], None]) -> Iterator[Opener]:
    """A function that gives the system's ranker for one domain and its cases; a model stays loaded meanwhile.

    Args:
        system: one of `evaluate.systems`.
        material: what it is made from.
        on_case: hears of every case that a language model has ranked; the others are done at once.
    """
    if system in MODELS:
        with LlamaEngine(material.model(system), material.config.evaluate) as engine:
            yield lambda domain, cases: Likelihood(
                system, engine, _titles(material.catalogue, domain), asked_by_history(cases), on_case
            )
    else:
        yield _BASELINES[system](material)


def _random(material: Material) -> Opener:
    return lambda domain, cases: Random(material.config.evaluate.seed)


def _popularity(material: Material) -> Opener:
    counts = liked_counts(material.inputs["data"], material.cases)
    return lambda domain, cases: Popularity(counts.get(domain, {}))


def _embedding(material: Material) -> Opener:
    embedder = material.config.retrieval.embedder
    return lambda domain, cases: EmbeddingMean(
        {item.item_id: item for item in material.catalogue.of(domain)}, embedder
    )


def _titles(catalogue: Catalogue, domain: str) -> dict[str, str]:
    return {item.item_id: item.title for item in catalogue.of(domain)}


_BASELINES: dict[str, Callable[[Material], Opener]] = {
    "random": _random,
    "popularity": _popularity,
    "embedding": _embedding,
}
