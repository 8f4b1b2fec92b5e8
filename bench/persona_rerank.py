"""`python -m bench.persona_rerank [--users 30] [--model embedded]`: re-ranking by a persona, measured.

The stage `data` on the samples; a ranker is chosen on train users, of three that are fitted in seconds. The
persona of a validation or a test user is made of the categories that are more frequent in their history than
in the catalogue. A judge scores the 20 candidates of each user (`rectune.dialogue.item_judges`): code by the
claims, and the model by both prompts. Its weight beside the ranker is chosen on validation users, and
measured on test users, with 95 % intervals of the paired differences. `less neutral`: less the score of the
same item where nothing is known of the person. Prints Markdown, with tokens and processor time.
"""

from __future__ import annotations

import argparse
import math
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import numpy as np

from rectune.core.artifacts import ArtifactStore
from rectune.core.catalogue import load_catalogue
from rectune.core.item_values import categories_of
from rectune.core.progress import progress
from rectune.core.recipe import load_recipe
from rectune.core.rows import read_rows
from rectune.core.settings import EngineConfig
from rectune.core.stats.metrics import UserBootstrap, hit_at, ndcg_at, target_rank
from rectune.core.types import Case, Item, Locale
from rectune.dialogue.item_judges import ClaimJudge, ModelJudge
from rectune.dialogue.knowledge import Claim
from rectune.dialogue.reranking import persona_weight
from rectune.inference.llamacpp import LlamaEngine
from rectune.models.reference import gguf_file
from rectune.pipeline.run import RunOptions, run_pipeline
from rectune.prompts.rerank_prompts import RERANK_PROMPTS, RerankPrompt
from rectune.rankers.base import Scores
from rectune.rankers.choice import ChoiceOptions
from rectune.rankers.chosen import ChosenRanker
from rectune.rankers.domain_data import DomainData, train_likes
from rectune.rankers.rerank import fused_scores
from rectune.rankers.stage import choice_in_words

_CLAIMS, _LEAST = 6, 2  # claims of a persona, and items of the history that one needs
_ROUNDS = 2000


def lift_claims(history: Sequence[Item], catalogue: Sequence[Item]) -> list[Claim]:
    """The categories that are more frequent in a history than in the catalogue, the surest first."""
    own = Counter(one for item in history for one in categories_of(item).values())
    every = Counter(one for item in catalogue for one in categories_of(item).values())
    lifts = {name: count / len(history) / (every[name] / len(catalogue)) for name, count in own.items()}
    able = [name for name, count in own.items() if count >= _LEAST and lifts[name] > 1]
    able.sort(key=lambda name: (-own[name] * math.log(lifts[name]), name))
    return [
        Claim(name, "likes", "category", name, count=own[name], of=len(history), lift=lifts[name])
        for name in able[:_CLAIMS]
    ]


@dataclass(frozen=True)
class Users:
    """Users with candidates, scored by the ranker and by judges."""

    cases: Sequence[Case]
    targets: Sequence[int]
    ranking: Sequence[Scores]
    judged: dict[str, list[Scores]] = field(default_factory=dict)

    def ranks(self, name: str, weight: float) -> list[int]:
        """The ranks of the targets under the ranking fused with a judge."""
        own = self.judged.get(name, self.ranking)
        return [
            target_rank(list(case.candidates), list(fused_scores(base, scores, weight)), case.target)
            for case, base, scores in zip(self.cases, self.ranking, own, strict=True)
        ]


@dataclass(frozen=True)
class Cost:
    """What the prompts of a judge took: tokens evaluated and seconds of processor time, for so many users."""

    tokens: int
    seconds: float
    users: int


def judged_by_model(
    users: Sequence[Users],
    claims: Mapping[str, list[Claim]],
    items: Mapping[str, Item],
    model: Path,
    prompts: Sequence[RerankPrompt],
    locale: Locale,
) -> dict[str, Cost]:
    """Score all candidates by both prompts, with and without what is known of the user."""
    costs = dict[str, Cost]()
    with LlamaEngine(model, EngineConfig(context=1536, max_num_seqs=4, threads=1)) as engine:
        for prompt in prompts:
            judge, neutral = ModelJudge(engine, prompt, locale), dict[str, float]()
            every = [(some, case) for some in users for case in some.cases]
            before, start = engine.evaluated_prompt_tokens, time.process_time()
            with progress(f"{prompt} prompt", len(every), "users") as advance:
                for some, case in every:
                    shown = [items[one] for one in case.candidates]
                    some.judged.setdefault(prompt, []).append(np.array(judge.scores(claims[case.id], shown)))
                    advance(1)
            spent = time.process_time() - start
            costs[prompt] = Cost(engine.evaluated_prompt_tokens - before, spent, len(every))
            for some, case in every:
                for one in case.candidates:
                    if one not in neutral:
                        neutral[one] = judge.scores([], [items[one]])[0]
                less = np.array([neutral[one] for one in case.candidates])
                at = len(some.judged.setdefault(f"{prompt}, less neutral", []))
                some.judged[f"{prompt}, less neutral"].append(some.judged[prompt][at] - less)
    return costs


