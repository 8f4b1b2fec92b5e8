"""What both cards are made of: manifests, settings and metrics of the run. Nothing is typed by hand."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rectune.core.errors import RectuneError
from rectune.core.manifest import Manifest, read_manifests, read_settings

HUB_ID = re.compile(r"^[A-Za-z0-9][\w.-]*/[\w.-]+$")
_DATA_PLOTS = ("scores_", "filter_", "data_")  # how the report names the pictures of data and filter


@dataclass(frozen=True)
class CardFacts:
    """What is known of a run.

    `repo` may be empty (dry run). `rows` counts the published rows by configuration ("default" for the tuning
    rows, "preferences"), `domains` the same by domain, `left_out` those withheld by the domain whose source
    forbids passing them on, `by_hand` those that a person left out. `metrics` is what the stage eval wrote.
    `licences` are those that model files state, by the model's name.
    """

    repo: str
    licence: str
    manifests: Mapping[str, Manifest]
    settings: Mapping[str, Mapping[str, Any]]
    kinds: Sequence[str] = ()
    languages: Sequence[str] = ()
    rows: Mapping[str, int] = field(default_factory=dict)
    domains: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    left_out: Mapping[str, int] = field(default_factory=dict)
    by_hand: int = 0
    plots: Sequence[str] = ()
    metrics: Mapping[str, Any] = field(default_factory=dict)
    licences: Mapping[str, str] = field(default_factory=dict)

    def figures(self, stage: str) -> Mapping[str, Any]:
        """What a stage returned; empty where it has not run."""
        return self.manifests[stage].figures if stage in self.manifests else {}

    @property
    def recipe(self) -> str:
        """The recipe's name; empty where no stage knows it."""
        return next((one.recipe for one in self.manifests.values() if one.recipe), "")

    @property
    def key(self) -> str:
        """The run's key, which is the tag; empty without an export."""
        return self.manifests["export"].key if "export" in self.manifests else ""


def card_facts(repo: str, licence: str, inputs: Mapping[str, Path]) -> CardFacts:
    """Read what the stages left; what depends on the published rows is added by the caller."""
    settings: dict[str, Mapping[str, Any]] = {}
    for folder in inputs.values():
        settings.update(read_settings(folder))
    report = inputs.get("report")
    plots = sorted(file.name for file in (report / "figures").glob("*.png")) if report else []
    found = read_manifests(inputs)
    in_order = dict(sorted(found.items(), key=lambda entry: entry[1].started))
    locales = settings.get("prompts", {}).get("locales") or {}
    return CardFacts(
        repo,
        licence,
        in_order,
        settings,
        languages=sorted(name for name, share in locales.items() if share),
        plots=plots,
        metrics=_metrics(inputs),
        licences=_licences(settings, in_order),
    )


def base_model(facts: CardFacts) -> str:
    """What was tuned, without its revision: the name the base stage found, else what the recipe names."""
    named = facts.figures("base").get("model") or facts.settings.get("models", {}).get("base")
    return str(named or "unknown").partition("@")[0]


def datasets(facts: CardFacts) -> dict[str, dict[str, Any]]:
    """The data stage's facts about its datasets by name: domain, licence, redistributable, and others."""
    found = facts.figures("data").get("datasets")
    if not isinstance(found, dict):
        return {}
    return {str(name): entry for name, entry in found.items() if isinstance(entry, dict)}


def shares(facts: CardFacts) -> dict[str, tuple[int, float]]:
    """Training cases by dataset, and their share of all of them."""
    counts = {
        name: int(((entry.get("cases") or {}).get("train") or {}).get("got") or 0)
        for name, entry in datasets(facts).items()
    }
    total = sum(counts.values())
    return {name: (count, count / total if total else 0.0) for name, count in counts.items()}


def generators(facts: CardFacts) -> list[tuple[str, int, str]]:
    """(model, responses that it wrote, its licence or ""): who wrote the responses."""
    written = facts.figures("rationales").get("teachers") or {}
    bare = {str(name): str(name).partition("@")[0] for name in written}
    return [
        (bare[str(name)], int(count), facts.licences.get(bare[str(name)], ""))
        for name, count in written.items()
    ]


def is_data_plot(name: str) -> bool:
    """Whether a picture of the report shows data or filter, and not models."""
    return name.startswith(_DATA_PLOTS)


def _metrics(inputs: Mapping[str, Path]) -> Mapping[str, Any]:
    """metrics.json of the stage eval; empty where it is missing or damaged."""
    try:
        document = json.loads((inputs["eval"] / "metrics.json").read_text(encoding="utf-8"))
    except (KeyError, OSError, ValueError):
        return {}
    return document if isinstance(document, dict) else {}


def _licences(settings: Mapping[str, Mapping[str, Any]], manifests: Mapping[str, Manifest]) -> dict[str, str]:
    """What the GGUF files of base and teachers say of their licence, by the name that people are shown."""
    found = {}
    for reference in _references(settings):
        file = _file(reference)
        if file is not None and (stated := licence_in(file)):
            found[file.stem] = stated
            if reference == settings.get("models", {}).get("base") and "base" in manifests:
                found[str(manifests["base"].figures.get("model")).partition("@")[0]] = stated
    return found


def _references(settings: Mapping[str, Mapping[str, Any]]) -> Iterable[str]:
    teachers = settings.get("generate", {}).get("teachers") or []
    named = [str(one.get("model")) for one in teachers if isinstance(one, dict) and not one.get("server")]
    return dict.fromkeys([*named, str(settings.get("models", {}).get("base") or "")])


def _file(reference: str) -> Path | None:
    """The local GGUF file that a reference means; nothing is downloaded for a card."""
    from rectune.models.reference import gguf_file

    if reference != "embedded" and not Path(reference).expanduser().is_file():
        return None
    try:
        return gguf_file(reference)
    except RectuneError:
        return None


def licence_in(gguf: Path) -> str:
    """The licence that a GGUF file states; empty if it states none or cannot be read."""
    import llama_cpp

    from rectune.inference.gguf_model import load_model, metadata

    try:
        loaded = load_model(gguf, vocabulary_only=True)
    except RectuneError:
        return ""
    try:
        return metadata(loaded, "general.license")
    finally:
        llama_cpp.llama_model_free(loaded)
