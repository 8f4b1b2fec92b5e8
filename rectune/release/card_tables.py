"""The tables that the cards have beside those of the evaluation, by name."""

from __future__ import annotations

from collections.abc import Mapping

from rectune.core.figures import DpoFigures, FilterFigures, SftFigures, TagFigures
from rectune.core.figures.record import StageRecord
from rectune.core.settings import AlignConfig, TrainConfig
from rectune.core.settings.base import Section
from rectune.core.text.tables import NONE, Table
from rectune.filters.report import rule_table
from rectune.release.card_facts import CardFacts, datasets, generators, shares

# Training settings that a reader may want, in this order.
SETTINGS = (
    "num_train_epochs", "learning_rate", "per_device_train_batch_size", "gradient_accumulation_steps",
    "max_length", "packing", "lr_scheduler_type", "warmup_ratio", "weight_decay", "zero_stage", "offload",
    "lora", "eval_user_fraction", "beta", "seed",
)  # fmt: skip


def card_tables(facts: CardFacts) -> dict[str, Table]:
    """sources, generators, funnel, rules, rows, training and outcomes; without rows where nothing was
    recorded.
    """
    counts = [
        (name, "train", count, _counted(facts.domains.get(name, {}), " "))
        for name, count in facts.rows.items()
    ]
    kinds: tuple[type[StageRecord], ...] = (SftFigures, TagFigures, DpoFigures)
    outcomes = [row for kind in kinds if (found := facts.stages.read(kind)) for row in _outcome(found)]
    through = [
        (one.stage, one.rows_in, one.rows_out, _counted(one.dropped, ": ")) for one in facts.stages.flows()
    ]
    filtered = facts.stages.read(FilterFigures)
    return {
        "sources": _sources(facts),
        "generators": _generators(facts),
        "funnel": Table(("stage", "rows in", "rows out", "dropped"), through, align="lrrl"),
        "rules": rule_table(filtered) if filtered else Table((), ()),
        "rows": Table(("configuration", "split", "rows", "by domain"), counts, align="llrl"),
        "training": Table(("setting", "SFT", "DPO"), _training(facts), align="l"),
        "outcomes": Table(("stage", "figure", "value"), outcomes, align="llr"),
    }


def _counted(counts: Mapping[str, int], sign: str) -> str:
    return ", ".join(f"{name}{sign}{count}" for name, count in counts.items())


def _sources(facts: CardFacts) -> Table:
    counts = shares(facts)
    lines = [
        (
            name,
            one.domain,
            one.publisher,
            one.licence or "not stated",
            "yes" if one.redistributable else "no",
            counts[name][0],
            f"{100 * counts[name][1]:.1f} %",
        )
        for name, one in datasets(facts).items()
    ]
    heads = ("dataset", "domain", "publisher", "licence", "may be passed on", "training cases", "share")
    return Table(heads, lines, align="lllllr")


def _generators(facts: CardFacts) -> Table:
    unstated = "not stated in its file"
    lines = [
        ("rectune (a template)", n, "Apache-2.0") if model == "template" else (model, n, licence or unstated)
        for model, n, licence in generators(facts)
    ]
    return Table(("model", "responses", "its licence"), lines, align="lrl")


def _training(facts: CardFacts) -> list[tuple[str, str, str]]:
    """(setting, its value for SFT, its value for DPO), settings that cannot matter to a reader left out."""
    sft, dpo = facts.stages.settings(TrainConfig), facts.stages.settings(AlignConfig)
    return [
        (name, _setting(sft, name), _setting(dpo, name))
        for name in SETTINGS
        if (sft and name in TrainConfig.model_fields) or (dpo and name in AlignConfig.model_fields)
    ]


def _outcome(figures: StageRecord) -> list[tuple[str, str, str]]:
    """The single figures that a stage returned: (stage, name, value)."""
    return [
        (figures.stage, name.replace("_", " "), f"{value:.4g}" if isinstance(value, float) else str(value))
        for name, value in figures
        if isinstance(value, (int, float)) and not isinstance(value, bool) and not name.startswith("rows_")
    ]


def _setting(section: Section | None, name: str) -> str:
    """The value of a key; a dash where the section has no such key, or no stage was run with it."""
    value = section.model_dump(mode="json").get(name) if section else None
    if isinstance(value, Mapping):
        return ", ".join(f"{name} {part}" for name, part in value.items() if part != {})
    return NONE if value is None else str(value)
