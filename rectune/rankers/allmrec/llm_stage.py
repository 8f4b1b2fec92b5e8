"""The stage `allmrec_llm`: stage 2 of A-LLMRec, and whether what it makes ranks beside what `fit` chose."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path

from rectune.core.catalogue import load_catalogue
from rectune.core.extras import needs_extra
from rectune.core.figures.allmrec import AllmrecDomain, AllmrecLlmFigures, BesideChoice, SoftTraining
from rectune.core.figures.fit import DomainChoice, HistoryLength, RankerChoice
from rectune.core.figures.models import BaseFigures
from rectune.core.figures.read_records import read_figures
from rectune.core.progress import say
from rectune.core.recipe import Recipe
from rectune.core.rows import read_rows
from rectune.core.types import Case, Prompt
from rectune.models.distributed import (
    is_first,
    join_group,
    join_processes,
    process_count,
    take_own_device,
)
from rectune.rankers.base import Ranker
from rectune.rankers.chosen import ChosenRanker, ranker_folder
from rectune.rankers.fit_cache import FitCache, copy_linked
from rectune.rankers.stage import choice_in_words, chosen_path, rankers_path


@needs_extra("the stage allmrec_llm")
def run(config: Recipe, inputs: Mapping[str, Path], out: Path) -> AllmrecLlmFigures:
    """Train the rankers of every domain, compare them, and write what `fit` writes: index/, and for each
    domain a folder that `ChosenRanker` loads, with the new rankers among the others.

    Runs in one process or, under a launcher, in many, of which the first compares and writes; called again
    after a kill it goes on from the last checkpoint.

    Args:
        config: sections fit, allmrec and retrieval.
        inputs: data, queries, fit, allmrec_items; base and sft where the language model is theirs.
        out: of the stage.

    Raises:
        UserError: there is no such language model, or the loss spiked.
        RectuneError: weights changed that must not, or none did.
    """
    join_processes(0)  # before torch is imported
    from rectune.rankers.allmrec.forms import SoftForms, training_figures
    from rectune.rankers.allmrec.items_ranker import AllmrecItems
    from rectune.rankers.allmrec.items_stage import items_path
    from rectune.rankers.allmrec.validation import ValidatedDomain, wanted_domains
    from rectune.rankers.allmrec.wishes import train_queries

    settings, cache = config.allmrec, FitCache(rankers_path(out))
    catalogue = load_catalogue(inputs["data"] / "items.parquet")
    prompts = read_rows(inputs["queries"] / "prompts.parquet", Prompt)
    queries = {name: train_queries(prompts, name) for name in catalogue.domains}
    forms = SoftForms(settings, inputs, out / "trouble.json", cache, queries)
    if process_count() > 1:
        take_own_device()
        forms.open_language_model()  # every process makes its own checkpoint of it, if it has to be made
        join_group()
    cases = read_rows(inputs["data"] / "cases.parquet", Case)
    domains, found = dict[str, ValidatedDomain](), dict[str, dict[str, Ranker]]()
    figures = dict[str, AllmrecDomain]()
    for name in wanted_domains(config, catalogue):
        domain = domains[name] = ValidatedDomain.of(config, inputs, catalogue, cases, name)
        items = AllmrecItems.load(items_path(inputs["allmrec_items"], name))
        found[name], trained = {items.name: items}, dict[str, SoftTraining]()
        for form in settings.forms:
            ranker = forms.trained(form, items, domain.train)
            found[name][form], trained[form] = ranker, training_figures(ranker)
        figures[name] = AllmrecDomain(trained=trained, histories=domain.compared({}, 0, cache))
    if is_first():  # what follows needs no other process
        for name, new in found.items():
            fresh = {one: ranker for one, ranker in new.items() if one not in domains[name].names}
            histories = domains[name].compared(fresh, settings.users, cache)
            figures[name] = figures[name].model_copy(update={"histories": histories})
            write_choice(chosen_path(inputs["fit"], name), chosen_path(out, name), fresh, histories)
        copy_rest(inputs["fit"], out, [name for name in catalogue.domains if name not in found])
    return AllmrecLlmFigures(
        model=_model_name(config, inputs),
        tuned="sft" in inputs,
        processes=process_count(),
        reused=cache.reused,
        made=cache.made,
        domains=figures,
    )


def write_choice(
    before: Path, after: Path, new: Mapping[str, Ranker], histories: Mapping[HistoryLength, BesideChoice]
) -> None:
    """Write a domain's choice as it is now, with the rankers that were there and the new ones.

    Args:
        before: the folder of the choice that was there; its rankers are linked.
        after: the folder to write.
        new: the new rankers.
        histories: what was chosen with them.
    """
    shutil.rmtree(after, ignore_errors=True)
    found = ChosenRanker.load(before)
    copy_linked(before / "rankers", after / "rankers")
    for name, ranker in new.items():
        ranker.save(ranker_folder(after, name))
    choice = changed_choice(found.choice, histories)
    ChosenRanker().of(choice, {**found.rankers, **new}, found.co_likes).save_choice(after)
    say(f"{choice.domain}: {choice_in_words(choice)}")


def changed_choice(choice: DomainChoice, histories: Mapping[HistoryLength, BesideChoice]) -> DomainChoice:
    """The choice where something new is taken for some length; `tried` then has what is new as well."""
    taken = {
        length: RankerChoice(
            chosen=one.chosen,
            cases=one.cases,
            tried=(
                *(tried for tried in one.tried if not tried.are(one.before)),
                *choice.histories[length].tried,
            ),
        )
        for length, one in histories.items()
        if one.taken
    }
    return choice.model_copy(update={"histories": {**choice.histories, **taken}})


def copy_rest(fitted: Path, out: Path, domains: list[str]) -> None:
    """Link the index, and the choices of domains that stay as they are."""
    for name in ("index", *(str(chosen_path(Path(), domain)) for domain in domains)):
        shutil.rmtree(out / name, ignore_errors=True)
        copy_linked(fitted / name, out / name)


def _model_name(config: Recipe, inputs: Mapping[str, Path]) -> str:
    return read_figures(BaseFigures, inputs["base"]).model if "base" in inputs else config.allmrec.model
