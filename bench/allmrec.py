"""`make bench-allmrec DATA=path/to/data`: what A-LLMRec's first stage adds to its recommender.

MovieLens by the stage data, with 300 test users whom no ranker is fitted on. Each test user's next item is
ranked among 20, the others drawn uniformly (`evaluate` protocol `uniform`, five draws), by `sasrec`,
`sasrec_text` and `allmrec_items`, the latter with all items by the joint space as it ranks them, and with all
by the text tower alone; by `allmrec_items` trained in other ways, without each of its losses for one; and
with cold items last, where half of the drawn items are.
Shown is Hit@1 of all targets, of cold ones (liked no more than the 35 % least liked items) and of warm ones,
then what a training adds to that which it differs from by one thing, case by case; with 95 % intervals by a
bootstrap over users.

What was measured is kept, a line for each system and seed, in `runs/allmrec.jsonl`: a rerun goes on from
there. Fitted recommenders are kept in `runs/rankers`, vectors in `runs/allmrec-vectors.npz`.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from rectune.core.artifacts import ArtifactStore
from rectune.core.catalogue import load_catalogue
from rectune.core.recipe import load_recipe
from rectune.core.rows import read_rows
from rectune.core.settings import EvaluateConfig
from rectune.core.stats.metrics import UserBootstrap, hit_at, target_rank
from rectune.core.text.tables import Table
from rectune.core.types import Case, content_id
from rectune.evaluation.protocol import ranking_figures
from rectune.evaluation.ranking_tasks import CandidateSampler
from rectune.evaluation.user_groups import Groups, by_history_length
from rectune.pipeline.run import RunOptions, run_pipeline
from rectune.rankers.allmrec.items import By, JointItems
from rectune.rankers.allmrec.items_ranker import AllmrecItems
from rectune.rankers.base import Ranker, Scores
from rectune.rankers.domain_data import DomainData, TrainLikes, train_likes
from rectune.rankers.eval_cases import EvalCase, passive_cases
from rectune.rankers.fit_cache import FitCache, FittedData
from rectune.rankers.sequential.ranker import SequentialRanker
from rectune.rankers.sequential.sasrec import SasRec, SasRecText
from rectune.retrieval.embedding import Vectors, dimension, embed, register

STAGES: Mapping[str, Mapping[str, Any]] = {
    "allmrec_items": {},
    "last positions": {"positions": "last"},
    "last positions, rate 1e-3": {"positions": "last", "learning_rate": 1e-3},
    "without matching": {"matching": 0.0},
    "without recommendation": {"recommendation": 0.0},
    "without item reconstruction": {"item_reconstruction": 0.0},
    "without text reconstruction": {"text_reconstruction": 0.0},
    "rate 1e-3": {"learning_rate": 1e-3},
}
GROUPS = ("cold items", "warm items")
_READ: tuple[By, ...] = ("joint", "text")
LESS = (
    ("sasrec", "allmrec_items, joint"),
    ("sasrec", "cold items last"),
    ("sasrec_text", "beside sasrec_text, joint"),
    *(
        (f"{'rate 1e-3' if name.endswith(', rate 1e-3') else 'allmrec_items'}, {by}", f"{name}, {by}")
        for by in _READ
        for name in STAGES
        if name != "allmrec_items"
    ),
)
_DRAWS, _BOOTSTRAP = 5, 2000
_EMBEDDER, _KEPT_AT_ONCE = "embedded, kept", 1024
_QUICK: Mapping[str, Any] = {"epochs": 2}

Ranks = dict[str, dict[str, list[int]]]  # of a system, and in it of a case: one a draw


class ColdLast(AllmrecItems):
    """The same, but that cold items come last, as they do by a recommender that has no vectors of them."""

    def score_all(self, histories: Sequence[Sequence[str]]) -> Scores:
        """See `Ranker.score_all`."""
        assert self.joint is not None  # it is made of a trained one
        scores = super().score_all(histories)
        scores[:, self.joint.cold] = scores.min(1, keepdims=True) - 1
        return scores


@dataclass(frozen=True)
class Trial:
    """The data of one seed: what rankers are fitted on, and test cases with their candidates."""

    seed: int
    fitted: FittedData
    tests: Sequence[EvalCase]
    candidates: Mapping[str, Sequence[Sequence[str]]]
    groups: Groups

    def ranks(self, ranker: Ranker) -> dict[str, list[int]]:
        """The rank of each case's target in each draw."""
        found: dict[str, list[int]] = {}
        for test in self.tests:
            shown = self.candidates[test.case.id]
            scores = ranker.score([test.case.history] * len(shown), shown)
            found[test.case.id] = [
                target_rank(items, row.tolist(), test.case.target)
                for items, row in zip(shown, scores, strict=True)
            ]
        return found


