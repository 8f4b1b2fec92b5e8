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
        users = sorted(recommender.users)[: given.users]
        _print_counts([_explained(recommender, user, at) for at, user in enumerate(users, 1)])


def _explained(recommender: Recommender, user: str, number: int) -> list[CheckedReason]:
    """[attempts] what the model wrote for a user, as often as a recommender asks; it is printed."""
    one = _asked(recommender, user)
    known = IndexedTitles(recommender.titles)
    own = RankerReasons(
        lambda one: recommender.rank_by.reason_writer(one.history, one.query), known, recommender.retrieval
    )
    print(f"\n{number}. {one.item.title} ({', '.join(one.item.categories)})")
    found = list[CheckedReason]()
    for attempt in range(recommender.retrieval.attempts):
        found += checked_reasons([one], known, own.write, attempt)
        print(f"   model: {found[-1].text or '(nothing)'}\n          -> {found[-1].fault or 'passes'}")
    print(f"   template: {plain_sentence(one)}", flush=True)
    return found


def _asked(recommender: Recommender, user: str) -> ExplanationRequest:
    """Why the item that ranks first suits a user."""
    history = tuple(recommender.history_of(user))
    (first,) = recommender.recommend(history, k=1, explain=False)
    liked = tuple(recommender.items[item] for item in history)[-10:]
    return ExplanationRequest(recommender.items[first.item_id], liked, "", "en", history=history)


def _print_counts(written: list[list[CheckedReason]]) -> None:
    first = Counter(some[0].fault or "passes" for some in written)
    passed = sum(any(not one.fault for one in some) for some in written)
    low, high = wilson(passed, len(written))
    told = ", ".join(f"{count} {fault}" for fault, count in first.most_common())
    print(f"\nfirst attempt, of {len(written)}: {told}")
    print(
        f"a reason of the model goes out, of {len(written)}: {passed} ({low:.0%} to {high:.0%}), "
        f"with {len(written[0])} attempts"
    )


if __name__ == "__main__":
    main()
