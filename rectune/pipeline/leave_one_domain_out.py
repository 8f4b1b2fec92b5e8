"""`rectune leave-one-domain-out`: a fold per dataset, each a run of its own recipe, and their table.

A fold's recipes are written to runs/leave-one-domain-out/<recipe>/: `…-without-<dataset>.yaml` runs until
SFT, and `…-only-<dataset>.yaml` until its cases. What several folds need (the base model, texts of the
teacher) is made once, thanks to the artifact store and the generation cache.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rectune.core.artifacts import ArtifactStore, write_atomically
from rectune.core.catalogue import load_catalogue
from rectune.core.errors import UserError
from rectune.core.figures.evaluation import FoldMetrics
from rectune.core.figures.read_records import read_record
from rectune.core.progress import say
from rectune.core.recipe import Recipe, dump_sections, load_recipe, to_yaml
from rectune.core.rows import read_rows
from rectune.core.types import Case, Example, Ranking, content_id
from rectune.datagen.datasets import registry
from rectune.evaluation.leave_one_domain_out import (
    METRICS,
    RANKINGS,
    DomainFold,
    fold_config,
    latest_cases,
    leave_one_domain_out_table,
    measure_fold,
)
from rectune.evaluation.systems import MODELS, EvalContext
from rectune.pipeline.run import RunOptions, run_pipeline
from rectune.train.history_lists import LISTS

ROWS = 96  # of SFT in a fold, at most
_MOST = 20_000  # cases that are cut of the domain left out


@dataclass(frozen=True)
class DomainFoldOptions:
    """Options: which datasets are left out in turn ([]: each), users tested of each (0: all), and whether
    models are aligned too, which takes as long again.
    """

    recipe: Path
    overrides: Sequence[str] = ()
    folds: Sequence[str] = ()
    data: Path | None = None
    users: int = 0
    align: bool = False

    @property
    def command(self) -> str:
        """The command line for these options."""
        parts = [f"rectune leave-one-domain-out {self.recipe}", *self.overrides]
        parts += [f"--folds {','.join(self.folds)}"] if self.folds else []
        parts += [f"--data {self.data}"] if self.data else []
        parts += [f"--users {self.users}"] if self.users else []
        parts += ["--align"] if self.align else []
        return " ".join(parts)


def run_leave_one_domain_out(wanted: DomainFoldOptions, store: ArtifactStore) -> str:
    """Run the unfinished folds; returns the table, also written to runs/leave-one-domain-out/<recipe>/.

    Raises:
        UserError: fewer than two datasets, a fold that is none of them, or what `run_pipeline` refuses.
    """
    recipe = load_recipe(wanted.recipe, [*wanted.overrides, *_data_overrides(wanted)])
    datasets = recipe.data.datasets
    chosen = list(wanted.folds) or list(datasets)
    unknown = [name for name in chosen if name not in datasets]
    if unknown or len(datasets) < 2:
        found = f"no such fold: {', '.join(unknown)}" if unknown else "one dataset leaves nothing to train on"
        raise UserError(found, where="--folds", hint=f"datasets of the recipe: {', '.join(datasets)}")
    place = store.root / "leave-one-domain-out" / wanted.recipe.stem
    place.mkdir(parents=True, exist_ok=True)
    folds = []
    for name in chosen:
        say(f"fold        {name} is left out")
        folds.append(_fold(name, recipe, wanted, place, store))
    table = leave_one_domain_out_table(folds, wanted.command, recipe.evaluate)
    write_atomically(place / "table.md", table)
    document = {fold.dataset: fold.metrics.document() for fold in folds}
    write_atomically(place / "table.json", json.dumps(document, ensure_ascii=False, indent=1))
    return f"{table}\nwritten to {place / 'table.md'} and table.json"


def _data_overrides(wanted: DomainFoldOptions) -> list[str]:
    """If another data folder is given, only the recipe's datasets whose files are in it."""
    if wanted.data is None:
        return []
    there = []
    for name in load_recipe(wanted.recipe, wanted.overrides).data.datasets:
        try:
            registry.locate(registry.find(name), wanted.data)
        except UserError:
            continue
        there.append(name)
    if not there:
        raise UserError("no dataset of the recipe is there", where=str(wanted.data))
    return [f"data.root={wanted.data}", f"data.datasets=[{', '.join(there)}]"]


