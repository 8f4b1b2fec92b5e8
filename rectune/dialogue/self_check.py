"""The self-check: whether a language model tells items that suit a planted persona from those that do not.

Only what it does surely better than chance is switched on; else code judges by the claims alone. Verdicts are
kept by the model's digest, beside those on its reasons (`rectune.recommender.model_check`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from rectune.core.artifacts import ArtifactStore
from rectune.core.package_data import SAMPLES
from rectune.core.progress import progress
from rectune.core.settings import EngineConfig
from rectune.core.types import Item, Locale
from rectune.dialogue.item_judges import ClaimJudge, ItemJudge, ModelJudge
from rectune.dialogue.planted_personas import Discrimination, PlantedPersona, discrimination, planted_personas
from rectune.prompts.rerank_prompts import RERANK_PROMPTS, RerankPrompt
from rectune.rankers.likelihood import Scorer
from rectune.readers.catalogue import CatalogueOptions, read_catalogue
from rectune.recommender.model_check import LOCALES, VERDICTS, keep_part, known_part

Asked = Literal["detailed", "short", "verification"]

ASKED: tuple[Asked, ...] = (*RERANK_PROMPTS, "verification")
LEAST = 0.65  # the AUC that the lower end of the interval has to reach
PERSONS = 20  # in each language
VERSION = 1  # of prompts and persons; verdicts of another one do not count
_PART = "persona"  # its name in the file of verdicts
_SEED = 0
_WORDS: Mapping[Locale, str] = {"en": "English", "ko": "Korean"}


@dataclass(frozen=True)
class PersonaVerdict:
    """How surely a model judges, by language and by what it was asked."""

    found: Mapping[Locale, Mapping[Asked, Discrimination]]

    def passes(self, locale: Locale, asked: Asked) -> bool:
        """Whether this prompt in this language discriminates surely enough to be used."""
        own = self.found.get(locale, {}).get(asked)
        return own is not None and own.interval[0] >= LEAST

    def describe(self) -> str:
        """What was found, for people; a line for each language and prompt."""
        return "\n".join(
            f"{'ok  ' if self.passes(locale, asked) else '--  '} {locale}  {asked}: {_in_words(own)}"
            for locale, every in self.found.items()
            for asked, own in every.items()
        )


def judge_for(
    verdict: PersonaVerdict | None,
    engine: Scorer | None,
    locale: Locale,
    prompt: RerankPrompt = "detailed",
    profile: Sequence[str] = (),
) -> ItemJudge:
    """Who judges in a service: the model where the self-check passed, else code by the claims.

    Args:
        verdict: what the self-check found of the model; None where it was not run.
        engine: of that model; None where there is none, or it gives no likelihoods.
        locale: of the prompts.
        prompt: which one asks for scores.
        profile: see `ModelJudge`.
    """
    if engine is None or verdict is None or not verdict.passes(locale, prompt):
        return ClaimJudge()
    return ModelJudge(engine, prompt, locale, verdict.passes(locale, "verification"), tuple(profile))


def why_judge(verdict: PersonaVerdict | None, locale: Locale, prompt: RerankPrompt = "detailed") -> str:
    """Why the model judges, or why it does not, in a line."""
    own = verdict.found.get(locale, {}).get(prompt) if verdict else None
    if verdict is None or own is None:
        return "items are judged by the claims alone: `rectune doctor --model` was not asked about this model"
    who = "the model judges" if verdict.passes(locale, prompt) else "items are judged by the claims alone"
    return f"{who}: in {_WORDS[locale]}, by the {prompt} prompt, it told {_in_words(own)}"


def _in_words(own: Discrimination) -> str:
    low, high = own.interval
    return (
        f"own items from foreign ones of {own.persons} planted personas with an AUC of {own.auc:.2f} "
        f"({low:.2f} to {high:.2f}; {LEAST:.2f} or more is needed at the lower end)"
    )


def check_judge(engine: Scorer, personas: Mapping[Locale, Sequence[PlantedPersona]]) -> PersonaVerdict:
    """Ask a model about planted personas.

    Whether it verifies soundly is asked in languages in which one of the prompts for scores passes: in others
    it is of no use.

    Args:
        engine: of the model.
        personas: by language.

    Raises:
        UserError: a prompt does not fit the engine's context.
    """
    found: dict[Locale, dict[Asked, Discrimination]] = {locale: {} for locale in personas}
    total = sum(map(len, personas.values())) * len(ASKED)
    with progress("planted personas", total, "personas") as advance:
        for locale, some in personas.items():
            for asked in RERANK_PROMPTS:
                found[locale][asked] = _discrimination(engine, locale, asked, some, advance)
            if any(own.interval[0] >= LEAST for own in found[locale].values()):
                found[locale]["verification"] = _discrimination(engine, locale, "verification", some, advance)
            else:
                advance(len(some))
    return PersonaVerdict(found)


def _discrimination(
    engine: Scorer, locale: Locale, asked: Asked, personas: Sequence[PlantedPersona], advance: Any
) -> Discrimination:
    judge = ModelJudge(engine, "detailed" if asked == "verification" else asked, locale)
    found = []
    for one in personas:
        items = [*one.own, *one.foreign]
        ask = judge.fits if asked == "verification" else judge.scores
        scores = ask(one.claims, items) or []
        found.append((scores[: len(one.own)], scores[len(one.own) :]))
        advance(1)
    return discrimination(found)


def sample_personas() -> dict[Locale, list[PlantedPersona]]:
    """Planted personas of the two sample catalogues of films that come with the package."""
    return {locale: planted_personas(_films(locale), locale, PERSONS, _SEED) for locale in LOCALES}


def _films(locale: Locale) -> list[Item]:
    path = {"en": "movielens/movies.csv", "ko": "korean/films.csv"}[locale]
    return read_catalogue(SAMPLES / path, CatalogueOptions("movies")).items


def check_persona_judge(model: Path, runs: Path, config: EngineConfig) -> str:
    """Run the self-check on a model and keep the verdict; gives a report for the person.

    Args:
        model: the GGUF file.
        runs: the artifact store, which keeps the verdict.
        config: how it is run.
    """
    with _opened(model, config) as engine:
        verdict = check_judge(engine, sample_personas())
    keep_persona_verdict(runs, ArtifactStore(runs).digest(model), verdict)
    return "\n".join([verdict.describe(), *(why_judge(verdict, locale) + "." for locale in LOCALES)])


def _opened(model: Path, config: EngineConfig) -> AbstractContextManager[Scorer]:
    from rectune.inference.engine_cache import cached_engine

    return cached_engine(model, config)


def keep_persona_verdict(runs: Path, digest: str, verdict: PersonaVerdict) -> None:
    """Keep what was found of a model.

    Args:
        runs: the artifact store.
        digest: of the model's file.
        verdict: what was found.
    """
    found = {
        locale: {
            asked: {"auc": own.auc, "interval": list(own.interval), "persons": own.persons}
            for asked, own in every.items()
        }
        for locale, every in verdict.found.items()
    }
    keep_part(runs / VERDICTS, digest, {_PART: {"version": VERSION, "found": found}})


def persona_verdict_on(model: Path, runs: Path) -> PersonaVerdict | None:
    """What `rectune doctor --model` found of a GGUF file, here or before it was released; None for nothing.

    Args:
        model: the file.
        runs: the artifact store, which keeps verdicts and digests.
    """
    return known_persona_verdict(runs, ArtifactStore(runs).digest(model))


def known_persona_verdict(runs: Path, digest: str) -> PersonaVerdict | None:
    """What was found of a model with this digest; None for nothing."""
    for told in known_part(runs / VERDICTS, digest):
        part = told.get(_PART)
        if isinstance(part, dict) and part.get("version") == VERSION:
            return PersonaVerdict(
                {
                    locale: {
                        asked: Discrimination(own["auc"], tuple(own["interval"]), own["persons"])
                        for asked, own in every.items()
                    }
                    for locale, every in part["found"].items()
                }
            )
    return None
