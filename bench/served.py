"""`python -m bench.served --data path/to/data [--datasets movielens] [--also sasrec_text]`: what is served.

The stages data and fit and the protocol `served` of eval on datasets of your own choice, without any language
model: which ranker or fusion validation users choose, and how what is served does on test users beside every
ranker alone. Fitted rankers are kept in `runs/rankers`. Prints the tables of the report.
"""

from __future__ import annotations

import argparse
import tempfile
from functools import partial
from pathlib import Path

from rectune.core.artifacts import ArtifactStore
from rectune.core.catalogue import load_catalogue
from rectune.core.figures.fit import DomainChoice, RankerWeights
from rectune.core.recipe import load_recipe
from rectune.core.rows import read_rows
from rectune.core.text.figures import with_ends
from rectune.core.text.tables import Table
from rectune.core.types import Case
from rectune.evaluation.served import measure_served
from rectune.evaluation.systems import EvalContext
from rectune.pipeline.run import RunOptions, run_pipeline
from rectune.rankers.choice import ChoiceOptions
from rectune.rankers.chosen import ChosenRanker
from rectune.rankers.domain_data import DomainData, train_likes
from rectune.rankers.eval_cases import passive_cases
from rectune.rankers.fit_cache import FitCache
from rectune.rankers.served_tables import served_tables
from rectune.rankers.stage import choice_in_words, chosen_path
from rectune.rankers.weighting import label_of


def main() -> None:
    """Fit, choose, measure, print."""
    arguments = _arguments()
    names = arguments.datasets.split(",")
    wanted = [
        f"data.root={arguments.data}",
        f"data.datasets=[{', '.join(names)}]",
        f"data.mixture_weights={{{', '.join(f'{name}: 1' for name in names)}}}",
        f"data.test={arguments.users * len(names)}",
        *("data.train=150", "data.preference=60", "data.train_time_quantile=1.0", "data.max_history=20"),
        f"data.seed={arguments.seed}",
    ]
    store, recipe = ArtifactStore(arguments.runs), Path("demo")
    config = load_recipe(recipe, [*wanted, f"evaluate.served={arguments.users}"])
    also = [name for name in arguments.also.split(",") if name]
    data = run_pipeline(RunOptions(recipe, wanted, "data"), store)["data"]
    catalogue, cases = load_catalogue(data / "items.parquet"), read_rows(data / "cases.parquet", Case)
    with tempfile.TemporaryDirectory() as place:
        fitted = Path(place) / "fit"
        for domain in catalogue.domains:
            likes = partial(train_likes, data, cases, domain)
            own = DomainData(domain, catalogue.of(domain), likes, config.retrieval.embedder, config.fit.seed)
            options = ChoiceOptions(
                [*config.fit.rankers, *also],
                config.fit.users,
                config.fit.seed,
                cache=FitCache(store.root / "rankers"),
            )
            found = ChosenRanker().fit_with(own, options)
            found.save(chosen_path(fitted, domain))
            print(f"{domain}: {choice_in_words(found.choice)}", flush=True)
            print(tried_table(found.choice).to_markdown(), end="\n\n", flush=True)
        test = [case for case in cases if case.split == "test"]
        tests = passive_cases(test, catalogue, dict.fromkeys(catalogue.domains, "en"))
        context = EvalContext(config, {"data": data, "fit": fitted}, catalogue, cases)
        metrics = measure_served(tests, context, Path(place))
    for table in served_tables(metrics, "demo"):
        print(table.to_markdown(), end="\n\n")


def tried_table(choice: DomainChoice) -> Table:
    """What was tried for histories of 5 and more: NDCG@10, and how far it is behind the best."""
    own = choice.histories["5+"]
    rows = [
        [
            label_of(RankerWeights(weights=one.weights, half_likes=one.half_likes)),
            with_ends(one.ndcg_at_10, one.interval),
            f"{one.behind:.4f} (standard error {one.behind_error:.4f})",
        ]
        for one in own.tried
    ]
    return Table(("ranker", "NDCG@10", "behind the best"), rows, f"{own.cases} validation users")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="the folder that holds one folder a dataset")
    parser.add_argument("--datasets", default="movielens,anime")
    parser.add_argument("--also", default="", help="rankers that are only fitted where they are named")
    parser.add_argument("--users", type=int, default=300, help="test users of each dataset")
    parser.add_argument("--seed", type=int, default=7, help="of the choice of test users")
    parser.add_argument("--runs", type=Path, default=Path("runs"))
    return parser.parse_args()


if __name__ == "__main__":
    main()
