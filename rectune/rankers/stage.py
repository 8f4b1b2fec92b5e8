"""The stage `fit`: the rankers of every domain fitted, tuned and chosen among, and the catalogue's index."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path

from rectune.core.catalogue import load_catalogue
from rectune.core.extras import needs_extra
from rectune.core.figures.fit import HISTORY_LENGTHS, DomainChoice, DomainFit, FitFigures
from rectune.core.progress import progress, say
from rectune.core.recipe import Recipe
from rectune.core.rows import read_rows
from rectune.core.types import Case, Prompt
from rectune.rankers.choice import AskedUser, ChoiceOptions
from rectune.rankers.choose_weights import FEWEST
from rectune.rankers.chosen import ChosenRanker, ranker_folder
from rectune.rankers.domain_data import DomainData, train_likes
from rectune.rankers.fit_cache import FitCache, FittedData
from rectune.rankers.weighting import label_of
from rectune.retrieval.grounding import ground_in
from rectune.retrieval.index_scores import index_scores


@needs_extra("the stage fit")
def run(config: Recipe, inputs: Mapping[str, Path], out: Path) -> FitFigures:
    """Write index/ (LanceDB, the whole catalogue), and for each domain a folder that `ChosenRanker` loads.

    What an earlier run fitted on the same items and likes is taken from `rankers/` in the artifact store.
    """
    settings = config.fit
    catalogue = load_catalogue(inputs["data"] / "items.parquet")
    cases = read_rows(inputs["data"] / "cases.parquet", Case)
    asked = asked_users(cases, read_rows(inputs["queries"] / "prompts.parquet", Prompt))
    retrieval = config.retrieval
    index = ground_in(list(catalogue.items.values()), out / "index", retrieval.embedder, retrieval).index
    cache = FitCache(rankers_path(out))
    chosen: dict[str, DomainChoice] = {}
    with progress("fitting rankers", len(catalogue.domains), "domains") as advance:
        for domain in catalogue.domains:
            likes = partial(train_likes, inputs["data"], cases, domain)
            data = DomainData(domain, catalogue.of(domain), likes, retrieval.embedder, settings.seed)
            search = partial(index_scores, index, domain, data.place)
            options = ChoiceOptions(
                settings.rankers,
                settings.users,
                settings.seed,
                asked.get(domain, ()),
                search,
                cache,
                settings.warm_start,
            )
            found = ChosenRanker().fit_with(data, options)
            for name in found.rankers:
                folder = ranker_folder(chosen_path(out, domain), name)
                cache.write(name, found.choice.parameters.get(name, {}), FittedData(data), folder)
            found.save_choice(chosen_path(out, domain))
            chosen[domain] = found.choice
            say(f"{domain}: {choice_in_words(found.choice)}")
            advance(1)
    return FitFigures(
        domains={domain: _in_short(choice) for domain, choice in chosen.items()},
        reused=cache.reused,
        made=cache.made,
    )


def rankers_path(out: Path) -> Path:
    """The fitted rankers of the artifact store that the stage folder `out` is in."""
    return out.resolve().parent.parent / "rankers"


def choice_folder(inputs: Mapping[str, Path]) -> Path:
    """The folder of the last stage that chose what ranks: an index, and a choice for each domain.

    `allmrec_llm` where a recipe switches it on, else `fit`.
    """
    return inputs["allmrec_llm"] if "allmrec_llm" in inputs else inputs["fit"]


def chosen_path(fitted: Path, domain: str) -> Path:
    """The folder of a domain's choice in that of the stage (see `choice_folder`)."""
    return fitted / "domains" / domain


def asked_users(cases: Sequence[Case], prompts: Sequence[Prompt]) -> dict[str, list[AskedUser]]:
    """By domain the users of the preference split with a query; each once."""
    history = {(case.domain, case.user): case.history for case in cases if case.history_domain == case.domain}
    found: dict[str, dict[str, AskedUser]] = {}
    for prompt in prompts:
        if prompt.split == "preference" and prompt.query:
            past = history.get((prompt.domain, prompt.user), ())
            found.setdefault(prompt.domain, {}).setdefault(
                prompt.user, AskedUser(past, prompt.query, prompt.target)
            )
    return {domain: list(users.values()) for domain, users in found.items()}


def choice_in_words(choice: DomainChoice) -> str:
    """What ranks, for people."""
    by_length = [
        f"{length}: {label_of(one.chosen)}" + _why_default(one.cases, bool(one.tried), "held-out users")
        for length, one in ((length, choice.histories[length]) for length in HISTORY_LENGTHS)
    ]
    asked = choice.queries
    words = label_of(asked.chosen) + _why_default(asked.cases, bool(asked.tried), "users who asked")
    cases = choice.histories["0"].cases  # every held-out user, as if nothing were known
    return f"histories of {'; '.join(by_length)}; queries: {words}. {cases:,} held-out users"


def _why_default(cases: int, tried: bool, who: str) -> str:
    return "" if tried else f" (default: {cases} {who}, fewer than {FEWEST})"


def _in_short(choice: DomainChoice) -> DomainFit:
    return DomainFit(
        users=choice.users,
        likes=choice.likes,
        cases=choice.histories["5+"].cases,
        chosen={length: choice.histories[length].chosen.weights for length in HISTORY_LENGTHS},
        queries=choice.queries.chosen.weights,
        warm_started=choice.warm_started,
    )
