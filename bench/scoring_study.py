"""`python -m bench.scoring_study --data PATH`: what a language model should score a title by when it ranks.

PATH holds the folders `movielens` and `anime`. The model ranks each test user's next item among 20, scored in
many ways: alone, and fused with rankers that need no language model. All weights (of what is subtracted, of
the fusion) are chosen by mean reciprocal rank on users who are in no test. Every log-likelihood is kept in
runs/scoring-study/, so that an interrupted run goes on and a second one needs minutes. Prints Markdown.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np

from bench.scoring_prompts import Study, Titles, collect, read_study, titles_of
from bench.scoring_tables import Evaluation, alone_table, beside_table, figures_of, targets_of
from bench.scoring_variants import Mask, ScoredTitles, Tokens, branching, dated_variants, leading, variants
from rectune.core.settings import EngineConfig
from rectune.inference.llamacpp import LlamaEngine
from rectune.inference.vocabulary import opened_vocabulary
from rectune.models.reference import gguf_file
from rectune.rankers.base import RANKERS, Scores, fit_ranker
from rectune.rankers.domain_data import DomainData
from rectune.rankers.eval_cases import EvalCase, by_domain
from rectune.rankers.fusion import best_weight, fused
from rectune.rankers.score_cache import ScoreCache

_FOLDER = Path("runs/scoring-study")
BESIDE = ("hybrid", "ease", "hybrid and ease")


def companions(study: Study) -> dict[str, dict[str, Scores]]:
    """Ranker -> case id -> scores of its candidates; the weight of the last one is chosen too."""
    everything = [*study.tuning, *study.tests]
    found: dict[str, dict[str, Scores]] = {"hybrid": {}, "ease": {}, "popularity": {}}
    for domain, group in by_domain(everything).items():
        histories, shown = [t.case.history for t in group], [t.case.candidates for t in group]
        data = study.domains[domain]
        rows = {name: fit_ranker(name, data).score(histories, shown) for name in ("hybrid", "popularity")}
        rows["ease"] = _ease(data, histories, shown)
        for name, scores in rows.items():
            found[name] |= {t.case.id: row for t, row in zip(group, scores, strict=True)}

    def both(weight: float, cases: Sequence[EvalCase]) -> list[Scores]:
        ids = [test.case.id for test in cases]
        return [fused(found["hybrid"][one], found["ease"][one], weight) for one in ids]

    weight = best_weight(lambda w: both(w, study.tuning), targets_of(study.tuning), 0.5)
    print(f"`hybrid and ease`: weight of `hybrid` {weight:.1f}\n")
    ids = [test.case.id for test in everything]
    return found | {BESIDE[2]: dict(zip(ids, both(weight, everything), strict=True))}


def _ease(
    data: DomainData, histories: Sequence[Sequence[str]], shown: Sequence[Sequence[str]]
) -> list[Scores]:
    """EASE (Steck 2019), lambda 300, over the items that somebody liked; goes when `RANKERS` has one."""
    if "ease" in RANKERS:
        return fit_ranker("ease", data).score(histories, shown)
    liked = np.flatnonzero(data.likes.counts)
    place = {data.likes.item_ids[item]: at for at, item in enumerate(liked)}
    matrix = data.likes.matrix[:, liked]
    gram = (matrix.T @ matrix).toarray().astype(np.float32)
    gram[np.diag_indices(len(liked))] += 300
    inverse = np.linalg.inv(gram)
    weights = -inverse / np.diag(inverse)
    np.fill_diagonal(weights, 0)
    rows = [weights[[place[i] for i in history if i in place]].sum(axis=0) for history in histories]
    return [
        np.array([row[place[i]] if i in place else 0.0 for i in case], np.float64)
        for row, case in zip(rows, shown, strict=True)
    ]


def with_masks(study: Study, logs: Mapping[str, Titles], model: Path) -> dict[str, ScoredTitles]:
    """Each case with the tokens that count."""
    with opened_vocabulary(model) as vocabulary:

        def tokens(titles: Sequence[str]) -> list[Tokens]:
            return [tuple(vocabulary.plain(title)) for title in titles]

        whole = {
            domain: branching(tokens(titles_of(domain, list(data.items), study.catalogue, with_year=False)))
            for domain, data in study.domains.items()
        }
        found = {}
        for test in (*study.tuning, *study.tests):
            domain, items = test.case.domain, test.case.candidates
            plain, dated = (titles_of(domain, items, study.catalogue, years) for years in (False, True))
            bare = tokens([title.partition(" (")[0] or title for title in plain])
            own = tokens(plain)
            masks = _masks(own, bare, whole[domain])
            if "dated" in logs[test.case.id]:
                masks |= _dated_masks(tokens(dated), own)
            found[test.case.id] = ScoredTitles(logs[test.case.id], masks)
    return found


def _masks(
    own: Sequence[Tokens], bare: Sequence[Tokens], whole: Callable[[Tokens], Mask]
) -> dict[str, list[Mask]]:
    among = branching(own)
    return {
        "all": [np.ones(len(title), np.bool_) for title in own],
        "candidates": [among(title) for title in own],
        "catalogue": [whole(title) for title in own],
        "no brackets": [leading(title, part) for title, part in zip(own, bare, strict=True)],
    }


def _dated_masks(dated: Sequence[Tokens], own: Sequence[Tokens]) -> dict[str, list[Mask]]:
    return {
        "dated": [np.ones(len(title), np.bool_) for title in dated],
        "undated": [leading(title, part) for title, part in zip(dated, own, strict=True)],
    }


def report(study: Study, titles: Mapping[str, ScoredTitles]) -> None:
    """Print every table."""
    beside = companions(study)
    found = Evaluation(study.tests, study.tuning, titles, variants(), beside)
    counts = {domain: len(group) for domain, group in by_domain(study.tests).items()}
    print(f"{len(study.tests)} test users {counts}, weights chosen on {len(study.tuning)} others\n")
    print(f"plain `popularity`: Hit@1 {figures_of(found.other('popularity').ranks, found.resampled)[0]}\n")
    print(f"alone\n\n{alone_table(found, variants(), study.tests)}")
    rows = [(variant, found.beside, "") for variant in variants()]
    twice = [one for one in variants() if one.less and one.name in ("mean", "sum")]
    rows += [(variant, found.together, ", both weights at once") for variant in twice]
    for name in BESIDE:
        print(f"beside `{name}`\n\n{beside_table(name, found, rows, study.tests)}")
    tests, tuning = (
        [t for t in some if "dated" in titles[t.case.id].masks] for some in (study.tests, study.tuning)
    )
    films = Evaluation(tests, tuning, titles, dated_variants(), beside)
    print(f"films, alone\n\n{alone_table(films, dated_variants(), tests)}")
    for name in BESIDE:
        some = [(variant, films.beside, "") for variant in dated_variants()]
        print(f"films, beside `{name}`\n\n{beside_table(name, films, some, tests)}")


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m bench.scoring_study", description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="holds the folders movielens and anime")
    parser.add_argument("--users", type=int, default=300, help="test users of each dataset")
    parser.add_argument("--model", default="embedded", help="a model reference with a GGUF file")
    parser.add_argument("--threads", type=int, default=1)
    given = parser.parse_args()
    study = read_study(given.data, _FOLDER / f"data-{max(given.users, 300)}", given.users)
    model = gguf_file(given.model)
    engine = EngineConfig(context=2048, max_num_seqs=64, threads=given.threads)
    with ScoreCache(
        _FOLDER / "likelihoods.sqlite", given.model, lambda: LlamaEngine(model, engine)
    ) as scorer:
        logs = collect(study, scorer)
    print("scored; now ranking", file=sys.stderr, flush=True)
    report(study, with_masks(study, logs, model))


if __name__ == "__main__":
    main()
