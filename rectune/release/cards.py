"""Model and dataset cards, made from the run: no figure in them is typed by hand."""

from __future__ import annotations

import re
from dataclasses import fields
from pathlib import Path
from typing import Any

from rectune.core.errors import UserError
from rectune.core.figures import ExportFigures, ReportFigures, TagFigures
from rectune.core.figures.evaluation import EvalMetrics
from rectune.core.figures.served import ServedMetrics
from rectune.core.finished_stages import FinishedStages
from rectune.core.text.markdown import escaped, link
from rectune.core.text.tables import Table
from rectune.core.types import Example, Preference, Prompt, Provenance
from rectune.models.export_summary import export_summary
from rectune.rankers.ranking_tables import ranking_tables
from rectune.rankers.served_tables import served_tables
from rectune.release.card_facts import HUB_ID, CardFacts, base_model, datasets, is_data_plot
from rectune.release.card_tables import card_tables

# Identifiers that the Hub takes in a card's `license` field; anything else must be "other" with a name.
HUB_LICENCES = frozenset(
    "apache-2.0 mit bsd-2-clause bsd-3-clause gpl-2.0 gpl-3.0 agpl-3.0 lgpl-3.0 mpl-2.0 cc0-1.0 cc-by-3.0 "
    "cc-by-4.0 cc-by-sa-3.0 cc-by-sa-4.0 cc-by-nc-4.0 cc-by-nc-sa-4.0 odc-by odbl pddl unlicense openrail "
    "llama2 llama3 llama3.1 llama3.2 llama3.3 gemma".split()
)
_SPOKEN = {"en": "English", "ko": "Korean"}
_SIZES = ((1_000, "n<1K"), (10_000, "1K<n<10K"), (100_000, "10K<n<100K"), (1_000_000, "100K<n<1M"))
_COLUMNS: tuple[Any, ...] = (Example, Preference, Prompt, Provenance)
_ALIGNED = "dpo"  # the system in the evaluation that is the pushed model


def model_card(facts: CardFacts) -> str:
    """The README.md of the model repository: metadata that the Hub accepts, then what was measured."""
    from huggingface_hub import ModelCardData

    base = base_model(facts)
    tags = ["recommendation", "rectune", "qlora", "dpo", "gguf"]
    data = ModelCardData(
        language=sorted(facts.languages) or None,
        library_name="transformers",
        pipeline_tag="text-generation",
        base_model=base if HUB_ID.match(base) else None,
        datasets=[facts.repo] if facts.rows and facts.repo else None,
        tags=[*tags, "simulated-preferences"] if facts.stages.simulated else tags,
        license=_licence(facts.licence)[0],
        license_name=_licence(facts.licence)[1],
        model_name=facts.repo.partition("/")[2] or "rectune",
        eval_results=_results(facts) or None,
    )
    return _checked(data.to_yaml(), _render("model_card.md.j2", facts, of_data=False))


def dataset_card(facts: CardFacts) -> str:
    """The README.md of the dataset repository; `rows` names the configurations that are there."""
    from huggingface_hub import DatasetCardData

    published = [one for one in datasets(facts).values() if one.redistributable]
    licences = sorted({one.licence for one in published} - {""})
    single = licences[0] if len(licences) == 1 else "mixed, see the table of sources"
    tags = ["recommendation", "rectune"]
    data = DatasetCardData(
        language=sorted(facts.languages) or None,
        annotations_creators=["machine-generated"] if facts.stages.simulated else None,
        language_creators=["machine-generated"],
        size_categories=_size(sum(facts.rows.values())),
        task_categories=["text-generation"],
        tags=[*tags, "simulated-preferences"] if facts.stages.simulated else tags,
        configs=[_configuration(name) for name in facts.rows],
        license=_licence(single)[0],
        license_name=_licence(single)[1],
    )
    return _checked(data.to_yaml(), _render("dataset_card.md.j2", facts, of_data=True))


def _configuration(name: str) -> dict[str, Any]:
    return {"config_name": name, "data_files": [{"split": "train", "path": f"{name}/train.parquet"}]}


def _results(facts: CardFacts) -> list[Any]:
    """The aligned model's figures as the Hub indexes them."""
    from huggingface_hub import EvalResult

    metrics = facts.stages.read(EvalMetrics)
    found = metrics.systems.get(_ALIGNED) if metrics else None
    if found is None:
        return []
    return [
        EvalResult(
            task_type="text-generation",
            dataset_type="rectune-test-cases",
            dataset_name=f"held-out users of {', '.join(sorted(datasets(facts))) or 'the run'}",
            metric_type=name,
            metric_value=round(value, 4),
        )
        for name, value in (("hit@1", found.hit_at_1), ("mrr", found.mrr), ("ndcg@10", found.ndcg_at_10))
    ]


def _render(template: str, facts: CardFacts, *, of_data: bool) -> str:
    from jinja2 import FileSystemLoader, StrictUndefined
    from jinja2.sandbox import SandboxedEnvironment

    loader = FileSystemLoader(Path(__file__).parent / "templates")
    environment = SandboxedEnvironment(
        loader=loader, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters["escaped"] = escaped
    plots = [name for name in facts.plots if is_data_plot(name) == of_data]
    return environment.get_template(template).render(facts=facts, plots=plots, **_words(facts))


def _evaluation(metrics: EvalMetrics | None, stages: FinishedStages) -> list[Table]:
    """The tables of the stage `eval`; none where it has not finished."""
    served = stages.read(ServedMetrics)
    found = served_tables(served, stages.recipe) if served else []
    return found + (ranking_tables(metrics, stages.recipe) if metrics else [])


def _words(facts: CardFacts) -> dict[str, Any]:
    """What both templates are filled with."""
    base, stages = base_model(facts), facts.stages
    started = stages.manifests["export"].started if "export" in stages.manifests else ""
    metrics, exported = stages.read(EvalMetrics), stages.read(ExportFigures)
    report, tagged = stages.read(ReportFigures), stages.read(TagFigures)
    return {
        "base": base,
        "base_licence": facts.licences.get(base, ""),
        "on_hub": bool(HUB_ID.match(base)),
        "title": facts.repo or "user/name",
        "pinned": f', revision="{facts.key}"' if facts.key else "",
        "year": started[:4],
        "homes": {name: link(one.home) for name, one in datasets(facts).items() if one.home},
        "tables": {name: table.to_markdown() for name, table in card_tables(facts).items()},
        "evaluation": [table.to_markdown() for table in _evaluation(metrics, stages)],
        "intervals": metrics.intervals if metrics else "",
        "verdict": report.verdict if report else "",
        "exported": export_summary(exported) if exported else "",
        "rule": tagged.rule if tagged else None,
        "annotators": facts.stages.annotators,
        "simulated": facts.stages.simulated,
        "columns": {kind.__name__: ", ".join(one.name for one in fields(kind)) for kind in _COLUMNS},
        "kinds_of_items": len({one.domain for one in datasets(facts).values()}),
        "spoken": " and ".join(_SPOKEN.get(name, name) for name in facts.languages),
    }


def _licence(licence: str) -> tuple[str, str | None]:
    """The card's `license` and, where the Hub does not know it, `license_name`."""
    slug = re.sub(r"[^a-z0-9.]+", "-", licence.lower()).strip("-")
    if re.match(r"cc0\b", slug):  # there is one version of it
        return "cc0-1.0", None
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
            f"the card's metadata is not valid: {invalid}", hint="check release.licence and the data's facts"
        ) from None
    return text
