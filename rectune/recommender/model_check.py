"""What a model's reasons can be trusted with: ten questions, five in each language, before people read them.

The answers pass the checks of every reason that goes out (`rectune.recommender.reason_checks`). A model is
trusted with a language where four of five pass at the first attempt. Verdicts are kept by the model's digest.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rectune.core.artifacts import ArtifactStore, write_atomically
from rectune.core.settings import RetrievalConfig, SamplingConfig
from rectune.core.text.plain import cut_line, printable
from rectune.core.types import Item, Locale
from rectune.inference.requests import GenerationRequest, GenerationResult
from rectune.prompts.title_index import TitleIndexes
from rectune.recommender.explanation_request import ExplanationRequest
from rectune.recommender.explanations import CheckedReason, all_at_the_end, checked_reasons, written_by_chat
from rectune.recommender.reason_checks import IndexedTitles

LOCALES: tuple[Locale, ...] = ("en", "ko")
ENOUGH = 4  # of five answers
VERDICTS = "model_checks"  # the folder of verdicts in the artifact store
VERSION = 1  # of questions and checks; verdicts of another one do not count
_SHOWN = 200  # characters of an answer in the report
_TOKENS = 160  # of an answer at most
_LANGUAGES: Mapping[Locale, str] = {"en": "English", "ko": "Korean"}


@dataclass(frozen=True)
class ModelVerdict:
    """How many of the answers in each language passed, and out of how many."""

    passed: Mapping[Locale, int]
    asked: Mapping[Locale, int]

    def trusted(self, locale: Locale) -> bool:
        """Whether its reasons in this language go out, each still checked."""
        return self.passed[locale] >= ENOUGH

    @property
    def languages(self) -> frozenset[Locale]:
        """The languages in which it is trusted."""
        return frozenset(filter(self.trusted, LOCALES))

    @property
    def untrusted(self) -> frozenset[Locale]:
        """The languages in which plain sentences stand for its reasons."""
        return frozenset(LOCALES) - self.languages

    def describe(self) -> str:
        """That plain sentences stand for reasons, and why, in a line."""
        told = " and ".join(
            f"{self.passed[locale]} of {self.asked[locale]} {_LANGUAGES[locale]}"
            for locale in LOCALES
            if locale in self.untrusted
        )
        where = "" if not self.languages else f" in {_LANGUAGES[next(iter(self.untrusted))]}"
        asked = f"the model answered {told} questions of `rectune doctor` soundly"
        return f"reasons are plain sentences{where}: {asked}"


def ask_model(
    ask: Callable[[Sequence[GenerationRequest]], list[GenerationResult]], sampling: SamplingConfig
) -> tuple[ModelVerdict, list[tuple[ExplanationRequest, CheckedReason]]]:
    """Ask a model the ten questions; gives the verdict, and each question with what became of the answer."""
    asked = questions()
    short = sampling.model_copy(update={"max_tokens": _TOKENS})
    titles = IndexedTitles(TitleIndexes([item for one in asked for item in (one.item, *one.liked)]))
    write = written_by_chat(all_at_the_end(ask), short)
    answered = list(zip(asked, checked_reasons(asked, titles, write), strict=True))
    counts = {locale: sum(one.locale == locale for one in asked) for locale in LOCALES}
    passed = {
        locale: sum(one.locale == locale and not answer.fault for one, answer in answered)
        for locale in LOCALES
    }
    return ModelVerdict(passed, counts), answered


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


def check_model(model: Path, runs: Path, config: RetrievalConfig) -> str:
    """Ask a model the questions and keep the verdict; gives a report for the person.

    Args:
        model: the GGUF file.
        runs: the artifact store, which keeps the verdict.
        config: how it is run.
    """
    from rectune.inference.generate import generate

    folder, digest = runs / VERDICTS, ArtifactStore(runs).digest(model)
    folder.mkdir(parents=True, exist_ok=True)
    cache = folder / "answers.sqlite"
    verdict, answered = ask_model(
        lambda requests: generate(model, requests, config, cache, "questions"), config.sampling
    )
    keep_verdict(folder, digest, verdict)
    lines = []
    for request, answer in answered:
        mark = "--  " if answer.fault else "ok  "
        said = f"     {printable(cut_line(answer.text or '(nothing)', _SHOWN))}"
        lines += [f"{mark} {request.locale}  {request.item.title}: {answer.fault or 'supported'}", said]
    for locale in LOCALES:
        held = f"{verdict.passed[locale]} of {verdict.asked[locale]}"
        trust = "its reasons go out" if verdict.trusted(locale) else "plain sentences stand for its reasons"
        lines.append(f"{_LANGUAGES[locale]}: {held} answers are sound ({ENOUGH} are enough): {trust}.")
    return "\n".join(lines)


def keep_verdict(folder: Path, digest: str, verdict: ModelVerdict) -> None:
    """Keep what was found of a model.

    Args:
        folder: of verdicts, created if missing.
        digest: of the model's file.
        verdict: what was found.
    """
    told = {"version": VERSION, "passed": dict(verdict.passed), "asked": dict(verdict.asked)}
    keep_part(folder, digest, told)


def keep_part(folder: Path, digest: str, part: Mapping[str, Any]) -> None:
    """Keep something that was found of a model beside what is kept of it already.

    Args:
        folder: of verdicts, created if missing.
        digest: of the model's file.
        part: values that JSON can hold, by names that take the place of the same ones.
    """
    folder.mkdir(parents=True, exist_ok=True)
    own = folder / f"{digest}.json"
    write_atomically(own, json.dumps({**(_read(own) or {}), **part}) + "\n")


def known_part(folder: Path, digest: str) -> Iterator[Mapping[str, Any]]:
    """What was found of a model here, then what comes with the package."""
    yield from filter(None, (_read(folder / f"{digest}.json"), _shipped().get(digest)))


def verdict_on(model: Path, runs: Path) -> ModelVerdict | None:
    """What `rectune doctor --model` found of a GGUF file, here or before it was released; None for nothing.

    Args:
        model: the file.
        runs: the artifact store, which keeps verdicts and digests.
    """
    return known_verdict(runs / VERDICTS, ArtifactStore(runs).digest(model))


def known_verdict(folder: Path, digest: str) -> ModelVerdict | None:
    """What was found of a model here, or comes with the package; None for nothing."""
    for told in known_part(folder, digest):
        if told.get("version") == VERSION:
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
