"""What a model's reasons can be trusted with: ten questions, five in each language, before people read them.

The answers pass the checks of every reason that goes out (`rectune.recommender.reason_checks`). A model is
trusted with a language where four of five pass at the first attempt. Verdicts are kept by the model's digest.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rectune.core.artifacts import write_atomically
from rectune.core.settings import SamplingConfig
from rectune.core.types import Item, Locale
from rectune.inference.requests import GenerationRequest, GenerationResult
from rectune.prompts.answers import find_items
from rectune.prompts.title_index import TitleIndexes
from rectune.prompts.title_matching import SURE
from rectune.recommender.explanation_request import ExplanationRequest
from rectune.recommender.explanations import CheckedReason, checked_reasons

LOCALES: tuple[Locale, ...] = ("en", "ko")
ENOUGH = 4  # of five answers
VERSION = 1  # of questions and checks; verdicts of another one do not count
_LANGUAGES: Mapping[Locale, str] = {"en": "English", "ko": "Korean"}


@dataclass(frozen=True)
class ModelVerdict:
    """How many of the answers in each language passed, and out of how many."""

    passed: Mapping[Locale, int]
    asked: Mapping[Locale, int]

    def trusted(self, locale: Locale) -> bool:
        """Whether its reasons in this language go out, each still checked."""
        return self.passed[locale] >= ENOUGH

    def describe(self, locale: Locale) -> str:
        """For the person, on one language."""
        held = (
            f"{self.passed[locale]} of its {self.asked[locale]} {_LANGUAGES[locale]} answers to known facts"
        )
        return f"{held} passed the checks"


def ask_model(
    ask: Callable[[Sequence[GenerationRequest]], list[GenerationResult]], sampling: SamplingConfig
) -> tuple[ModelVerdict, list[tuple[ExplanationRequest, CheckedReason]]]:
    """Ask a model the ten questions; gives the verdict, and each question with what became of the answer."""
    asked = questions()
    titles = _Titles(TitleIndexes([item for one in asked for item in (one.item, *one.liked)]))
    answered = list(zip(asked, checked_reasons(asked, titles, sampling, ask), strict=True))
    counts = {locale: sum(one.locale == locale for one in asked) for locale in LOCALES}
    passed = {
        locale: sum(one.locale == locale and not answer.fault for one, answer in answered)
        for locale in LOCALES
    }
    return ModelVerdict(passed, counts), answered


@dataclass(frozen=True)
class _Titles:
    """The titles of the questions."""

    known: TitleIndexes

    def mentioned(self, text: str, domain: str) -> list[str]:
        """Those of the domain that a text names with certainty."""
        index = self.known[domain]
        return [index.titles[one.index] for one in find_items(text, index) if one.certainty >= SURE]


def questions() -> list[ExplanationRequest]:
    """The ten questions."""
    return [
        ExplanationRequest(
            _item(one["item"], one["domain"]),
            tuple(_item(liked, one["domain"]) for liked in one.get("liked", ())),
            one.get("query", ""),
            locale,
        )
        for locale in LOCALES
        for one in _questions()[locale]
    ]


def _item(told: Mapping[str, Any], domain: str) -> Item:
    return Item(
        domain,
        told["title"],
        told["title"],
        tuple(told.get("categories", ())),
        told.get("description", ""),
        told.get("year"),
        tuple(told.get("facts", ())),
    )


@functools.cache
def _questions() -> dict[Locale, list[dict[str, Any]]]:
    from ruamel.yaml import YAML

    path = Path(__file__).parent / "model_questions.yaml"
    found: dict[Locale, list[dict[str, Any]]] = YAML(typ="safe", pure=True).load(path.read_text("utf-8"))
    return found


def keep_verdict(folder: Path, digest: str, verdict: ModelVerdict) -> None:
    """Keep what was found of a model.

    Args:
        folder: of verdicts, created if missing.
        digest: of the model's file.
        verdict: what was found.
    """
    folder.mkdir(parents=True, exist_ok=True)
    told = {"version": VERSION, "passed": dict(verdict.passed), "asked": dict(verdict.asked)}
    write_atomically(folder / f"{digest}.json", json.dumps(told) + "\n")


def known_verdict(folder: Path, digest: str) -> ModelVerdict | None:
    """What was found of a model here, or comes with the package; None for nothing."""
    own = folder / f"{digest}.json"
    for told in (_read(own), _shipped().get(digest)):
        if told and told.get("version") == VERSION:
            return ModelVerdict(told["passed"], told["asked"])
    return None


def _read(path: Path) -> dict[str, Any] | None:
    try:
        found = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError):
        return None
    return found if isinstance(found, dict) else None


@functools.cache
def _shipped() -> dict[str, dict[str, Any]]:
    return _read(Path(__file__).parent / "known_models.json") or {}