def report(validation: Users, test: Users, costs: Mapping[str, Cost]) -> str:
    """The tables: test users with and without each judge, and what its prompts cost."""
    bootstrap = UserBootstrap([case.user for case in test.cases], _ROUNDS, 0)
    plain = test.ranks("", 0.0)
    lines = [
        "| judge | weight | best weight | Hit@1 of 20 | NDCG@10 | difference of NDCG@10 |",
        "|---|---:|---:|---:|---:|---|",
        f"| none: the ranker | | | {hit_at(plain, 1).mean():.3f} | {ndcg_at(plain, 10).mean():.3f} | |",
    ]
    for name, scores in validation.judged.items():
        chosen = persona_weight(validation.ranking, scores, validation.targets)
        for said, weight in ((f"{chosen.weight:.1f}", chosen.best), ("alone", 1.0)):
            ranks = test.ranks(name, weight)
            differences = ndcg_at(ranks, 10) - ndcg_at(plain, 10)
            low, high = bootstrap.interval(differences)
            lines.append(
                f"| {name} | {said} | {weight:.1f} | {hit_at(ranks, 1).mean():.3f} | "
                f"{ndcg_at(ranks, 10).mean():.3f} | {differences.mean():+.3f} ({low:+.3f} to {high:+.3f}) |"
            )
    lines += ["", "| prompt | tokens a user | seconds of processor time a user |", "|---|---:|---:|"]
    lines += [
        f"| {name} | {cost.tokens / cost.users:,.0f} | {cost.seconds / cost.users:.1f} |"
        for name, cost in costs.items()
    ]
    return "\n".join(lines)


def main() -> None:
    """Cut cases, fit, judge, print."""
    arguments = _arguments()
    names = arguments.datasets.split(",") if arguments.datasets else []
    wanted = [
        *([f"data.datasets=[{arguments.datasets}]"] if names else []),
        *([f"data.mixture_weights={{{', '.join(f'{name}: 1' for name in names)}}}"] if names else []),
        f"data.test={arguments.users}", f"data.preference={arguments.users}", "data.train=20",
        "data.max_history=10", "fit.rankers=[popularity, ease, bm25]",
    ]  # fmt: skip
    recipe, store = Path(arguments.recipe), ArtifactStore(arguments.runs)
    data = run_pipeline(RunOptions(recipe, wanted, "data"), store)["data"]
    config, catalogue = load_recipe(recipe, wanted), load_catalogue(data / "items.parquet")
    cases = read_rows(data / "cases.parquet", Case)
    (domain,) = catalogue.domains
    items = {item.item_id: item for item in catalogue.of(domain)}
    own = DomainData(domain, list(items.values()), partial(train_likes, data, cases, domain))
    ranker = ChosenRanker().fit_with(
        own, ChoiceOptions(config.fit.rankers, config.fit.users, config.fit.seed)
    )
    print(f"{domain}: {choice_in_words(ranker.choice)}\n", flush=True)
    usable = [case for case in cases if case.history_domain == domain and case.split != "train"]
    claims = {
        case.id: lift_claims([items[one] for one in case.history if one in items], list(items.values()))
        for case in usable
    }
    known = [case for case in usable if claims[case.id]]
    validation, test = (
        _users(ranker, [case for case in known if case.split == split]) for split in ("preference", "test")
    )
    for some in (validation, test):
        some.judged["claims (code)"] = [
            np.array(ClaimJudge().scores(claims[case.id], [items[one] for one in case.candidates]))
            for case in some.cases
        ]
    print(f"{len(validation.cases)} validation users, {len(test.cases)} test users", end="; ")
    print(f"{len(usable) - len(known)} others have no category more often than the catalogue\n", flush=True)
    locale: Locale = "ko" if arguments.recipe.endswith("ko") else "en"
    costs = dict[str, Cost]()
    if arguments.model != "none":
        costs = judged_by_model(
            (validation, test), claims, items, gguf_file(arguments.model), arguments.prompts, locale
        )
    print(report(validation, test, costs))


def _users(ranker: ChosenRanker, cases: Sequence[Case]) -> Users:
    scores = ranker.score([case.history for case in cases], [case.candidates for case in cases])
    return Users(cases, [case.candidates.index(case.target) for case in cases], scores)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench.persona_rerank", description=__doc__)
    parser.add_argument("--recipe", default="demo", help="demo-ko for Korean")
    parser.add_argument("--datasets", default="movielens", help='"" for those of the recipe')
    parser.add_argument("--users", type=int, default=30, help="validation users, and as many test users")
    parser.add_argument("--model", default="embedded", help="a model reference; none judges by code alone")
    parser.add_argument("--prompts", nargs="+", choices=RERANK_PROMPTS, default=RERANK_PROMPTS)
    parser.add_argument("--runs", type=Path, default=Path("runs"))
    return parser.parse_args()


if __name__ == "__main__":
    main()
