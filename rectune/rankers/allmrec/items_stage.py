"""The stage `allmrec_items`: stage 1 of A-LLMRec in every domain, beside a frozen recommender."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

import numpy as np

from rectune.core.catalogue import load_catalogue
from rectune.core.extras import needs_extra
from rectune.core.figures.allmrec import AllmrecItemsFigures, JointTraining
from rectune.core.progress import progress, say
from rectune.core.recipe import Recipe
from rectune.core.rows import read_rows
from rectune.core.settings import AllmrecConfig
from rectune.core.types import Case, content_id
from rectune.rankers.allmrec.items_ranker import AllmrecItems
from rectune.rankers.allmrec.validation import ValidatedDomain, wanted_domains
from rectune.rankers.fit_cache import FitCache
from rectune.rankers.sequential.ranker import SequentialRanker
from rectune.rankers.stage import rankers_path


@needs_extra("the stage allmrec_items")
def run(config: Recipe, inputs: Mapping[str, Path], out: Path) -> AllmrecItemsFigures:
    """Write for each domain a folder that `AllmrecItems` loads.

    It is trained without the users of the first holdout that `fit` chose on. What an earlier run fitted on
    the same likes and texts is taken from `rankers/` in the artifact store.

    Args:
        config: sections fit, allmrec and retrieval.
        inputs: data, fit.
        out: of the stage.
    """
    catalogue = load_catalogue(inputs["data"] / "items.parquet")
    cases = read_rows(inputs["data"] / "cases.parquet", Case)
    cache, settings = FitCache(rankers_path(out)), config.allmrec
    domains, found = wanted_domains(config, catalogue), dict[str, JointTraining]()
    with progress("allmrec_items: training", len(domains), "domains") as advance:
        for name in domains:
            domain = ValidatedDomain.of(config, inputs, catalogue, cases, name)
            parameters = domain.choice.parameters.get(settings.recommender, {})
            ranker = train_items(domain, settings, parameters, cache)
            ranker.save(items_path(out, name))
            found[name] = _figures(domain, ranker, parameters)
            advance(1)
    return AllmrecItemsFigures(
        recommender=settings.recommender, reused=cache.reused, made=cache.made, domains=found
    )


def items_path(stage: Path, domain: str) -> Path:
    """The folder of a domain's ranker in that of the stage."""
    return stage / "domains" / domain


def train_items(
    domain: ValidatedDomain, settings: AllmrecConfig, parameters: Mapping[str, Any], cache: FitCache
) -> AllmrecItems:
    """Stage 1 of one domain, now or in an earlier run; `parameters` are those of the recommender."""
    own = items_parameters(settings)
    recommender = cache.ranker(settings.recommender, parameters, domain.train)
    assert isinstance(recommender, SequentialRanker)  # so are all that the section can name
    made_of = content_id(domain.train.identity(AllmrecItems.name), dict(parameters), own)

    def make(checkpoint: Path) -> AllmrecItems:
        return AllmrecItems(**own).fit_beside(recommender, domain.train.data)

    return cast(AllmrecItems, cache.kept(made_of, make, AllmrecItems))


def items_parameters(settings: AllmrecConfig) -> dict[str, Any]:
    """The arguments of `AllmrecItems` that a recipe stands for."""
    items = settings.items
    return {
        "recommender": settings.recommender,
        "text": items.text,
        "positions": items.positions,
        "learning_rate": items.learning_rate,
        "batch_size": items.per_device_train_batch_size,
        "epochs": items.num_train_epochs,
        "seed": settings.seed,
        **items.losses.model_dump(),
    }


def _figures(domain: ValidatedDomain, ranker: AllmrecItems, parameters: Mapping[str, Any]) -> JointTraining:
    joint, fold = ranker.joint, domain.fold
    if joint is None:
        say(f"  {domain.data.domain}: nobody liked two items, so nothing is trained")
    record = joint.record if joint else None
    best = record.best if record else 0
    return JointTraining(
        items=len(domain.data.items),
        cold=int(joint.cold.sum()) if joint else 0,
        users=len(np.unique(domain.train.data.likes.users)),
        validation_users=len(fold.users["0"]) if fold else 0,
        parameters=dict(parameters),
        losses={name: row[best - 1] for name, row in record.trained.items()} if record and best else {},
        held_out=tuple(record.held_out) if record else (),
        best_epoch=best,
    )
