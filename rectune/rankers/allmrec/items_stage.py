"""The stage `allmrec_items`: stage 1 of A-LLMRec in every domain, beside a frozen recommender."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

import numpy as np

from rectune.core.artifacts import generation_cache_path
from rectune.core.catalogue import load_catalogue
from rectune.core.extras import needs_extra
from rectune.core.figures.allmrec import AllmrecItemsFigures, JointTraining, TextLengths
from rectune.core.progress import progress, say
from rectune.core.recipe import Recipe
from rectune.core.rows import read_rows, write_rows
from rectune.core.settings import AllmrecConfig
from rectune.core.types import Case, content_id
from rectune.inference.teachers import AskTeachers, ask_teachers
from rectune.rankers.allmrec.items import say_cut
from rectune.rankers.allmrec.items_ranker import AllmrecItems
from rectune.rankers.allmrec.summaries import Summary, counted, with_summaries, write_summaries
from rectune.rankers.allmrec.validation import ValidatedDomain, wanted_domains
from rectune.rankers.domain_data import DomainData
from rectune.rankers.fit_cache import FitCache, all_arguments
from rectune.rankers.item_text import ItemTexts, TextOptions, texts_of
from rectune.rankers.sequential.ranker import SequentialRanker
from rectune.rankers.stage import rankers_path


@needs_extra("the stage allmrec_items")
def run(
    config: Recipe, inputs: Mapping[str, Path], out: Path, ask: AskTeachers = ask_teachers
) -> AllmrecItemsFigures:
    """Write for each domain a folder that `AllmrecItems` loads.

    It is trained without the users of the first holdout that `fit` chose on. What an earlier run fitted on
    the same likes and texts is taken from `rankers/` in the artifact store. What a teacher wrote of items
    whose texts are too long lies in `summaries.parquet`.

    Args:
        config: sections fit, allmrec, retrieval and generate.
        inputs: data, fit.
        out: of the stage.
        ask: answers requests to the teachers, where texts are to be summarised.
    """
    catalogue = load_catalogue(inputs["data"] / "items.parquet")
    cases = read_rows(inputs["data"] / "cases.parquet", Case)
    cache, settings = FitCache(rankers_path(out)), config.allmrec
    domains, found = wanted_domains(config, catalogue), dict[str, JointTraining]()
    summaries = list[Summary]()
    with progress("allmrec_items: training", len(domains), "domains") as advance:
        for name in domains:
            domain = ValidatedDomain.of(config, inputs, catalogue, cases, name)
            parameters = domain.choice.parameters.get(settings.recommender, {})
            texts, own = item_texts(domain.train.data, config, generation_cache_path(out), ask)
            summaries += own
            ranker = train_items(domain, settings, parameters, cache, texts)
            ranker.save(items_path(out, name))
            lengths = TextLengths(cut=len(texts.cut), **counted(own))
            found[name] = _figures(domain, ranker, parameters, lengths)
            advance(1)
    if settings.summarise:
        write_rows(out / "summaries.parquet", summaries, Summary)
    return AllmrecItemsFigures(
        recommender=settings.recommender, reused=cache.reused, made=cache.made, domains=found
    )


def items_path(stage: Path, domain: str) -> Path:
    """The folder of a domain's ranker in that of the stage."""
    return stage / "domains" / domain


def item_texts(
    data: DomainData, config: Recipe, generation_cache: Path, ask: AskTeachers
) -> tuple[ItemTexts, list[Summary]]:
    """What is read of each item of a domain, and what teachers wrote for it."""
    items = config.allmrec.items
    options = TextOptions(items.text, items.max_tokens)
    texts, summaries = texts_of(list(data.items.values()), options, data.embedder), list[Summary]()
    if config.allmrec.summarise and texts.cut:
        summaries = write_summaries(data, texts.cut, options, config.generate, generation_cache, ask)
        texts = with_summaries(data, texts, summaries, options)
    say_cut(data, texts, options)
    return texts, summaries


def train_items(
    domain: ValidatedDomain,
    settings: AllmrecConfig,
    parameters: Mapping[str, Any],
    cache: FitCache,
    texts: ItemTexts,
) -> AllmrecItems:
    """Stage 1 of one domain, now or in an earlier run; `parameters` are those of the recommender."""
    own = items_parameters(settings)
    recommender = cache.ranker(settings.recommender, parameters, domain.train)
    assert isinstance(recommender, SequentialRanker)  # so are all that the section can name
    texts_id = content_id(sorted(texts.texts.items()))
    given = all_arguments(settings.recommender, parameters)
    made_of = content_id(domain.train.identity(AllmrecItems.name), given, own, texts_id)

    def make(checkpoint: Path) -> AllmrecItems:
        return AllmrecItems(**own).fit_beside(recommender, domain.train.data, texts.texts)

    return cast(AllmrecItems, cache.kept(made_of, make, AllmrecItems))


def items_parameters(settings: AllmrecConfig) -> dict[str, Any]:
    """The arguments of `AllmrecItems` that a recipe stands for."""
    items = settings.items
    return {
        "recommender": settings.recommender,
        "text": items.text,
        "max_tokens": items.max_tokens,
        "positions": items.positions,
        "learning_rate": items.learning_rate,
        "batch_size": items.per_device_train_batch_size,
        "epochs": items.num_train_epochs,
        "seed": settings.seed,
        **items.losses.model_dump(),
    }


def _figures(
    domain: ValidatedDomain, ranker: AllmrecItems, parameters: Mapping[str, Any], texts: TextLengths
) -> JointTraining:
    joint, fold = ranker.joint, domain.fold
    if joint is None:
        say(f"  {domain.data.domain}: nobody liked two items, so nothing is trained")
    record = joint.record if joint else None
    best = record.best if record else 0
    return JointTraining(
        items=len(domain.data.items),
        cold=int(joint.cold.sum()) if joint else 0,
        texts=texts,
        users=len(np.unique(domain.train.data.likes.users)),
        validation_users=len(fold.users["0"]) if fold else 0,
        parameters=dict(parameters),
        losses={name: row[best - 1] for name, row in record.trained.items()} if record and best else {},
        held_out=tuple(record.held_out) if record else (),
        best_epoch=best,
    )