def trial(root: Path, runs: Path, seed: int, users: int) -> Trial:
    """Run the stage data, and draw the candidates."""
    wanted = [
        f"data.root={root}", "data.datasets=[movielens]", "data.mixture_weights={movielens: 1}",
        f"data.test={users}", "data.train=150", "data.preference=60", "data.train_time_quantile=1.0",
        "data.max_history=50", f"data.seed={seed}",
    ]  # fmt: skip
    config = load_recipe(Path("demo"), wanted)
    data = run_pipeline(RunOptions(Path("demo"), wanted, "data"), ArtifactStore(runs))["data"]
    catalogue, cases = load_catalogue(data / "items.parquet"), read_rows(data / "cases.parquet", Case)
    [domain] = catalogue.domains
    likes = train_likes(data, cases, domain)

    def likes_of(_: str) -> TrainLikes:
        return likes

    test = [case for case in cases if case.split == "test"]
    tests = passive_cases(test, catalogue, {domain: "en"})
    pools = CandidateSampler(data, tests, likes_of)
    draw = partial(pools.drawn, protocol="uniform", seed=seed)
    candidates = {one.case.id: [draw(one, draw=n).candidates for n in range(_DRAWS)] for one in tests}
    own = DomainData(domain, catalogue.of(domain), lambda: likes, _EMBEDDER, config.fit.seed)
    return Trial(seed, FittedData(own), tests, candidates, by_history_length(tests, pools, likes_of))


class KeptVectors:
    """The embedder `embedded`, whose vectors are kept in a file: embedding is most of a rerun's time.

    Args:
        file: .npz of texts and vectors.
    """

    def __init__(self, file: Path) -> None:
        self._file = file
        self._kept: dict[str, Vectors] = {}
        if file.exists():
            with np.load(file, allow_pickle=False) as found:
                self._kept = dict(zip(found["texts"].tolist(), found["vectors"], strict=True))

    def __call__(self, texts: Sequence[str]) -> Vectors:
        """See `rectune.retrieval.embedding.embed`."""
        new = sorted(set(texts) - self._kept.keys())
        for start in range(0, len(new), _KEPT_AT_ONCE):
            some = new[start : start + _KEPT_AT_ONCE]
            self._kept.update(zip(some, embed(some), strict=True))
            partial_file = self._file.with_suffix(".partial.npz")
            np.savez(partial_file, texts=list(self._kept), vectors=np.stack(list(self._kept.values())))
            partial_file.replace(self._file)
        return np.stack([self._kept[text] for text in texts])


class Results:
    """What was measured, a line each; what is there already is not measured again.

    Args:
        file: JSON lines.
        settings: of the run; lines of other settings are left alone.
    """

    def __init__(self, file: Path, settings: object) -> None:
        self._file, self._of = file, content_id(settings)
        lines = file.read_text(encoding="utf-8").splitlines() if file.exists() else []
        rows = [json.loads(line) for line in lines if line.endswith("}")]
        self.kept = [row for row in rows if row["of"] == self._of]
        self.rows = list[dict[str, Any]]()

    def cell(self, seed: int, name: str, parameters: Mapping[str, Any], measure: Callable[[], Ranks]) -> None:
        """Measure a system of a seed, unless that was done with these parameters."""
        made_of = content_id(seed, name, dict(parameters))
        if any(row["made_of"] == made_of for row in self.kept):
            self.rows += [row for row in self.kept if row["made_of"] == made_of]
            return
        begun = time.process_time()
        ranks = measure()
        row = {
            "of": self._of, "made_of": made_of, "seed": seed, "cell": name, "ranks": ranks,
            "processor_seconds": round(time.process_time() - begun, 1),
        }  # fmt: skip
        self._file.parent.mkdir(parents=True, exist_ok=True)
        with self._file.open("a", encoding="utf-8") as opened:
            opened.write(json.dumps(row) + "\n")
        self.rows.append(row)
        print(f"seed {seed}, {name}: {row['processor_seconds']} processor seconds", flush=True)


