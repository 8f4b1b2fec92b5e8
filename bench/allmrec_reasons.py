"""`python -m bench.allmrec_reasons`: the reasons that A-LLMRec's own language model writes, raw and checked.

Runs `recipes/allmrec.yaml` until `allmrec_llm` with the form `allmrec` (what is up to date is not made
again), takes for each of some users the item that `allmrec` ranks first, and lets its language model write
why, as `rectune recommend --ranker allmrec` does. Every text is printed with what the checks say of it, then
how many passed at the first attempt, and how many answers have a model's reason after all attempts.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from collections import Counter
from pathlib import Path

from rectune.core.progress import quiet
from rectune.core.stats.intervals import wilson
from rectune.recommender.explanation_request import ExplanationRequest
from rectune.recommender.explanations import CheckedReason, checked_reasons, plain_sentence
from rectune.recommender.ranker_reasons import RankerReasons
from rectune.recommender.reason_checks import IndexedTitles
from rectune.recommender.recommender import Recommender

RECIPE = Path(__file__).parents[1] / "recipes/allmrec.yaml"
SMALL = (
    "allmrec.forms=[allmrec]", "allmrec.users=0", "allmrec.num_candidates=10", "fit.users=0",
    "fit.rankers=[popularity,sasrec]",
)  # fmt: skip


def main() -> None:
    """Run, write, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=Path("samples"), help="a folder with movielens")
    parser.add_argument("--runs", type=Path, default=Path("runs/allmrec_reasons"))
    parser.add_argument("--cases", type=int, default=1000, help="that stage 2 is trained on")
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--users", type=int, default=20)
    given = parser.parse_args()
    own = (
        f"data.root={given.data}",
        f"allmrec.cases={given.cases}",
        f"allmrec.num_train_epochs={given.epochs}",
    )
    run = ["run", str(RECIPE), "--runs", str(given.runs), "--until", "allmrec_llm", *SMALL, *own]
    subprocess.run([sys.executable, "-m", "rectune", *run], check=True)
    with quiet():
        recommender = Recommender.from_run(
            str(RECIPE), "movies", ranker="allmrec", model="ranker", runs=given.runs
        )
        asked = [_asked(recommender, user) for user in sorted(recommender.users)[: given.users]]
        by_attempt = _written(recommender, asked)
    _print(asked, by_attempt)


def _asked(recommender: Recommender, user: str) -> ExplanationRequest:
    """Why the item that ranks first suits a user."""
    history = tuple(recommender.history_of(user))
    (first,) = recommender.recommend(history, k=1, explain=False)
    liked = tuple(recommender.items[item] for item in history)[-10:]
    return ExplanationRequest(recommender.items[first.item_id], liked, "", "en", history=history)


def _written(recommender: Recommender, asked: list[ExplanationRequest]) -> list[list[CheckedReason]]:
    """[attempts][requests] what the model wrote, as often as a recommender asks."""
    known = IndexedTitles(recommender.titles)
    own = RankerReasons(
        lambda one: recommender.rank_by.reason_writer(one.history, one.query), known, recommender.retrieval
    )
    tries = recommender.retrieval.attempts
    return [checked_reasons(asked, known, own.write, attempt) for attempt in range(tries)]


def _print(asked: list[ExplanationRequest], by_attempt: list[list[CheckedReason]]) -> None:
    for at, one in enumerate(asked):
        print(f"\n{at + 1}. {one.item.title} ({', '.join(one.item.categories)})")
        for written in by_attempt:
            print(
                f"   model: {written[at].text or '(nothing)'}\n          -> {written[at].fault or 'passes'}"
            )
        print(f"   template: {plain_sentence(one)}")
    first = Counter(one.fault or "passes" for one in by_attempt[0])
    passed = sum(any(not written[at].fault for written in by_attempt) for at in range(len(asked)))
    low, high = wilson(passed, len(asked))
    print(f"\nfirst attempt, of {len(asked)}:", ", ".join(f"{n} {fault}" for fault, n in first.most_common()))
    print(
        f"a reason of the model goes out, of {len(asked)}: {passed} ({low:.0%} to {high:.0%}), "
        f"with {len(by_attempt)} attempts"
    )


if __name__ == "__main__":
    main()
