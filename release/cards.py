"""Model and dataset cards, made from the run: no figure in them is typed by hand."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rectune.errors import UserError
from rectune.exported import NOTE, exported
from rectune.manifest import Manifest, annotators, flows, read_manifests, read_settings, simulated

# Identifiers that the Hub takes in a card's `license` field; anything else must be "other" with a name.
HUB_LICENCES = frozenset(
    {
        "apache-2.0",
        "mit",
        "bsd-2-clause",
        "bsd-3-clause",
        "gpl-2.0",
        "gpl-3.0",
        "agpl-3.0",
        "lgpl-3.0",
        "mpl-2.0",
    }
    | {"cc0-1.0", "cc-by-3.0", "cc-by-4.0", "cc-by-sa-3.0", "cc-by-sa-4.0", "cc-by-nc-4.0", "cc-by-nc-sa-4.0"}
    | {
        "odc-by",
        "odbl",
        "pddl",
        "unlicense",
        "openrail",
        "llama2",
        "llama3",
        "llama3.1",
        "llama3.2",
        "llama3.3",
        "gemma",
    }
)
_HUB_ID = re.compile(r"^[A-Za-z0-9][\w.-]*/[\w.-]+$")
_SPOKEN = {"en": "English", "ko": "Korean"}
_SIZES = ((1_000, "n<1K"), (10_000, "1K<n<10K"), (100_000, "10K<n<100K"), (1_000_000, "100K<n<1M"))


@dataclass(frozen=True)
class CardFacts:
    """What both cards are made of.

    `repo` may be empty (dry run); `rows` counts the published rows by configuration ("default" for the tuning
    rows, "preferences"), `left_out` those withheld by domain because a licence forbids passing them on.
    """

    repo: str
    licence: str
    manifests: Mapping[str, Manifest]
    settings: Mapping[str, Mapping[str, Any]]
    languages: Sequence[str] = ()
    rows: Mapping[str, int] = field(default_factory=dict)
    left_out: Mapping[str, int] = field(default_factory=dict)
    plots: Sequence[str] = ()


def card_facts(repo: str, licence: str, inputs: Mapping[str, Path]) -> CardFacts:
    """Read manifests and settings of the stages; what depends on the rows is added by the caller."""
    settings: dict[str, Mapping[str, Any]] = {}
    for folder in inputs.values():
        settings.update(read_settings(folder))
    report = inputs.get("report")
    plots = sorted(file.name for file in (report / "figures").glob("*.png")) if report else []
    found = read_manifests(inputs)
    in_order = dict(sorted(found.items(), key=lambda entry: entry[1].started))
    return CardFacts(repo, licence, in_order, settings, plots=plots)


def model_card(facts: CardFacts) -> str:
    """The README.md of the model repository: metadata that the Hub accepts, then what was measured."""
    from huggingface_hub import ModelCardData

    base = base_model(facts)
    data = ModelCardData(
        language=sorted(facts.languages) or None,
        library_name="transformers",
        pipeline_tag="text-generation",
        base_model=base if _HUB_ID.match(base) else None,
        tags=["recommendation", "rectune", "qlora", "dpo", "gguf"],
        license=_licence(facts.licence)[0],
        license_name=_licence(facts.licence)[1],
    )
    return _checked(data.to_yaml(), _render("model_card.md.j2", facts, base))


def dataset_card(facts: CardFacts) -> str:
    """The README.md of the dataset repository; `rows` names the configurations that are there."""
    from huggingface_hub import DatasetCardData

    published = [entry for entry in datasets(facts).values() if entry.get("redistributable")]
    licences = sorted({str(entry.get("licence", "")) for entry in published} - {""})
    single = licences[0] if len(licences) == 1 else "mixed, see the table of sources"
    data = DatasetCardData(
        language=sorted(facts.languages) or None,
        annotations_creators=["machine-generated"] if simulated(facts.manifests) else None,
        language_creators=["machine-generated"],
        size_categories=_size(sum(facts.rows.values())),
        task_categories=["text-generation"],
        tags=["recommendation", "rectune"],
        configs=[{"config_name": name, "data_files": f"{name}/*.parquet"} for name in facts.rows],
        license=_licence(single)[0],
        license_name=_licence(single)[1],
    )
    return _checked(data.to_yaml(), _render("dataset_card.md.j2", facts, base_model(facts)))


def base_model(facts: CardFacts) -> str:
    """What was tuned, without its revision: the name the base stage found, else what the recipe names."""
    figures = facts.manifests["base"].figures if "base" in facts.manifests else {}
    named = figures.get("model") or facts.settings.get("models", {}).get("base")
    return str(named or "unknown").partition("@")[0]


def datasets(facts: CardFacts) -> dict[str, dict[str, Any]]:
    """The data stage's facts about its datasets by name: domain, licence, redistributable, and others."""
    found = facts.manifests["data"].figures.get("datasets") if "data" in facts.manifests else None
    if not isinstance(found, dict):
        return {}
    return {str(name): entry for name, entry in found.items() if isinstance(entry, dict)}


