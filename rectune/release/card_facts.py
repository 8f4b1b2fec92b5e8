"""What both cards are made of: manifests, settings and metrics of the run. Nothing is typed by hand."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from rectune.core.errors import RectuneError
from rectune.core.figures import BaseFigures, DataFigures, RationalesFigures
from rectune.core.figures.data import DatasetFigures
from rectune.core.finished_stages import FinishedStages
from rectune.core.settings import GenerateConfig, ModelsConfig, PromptsConfig

HUB_ID = re.compile(r"^[A-Za-z0-9][\w.-]*/[\w.-]+$")
_DATA_PLOTS = ("scores_", "filter_", "data_")  # how the report names the pictures of data and filter


@dataclass(frozen=True)
class CardFacts:
    """What is known of a run.

    `repo` may be empty (dry run). `rows` counts the published rows by configuration ("default" for the tuning
    rows, "preferences"), `domains` the same by domain, `left_out` those withheld by the domain whose source
    forbids passing them on, `by_hand` those that a person left out. `licences` are those that model files
    state, by the model's name.
    """

    repo: str
    licence: str
    stages: FinishedStages
    kinds: Sequence[str] = ()
    languages: Sequence[str] = ()
    rows: Mapping[str, int] = field(default_factory=dict)
    domains: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    left_out: Mapping[str, int] = field(default_factory=dict)
    by_hand: int = 0
    plots: Sequence[str] = ()
    licences: Mapping[str, str] = field(default_factory=dict)

    @property
    def key(self) -> str:
        """The run's key, which is the tag; empty without an export."""
        return self.stages.manifests["export"].key if "export" in self.stages.manifests else ""


def card_facts(repo: str, licence: str, inputs: Mapping[str, Path]) -> CardFacts:
    """Read what the stages left; what depends on the published rows is added by the caller."""
    stages = FinishedStages(inputs).by_time()
    report = inputs.get("report")
    plots = sorted(file.name for file in (report / "figures").glob("*.png")) if report else []
    prompts = stages.settings(PromptsConfig)
    return CardFacts(
        repo,
        licence,
        stages,
        languages=sorted(name for name, share in prompts.locales.items() if share) if prompts else (),
        plots=plots,
        licences=_licences(stages),
    )


def base_model(facts: CardFacts) -> str:
    """What was tuned, without its revision: the name the base stage found, else what the recipe names."""
    found, models = facts.stages.read(BaseFigures), facts.stages.settings(ModelsConfig)
    named = found.model if found else models.base if models else "unknown"
    return named.partition("@")[0]


def datasets(facts: CardFacts) -> dict[str, DatasetFigures]:
    """What the data stage measured of its datasets, by name; empty where it has not run."""
    found = facts.stages.read(DataFigures)
    return found.datasets if found else {}


def shares(facts: CardFacts) -> dict[str, tuple[int, float]]:
    """Training cases by dataset, and their share of all of them."""
    counts = {name: one.cases["train"].got for name, one in datasets(facts).items()}
    total = sum(counts.values())
    return {name: (count, count / total if total else 0.0) for name, count in counts.items()}


def generators(facts: CardFacts) -> list[tuple[str, int, str]]:
    """(model, responses that it wrote, its licence or ""): who wrote the responses."""
    written = facts.stages.read(RationalesFigures)
    counts = {name.partition("@")[0]: count for name, count in written.teachers.items()} if written else {}
    return [(name, count, facts.licences.get(name, "")) for name, count in counts.items()]


def is_data_plot(name: str) -> bool:
    """Whether a picture of the report shows data or filter, and not models."""
    return name.startswith(_DATA_PLOTS)


def _licences(stages: FinishedStages) -> dict[str, str]:
    """What the GGUF files of base and teachers say of their licence, by the name that people are shown."""
    found, base = dict[str, str](), stages.read(BaseFigures)
    generate, models = stages.settings(GenerateConfig), stages.settings(ModelsConfig)
    references = [teacher.model for teacher in generate.teachers if not teacher.server] if generate else []
    references += [models.base] if models else []
    for reference in dict.fromkeys(references):
        file = _file(reference)
        if file is not None and (stated := licence_in(file)):
            found[file.stem] = stated
            if base and models and reference == models.base:
                found[base.model.partition("@")[0]] = stated
    return found


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
