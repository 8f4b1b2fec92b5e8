"""`python -m bench.allmrec_llm --data path/to/data [--quick]`: A-LLMRec's stage 2, small model, few cases.

The stage data on MovieLens; SASRec and stage 1 on all likes of train users; stage 2 on a few hundred cases
with the embedded model. Then, for test users whom nothing was fitted on, the target among 19 other items that
are drawn alike (and, in a second column, by their likes), by: popularity, SASRec, `allmrec_items`, the
language model alone (the same prompt without vectors, untrained), and `allmrec`. Both of these by the sum and
by the mean of a title's log-probabilities. Fitted rankers, training and scores are kept below `--runs`: run
again, it goes on where it stopped. `--llmsrec` measures that ranker too. Prints Hit@1 with Wilson intervals.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch

from rectune.core.artifacts import ArtifactStore
from rectune.core.catalogue import load_catalogue
from rectune.core.rng import generator_of
from rectune.core.rows import read_rows
from rectune.core.types import Case
from rectune.pipeline.run import RunOptions, run_pipeline
from rectune.rankers.allmrec.items_ranker import AllmrecItems
from rectune.rankers.allmrec.likelihoods import answer_logs
from rectune.rankers.allmrec.llmsrec import LlmSRec
from rectune.rankers.allmrec.ranker import AllmRec
from rectune.rankers.allmrec.soft_ranker import SoftRanker
from rectune.rankers.base import Ranker
from rectune.rankers.domain_data import DomainData, train_likes
from rectune.rankers.popularity import Popularity
from rectune.rankers.sequential.sasrec import SasRec

DOMAIN, OTHERS = "movies", 19
Hits = dict[str, bool]


@dataclass(frozen=True)
class Ask:
    """A test user: the history, the target and the others, in no order that says anything."""

    kind: str
    history: tuple[str, ...]
    target: str
    candidates: tuple[str, ...]


def asks(cases: Sequence[Case], data: DomainData, count: int) -> list[Ask]:
    """For each of the first so many test users one with uniform others, and one with popular ones."""
    test = [case for case in cases if case.split == "test" and case.domain == case.history_domain == DOMAIN]
    shares = data.likes.counts / data.likes.counts.sum()
    found = []
    for case in sorted(test, key=lambda case: case.id)[:count]:
        for kind, weights in (("uniform", None), ("popular", shares)):
            rng = generator_of("bench allmrec", kind, case.id)
            drawn = rng.choice(len(data.items), 400, p=weights)
            known = {*case.history, case.target}
            others = [data.likes.item_ids[at] for at in dict.fromkeys(drawn.tolist())]
            others = [item for item in others if item not in known][:OTHERS]
            shown = tuple(sorted([*others, case.target]))
            found.append(Ask(kind, case.history, case.target, shown))
    return found


def fitted(folder: Path, kind: type[Ranker], fit: Callable[[], Ranker]) -> Ranker:
    """What is in the folder; else it is fitted and saved there."""
    if (folder / "ranker.json").exists():
        return kind.load(folder)
    begun = time.process_time()
    ranker = fit()
    ranker.save(folder)
    print(f"{kind.name}: fitted in {time.process_time() - begun:.0f} processor s", flush=True)
    return ranker


def soft(kind: type[SoftRanker], items: AllmrecItems, data: DomainData, folder: Path, **given: Any) -> Ranker:
    """Stage 2, trained; goes on after an interruption."""

    def fit() -> Ranker:
        ranker = kind(**given)
        ranker.checkpoint = folder.with_suffix(".training")
        ranker.fit_beside(items, data)
        print(f"{kind.name}: {asdict(ranker.record)}", flush=True)
        return ranker

    return fitted(folder, kind, fit)


@torch.no_grad()
def by_likelihood(ranker: AllmRec, ask: Ask, vectors: bool) -> Hits:
    """Whether the target comes first, by the sum and by the mean; without vectors the model is alone."""
    prompt = ranker.writer.choose(ask.history, ask.candidates)
    if not vectors:
        ids = tuple(token for token in prompt.ids if token >= 0)
        prompt = replace(prompt, ids=ids, items=(), history=())
    answers = [ranker.writer.answer(item) for item in ask.candidates]
    logs = answer_logs(ranker.language_model, ranker.inputs([prompt])[0], answers)
    name = "allmrec" if vectors else "language model alone"
    return {
        f"{name}, {how}": first(ask, [float(total(row)) for row in logs])
        for how, total in (("sum", np.sum), ("mean", np.mean))
    }


def first(ask: Ask, scores: Sequence[float]) -> bool:
    """Whether the target scores higher than all others."""
    at = ask.candidates.index(ask.target)
    return all(scores[at] > score for other, score in enumerate(scores) if other != at)


def measured(file: Path, asked: Sequence[Ask], systems: Sequence[Callable[[Ask], Hits]]) -> list[Hits]:
    """The hits of every case; each is written when it is there."""
    known = [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []
    with file.open("a") as stream:
        for ask in asked[len(known) :]:
            known.append({name: hit for system in systems for name, hit in system(ask).items()})
            print(json.dumps(known[-1]), file=stream, flush=True)
    return known


def table(asked: Sequence[Ask], hits: Sequence[Hits]) -> str:
    """Hit@1 of each system, with 95 % Wilson intervals."""
    from rectune.core.stats.intervals import wilson

    lines = ["| | uniform others | popular others |", "|---|---|---|"]
    for name in hits[0]:
        cells = []
        for kind in ("uniform", "popular"):
            mine = [row[name] for ask, row in zip(asked, hits, strict=True) if ask.kind == kind]
            low, high = wilson(sum(mine), len(mine))
            cells.append(f"{np.mean(mine):.2f} ({low:.2f} to {high:.2f})")
        lines.append(f"| {name} | {' | '.join(cells)} |")
    return "\n".join(lines)


def main() -> None:
    """Fit, train, score, print."""
    given = _arguments()
    torch.set_num_threads(1)
    place = (
        given.runs
        / "bench-allmrec"
        / "-".join(
            str(value) for value in (given.model, given.cases, given.epochs, given.users, given.sasrec_epochs)
        ).replace("/", "_")
    )
    place.mkdir(parents=True, exist_ok=True)
    wanted = [
        f"data.root={given.data}", "data.datasets=[movielens]", "data.mixture_weights={movielens: 1}",
        f"data.test={given.users}", "data.train=150", "data.preference=60", "data.train_time_quantile=1.0",
        "data.max_history=20",
    ]  # fmt: skip
    out = run_pipeline(RunOptions(Path("demo"), wanted, "data"), ArtifactStore(given.runs))["data"]
    catalogue, cases = load_catalogue(out / "items.parquet"), read_rows(out / "cases.parquet", Case)
    data = DomainData(DOMAIN, catalogue.of(DOMAIN), partial(train_likes, out, cases, DOMAIN))
    sasrec = fitted(place / "sasrec", SasRec, lambda: SasRec(epochs=given.sasrec_epochs).fit(data))
    assert isinstance(sasrec, SasRec)
    items = fitted(place / "items", AllmrecItems, lambda: AllmrecItems().fit_beside(sasrec, data))
    assert isinstance(items, AllmrecItems)
    how = {"model": given.model, "cases": given.cases, "epochs": given.epochs}
    whole = soft(AllmRec, items, data, place / "allmrec", **how)
    assert isinstance(whole, AllmRec)
    plain: list[Ranker] = [Popularity().fit(data), sasrec, items]
    if given.llmsrec:
        plain.append(soft(LlmSRec, items, data, place / "llmsrec", **how))

    def alone(ranker: Ranker, ask: Ask) -> Hits:
        return {ranker.name: first(ask, ranker.score([ask.history], [ask.candidates])[0].tolist())}

    systems = [*(partial(alone, ranker) for ranker in plain)]
    systems += [partial(by_likelihood, whole, vectors=vectors) for vectors in (False, True)]
    asked = asks(cases, data, given.users)
    begun = time.process_time()
    hits = measured(place / f"hits{'-llmsrec' * given.llmsrec}.jsonl", asked, systems)
    print(f"{len(asked)} cases, scored in {time.process_time() - begun:.0f} processor s")
    print(table(asked, hits))


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench.allmrec_llm", description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="the folder that holds movielens/")
    parser.add_argument("--model", default="embedded")
    parser.add_argument("--cases", type=int, default=300, help="that stage 2 is trained on")
    parser.add_argument("--epochs", type=int, default=1, help="of stage 2")
    parser.add_argument("--users", type=int, default=100, help="test users")
    parser.add_argument("--sasrec-epochs", type=int, default=60)
    parser.add_argument("--llmsrec", action="store_true")
    parser.add_argument("--quick", action="store_true", help="a try: 16 cases, 5 users, 2 epochs of SASRec")
    parser.add_argument("--runs", type=Path, default=Path("runs"))
    given = parser.parse_args()
    if given.quick:
        given.cases, given.users, given.sasrec_epochs = 16, 5, 2
    return given


if __name__ == "__main__":
    main()