def cell(value: Any) -> str:
    """One line of untrusted text that cannot break out of a Markdown table or start HTML."""
    text = " ".join(str(value).split())
    return re.sub(r"([\\`*_\[\]|])", r"\\\1", text).replace("<", "&lt;").replace(">", "&gt;")


def _render(template: str, facts: CardFacts, base: str) -> str:
    from jinja2 import FileSystemLoader, StrictUndefined
    from jinja2.sandbox import SandboxedEnvironment

    loader = FileSystemLoader(Path(__file__).parent / "templates")
    environment = SandboxedEnvironment(
        loader=loader, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters["cell"] = cell
    figures = {stage: manifest.figures for stage, manifest in facts.manifests.items()}
    report = figures.get("report", {})
    return environment.get_template(template).render(
        facts=facts,
        base=base,
        on_hub=bool(_HUB_ID.match(base)),
        title=facts.repo or "user/name",
        key=facts.manifests["export"].key if "export" in facts.manifests else "",
        figures=figures,
        datasets=datasets(facts),
        flows=flows(facts.manifests),
        evaluation=report.get("evaluation") or {},
        exported=exported(figures.get("export", {})),
        export_note=NOTE,
        annotators=annotators(facts.manifests),
        simulated=simulated(facts.manifests),
        training=_training(facts),
        spoken=" and ".join(_SPOKEN.get(name, name) for name in facts.languages),
    )


def _training(facts: CardFacts) -> list[tuple[str, str, str]]:
    """(setting, its value for SFT, its value for DPO), settings that cannot matter to a reader left out."""
    names = (
        "epochs",
        "learning_rate",
        "batch_size",
        "accumulation",
        "max_length",
        "schedule",
        "zero",
        "lora",
        "beta",
        "seed",
    )
    sft, dpo = facts.settings.get("train", {}), facts.settings.get("align", {})
    return [
        (name, _setting(sft.get(name)), _setting(dpo.get(name)))
        for name in names
        if name in sft or name in dpo
    ]


def _setting(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{name} {part}" for name, part in value.items())
    return "-" if value is None else str(value)


def _licence(licence: str) -> tuple[str, str | None]:
    """The card's `license` and, where the Hub does not know it, `license_name`."""
    slug = re.sub(r"[^a-z0-9.]+", "-", licence.lower()).strip("-")
    return (slug, None) if slug in HUB_LICENCES else ("other", slug)


def _size(rows: int) -> str:
    return next((name for bound, name in _SIZES if rows < bound), "1M<n<10M")


def _checked(metadata: str, body: str) -> str:
    """Front matter and body as one card, read back the way the Hub's own library reads it."""
    from huggingface_hub import RepoCard

    text = f"---\n{metadata}\n---\n\n{body.strip()}\n"
    try:
        RepoCard(text)
    except ValueError as invalid:
        raise UserError(
            f"the card's metadata is not valid: {invalid}", mend="check release.licence and the data's facts"
        ) from None
    return text
