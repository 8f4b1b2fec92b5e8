"""Two tastes: everybody likes all items of one half of a catalogue whose titles say nothing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import polars as pl

from rectune.core.catalogue import load_catalogue
from rectune.core.recipe import Recipe
from rectune.core.rows import read_rows, write_rows
from rectune.core.settings import EvaluateConfig, RetrievalConfig
from rectune.core.tables import interaction_schema, item_schema, user_schema
from rectune.core.types import Case, Prompt, with_id
from rectune.evaluation.systems import EvalContext
from rectune.rankers.choice import ChoiceOptions
from rectune.rankers.chosen import ChosenRanker
from rectune.rankers.domain_data import DomainData, train_likes
from rectune.rankers.eval_cases import EvalCase
from rectune.rankers.stage import chosen_path

HALF = 12
FIRST, SECOND = tuple(range(HALF)), tuple(range(HALF, 2 * HALF))
RANKERS = ("popularity", "bm25", "item_knn")


@dataclass(frozen=True)
class People:
    """One domain: what users like, oldest first, by places of items; a test user's last like is the target.

    `met` is what a test user met and did not like.
    """

    items: int
    train: Sequence[Sequence[int]]
    test: Sequence[Sequence[int]]
    met: Mapping[int, Sequence[int]] = field(default_factory=dict)


def two_tastes(test: Sequence[Sequence[int]], met: Mapping[int, Sequence[int]] | None = None) -> People:
    """Thirty train users of each taste."""
    return People(2 * HALF, [FIRST] * 30 + [SECOND] * 30, test, met or {})


def item(domain: str, place: int) -> str:
    """The id of an item."""
    return f"{domain}-{place:02}"


def write(root: Path, domains: Mapping[str, People]) -> dict[str, Path]:
    """The folders `data`, `queries` and `fit`."""
    data = root / "data"
    data.mkdir(parents=True)
    items, users, events, cases = [], [], [], []
    for domain, people in domains.items():
        for at in range(people.items):
            items.append((domain, at, item(domain, at), f"word{at}", [], "", None, "{}", "", []))
        everybody = [*people.train, *people.test]
        for code, likes in enumerate(everybody):
            place = code - len(people.train)
            users.append((domain, code, f"u{code}", "{}"))
            times = [*((at, True) for at in likes), *((at, False) for at in people.met.get(place, ()))]
            for order, (at, liked) in enumerate(times):
                time = 1000 * (order + 1)
                events.append((domain, code, at, 5.0 if liked else 1.0, "rating", time, order, liked))
        cases += [_case(domain, people, place) for place in range(len(people.test))]
    pl.DataFrame(items, item_schema(), orient="row").write_parquet(data / "items.parquet")
    pl.DataFrame(users, user_schema(), orient="row").write_parquet(data / "users.parquet")
    schema = {**interaction_schema(), "liked": pl.Boolean()}
    pl.DataFrame(events, schema, orient="row").write_parquet(data / "interactions.parquet")
    write_rows(data / "cases.parquet", cases, Case)
    return {"data": data}


def _case(domain: str, people: People, place: int) -> Case:
    """Its history is the last two likes alone; its candidates are the target and what the user never met."""
    *history, target = people.test[place]
    known = {*people.test[place], *people.met.get(place, ())}
    others = [at for at in range(people.items) if at not in known][:4]
    candidates = tuple(item(domain, at) for at in (*others, target))
    past = tuple(item(domain, at) for at in history[-2:])
    user = f"u{len(people.train) + place}"
    return with_id(Case("", domain, user, "test", past, item(domain, target), candidates, True, domain))


def fit(root: Path, inputs: dict[str, Path], domains: Sequence[str], embedder: str = "embedded") -> Path:
    """The folder that the stage `fit` would write."""
    cases = read_rows(inputs["data"] / "cases.parquet", Case)
    catalogue = load_catalogue(inputs["data"] / "items.parquet")
    for domain in domains:
        likes = train_likes(inputs["data"], cases, domain)
        data = DomainData(domain, catalogue.of(domain), lambda likes=likes: likes, embedder)
        ranker = ChosenRanker().fit_with(data, ChoiceOptions(RANKERS, 60, 7))
        ranker.save(chosen_path(root / "fit", domain))
    return root / "fit"


def context(inputs: Mapping[str, Path], **settings: object) -> EvalContext:
    """Of the stage `eval`."""
    evaluate = EvaluateConfig(**{"bootstrap": 200, **settings})  # type: ignore[arg-type]
    config = Recipe.model_construct(evaluate=evaluate, retrieval=RetrievalConfig())
    cases = read_rows(inputs["data"] / "cases.parquet", Case)
    return EvalContext(config, inputs, load_catalogue(inputs["data"] / "items.parquet"), cases)


def cases_of(eval_context: EvalContext) -> list[EvalCase]:
    """The test cases, each with a prompt that nobody reads."""
    return [EvalCase(case, _prompt(case)) for case in eval_context.cases]


def _prompt(case: Case) -> Prompt:
    words = ("direct", "en", "test", case.user, "", "", case.history, (), case.target, "", "t", case.domain)
    return with_id(Prompt("", case.domain, "passive", *words))  # type: ignore[arg-type]