def _fold(
    name: str, recipe: Recipe, wanted: DomainFoldOptions, place: Path, store: ArtifactStore
) -> DomainFold:
    last = "export" if wanted.align else "candidates"
    tuned = run_pipeline(RunOptions(_without(name, recipe, wanted, place), (), last), store)
    only = run_pipeline(RunOptions(_only(name, recipe, wanted, place), (), "data"), store)["data"]
    config = fold_config(recipe)
    entry = registry.find(name)
    models = [tuned[stage] for stage in MODELS.values() if stage in tuned]
    key = content_id(
        [folder.name for folder in (*models, only)],
        config.result_fields(("evaluate", "retrieval")),
        wanted.users,
    )
    out = place / f"{name}-{key}"
    if not (out / METRICS).is_file():
        out.mkdir(parents=True, exist_ok=True)
        _measure(name, config, {**tuned, "data": only}, (recipe, tuned["data"], wanted.users), out)
    metrics = read_record(FoldMetrics, "leave-one-domain-out", out / METRICS)
    return DomainFold(name, entry.domain, entry.people, metrics, read_rows(out / RANKINGS, Ranking))


def _measure(
    name: str, config: Recipe, inputs: dict[str, Path], tuning: tuple[Recipe, Path, int], out: Path
) -> None:
    recipe, trained_on, limit = tuning
    cases = read_rows(inputs["data"] / "cases.parquet", Case)
    lists = inputs["sft"] / LISTS
    listed = read_rows(lists, Example) if lists.is_file() else []
    trained = _trained(name, recipe, read_rows(trained_on / "cases.parquet", Case), listed)
    eval_context = EvalContext(config, inputs, load_catalogue(inputs["data"] / "items.parquet"), cases)
    locale = max(recipe.prompts.locales, key=lambda one: recipe.prompts.locales[one])
    tuned_on = list(load_catalogue(trained_on / "items.parquet").items.values())
    measure_fold(latest_cases(cases, trained, limit), locale, eval_context, out, tuned_on)


def _trained(
    name: str, recipe: Recipe, cases: Sequence[Case], lists: Sequence[Example] = ()
) -> frozenset[str]:
    """Users of the other datasets that share user ids with the one left out, on whom a model may be tuned: by
    cases (those of preferences, where it is aligned), or by lists of what they like.
    """
    people = {dataset: registry.find(dataset).people for dataset in recipe.data.datasets}
    domains = {
        registry.find(other).domain
        for other in recipe.data.datasets
        if other != name and people[other] == people[name]
    }
    by_cases = {case.user for case in cases if case.domain in domains and case.split != "test"}
    return frozenset(by_cases | {row.prompt.user for row in lists if row.prompt.domain in domains})


def _without(name: str, recipe: Recipe, wanted: DomainFoldOptions, place: Path) -> Path:
    """The recipe of the fold's training: the other datasets in equal parts, only what SFT needs, or DPO."""
    others = [other for other in recipe.data.datasets if other != name]
    rows = max(1, ROWS // len(others)) * len(others)
    data = {
        "datasets": others,
        "mixture_weights": dict.fromkeys(others, 1.0),
        "cross_domain": [],
        "train": rows,
        "preference": max(recipe.data.preference, len(others)) if wanted.align else len(others),
        "test": len(others),
    }
    sampling = {**recipe.candidates.sampling.model_dump(mode="json"), "max_tokens": 24}
    candidates = {} if wanted.align else {"answers": 2, "prompts": 1, "sampling": sampling}
    return _written(recipe, place / f"{wanted.recipe.stem}-without-{name}.yaml", data, candidates)


def _only(name: str, recipe: Recipe, wanted: DomainFoldOptions, place: Path) -> Path:
    """The recipe of the fold's test: only the dataset left out, a case for every user."""
    data = {
        "datasets": [name],
        "mixture_weights": {name: 1.0},
        "cross_domain": [],
        "train": _MOST,
        "preference": 1,
        "test": 1,
        "train_time_quantile": 1.0,
    }
    return _written(recipe, place / f"{wanted.recipe.stem}-only-{name}.yaml", data, {})


def _written(recipe: Recipe, path: Path, data: dict[str, Any], candidates: dict[str, Any]) -> Path:
    sections = dump_sections(recipe, Recipe.model_fields)
    sections["data"] |= data
    sections["candidates"] |= candidates
    write_atomically(path, to_yaml(sections))
    return path