def measure_all(one: Trial, results: Results, cache: FitCache, quick: bool) -> None:
    """All cells of a seed."""
    shorter = _QUICK if quick else {}

    def recommender(name: str) -> SequentialRanker:
        found = cache.ranker(name, shorter, one.fitted)
        assert isinstance(found, SequentialRanker)
        return found

    def trained(ranker: AllmrecItems) -> JointItems:
        ranker.fit_beside(recommender(ranker.parameters["recommender"]), one.fitted.data)
        assert ranker.joint is not None  # these users liked more than one item
        return ranker.joint

    def stage_1(parameters: Mapping[str, Any]) -> Ranks:
        joint = trained(AllmrecItems(**{**shorter, **parameters}))
        return {by: one.ranks(AllmrecItems(by=by).of(joint)) for by in _READ}

    def cold_last() -> Ranks:
        return {"": one.ranks(ColdLast().of(trained(AllmrecItems(**shorter))))}

    def alone(name: str) -> Ranks:
        return {"": one.ranks(recommender(name))}

    results.cell(one.seed, "sasrec", SasRec().parameters, partial(alone, "sasrec"))
    for name, parameters in STAGES.items():
        results.cell(one.seed, name, AllmrecItems(**parameters).parameters, partial(stage_1, parameters))
    results.cell(one.seed, "cold items last", AllmrecItems().parameters, cold_last)
    results.cell(one.seed, "sasrec_text", SasRecText().parameters, partial(alone, "sasrec_text"))
    beside: Mapping[str, Any] = {"recommender": "sasrec_text"}
    results.cell(one.seed, "beside sasrec_text", AllmrecItems(**beside).parameters, partial(stage_1, beside))


def tables(trials: Sequence[Trial], results: Results) -> list[Table]:
    """Hit@1 of each system over the users of all seeds, by group, and the differences of `LESS`."""
    users = {f"{one.seed}/{test.case.id}": test.case.user for one in trials for test in one.tests}
    groups = {"all": set(users)} | {
        group: {f"{one.seed}/{test.case.id}" for one in trials for test in one.groups.get(group, [])}
        for group in GROUPS
    }
    heads = [f"{name}, n = {len(some)}" for name, some in groups.items()]
    found = dict(_pooled(results.rows))
    rows = [
        [system, *(_figure(ranks, users, some) for some in groups.values())]
        for system, ranks in found.items()
    ]
    gaps = [
        [system, less, *(_gap(found[less], found[system], users, some) for some in groups.values())]
        for less, system in LESS
    ]
    return [Table(["system", *heads], rows), Table(["system", "less", *heads], gaps)]


def _pooled(rows: Sequence[Mapping[str, Any]]) -> Iterator[tuple[str, dict[str, list[int]]]]:
    """Each system and the ranks of all seeds' cases."""
    found: Ranks = {}
    for row in rows:
        for by, ranks in row["ranks"].items():
            system = f"{row['cell']}, {by}" if by else row["cell"]
            own = found.setdefault(system, {})
            own.update({f"{row['seed']}/{case}": one for case, one in ranks.items()})
    yield from found.items()


def _figure(ranks: Mapping[str, list[int]], users: Mapping[str, str], cases: Set[str]) -> str:
    found = {case: ranks[case] for case in sorted(cases)}
    if not found:
        return ""
    figures = ranking_figures(found, users, EvaluateConfig(bootstrap=_BOOTSTRAP))
    low, high = figures.interval
    return f"{figures.hit_at_1:.3f} ({low:.3f} to {high:.3f})"


def _gap(
    less: Mapping[str, list[int]], ranks: Mapping[str, list[int]], users: Mapping[str, str], cases: Set[str]
) -> str:
    """Hit@1 less that of another system, over the same cases and draws."""
    names = sorted(cases)
    if not names:
        return ""
    gap = np.array([(hit_at(ranks[name], 1) - hit_at(less[name], 1)).mean() for name in names])
    low, high = UserBootstrap([users[name] for name in names], _BOOTSTRAP, 0).interval(gap)
    return f"{gap.mean():+.3f} ({low:+.3f} to {high:+.3f})"


def main() -> None:
    """Fit, measure, print."""
    given = _arguments()
    users = 60 if given.quick else 300
    seeds = [int(seed) for seed in given.seeds.split(",")][: 1 if given.quick else None]
    results = Results(given.runs / "allmrec.jsonl", [_DRAWS, users, given.quick])
    cache, trials = FitCache(given.runs / "rankers"), list[Trial]()
    register(_EMBEDDER, dimension(), KeptVectors(given.runs / "allmrec-vectors.npz"), english=True)
    for seed in seeds:
        trials.append(trial(given.data, given.runs, seed, users))
        measure_all(trials[-1], results, cache, given.quick)
    for one in tables(trials, results):
        print(one.to_markdown())


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench.allmrec", description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="the folder that holds the folder movielens")
    parser.add_argument("--seeds", default="7", help="of the choice of test users, as 7,11")
    parser.add_argument("--quick", action="store_true", help="60 users, two epochs: shows that it runs")
    parser.add_argument("--runs", type=Path, default=Path("runs"))
    return parser.parse_args()


if __name__ == "__main__":
    main()
