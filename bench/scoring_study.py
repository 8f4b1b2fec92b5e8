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

from bench.scoring_evaluation import Evaluation
from bench.scoring_prompts import Study, Titles, collect, read_study, titles_of
from bench.scoring_tables import Row, against_table, alone_table, beside_table
from bench.scoring_variants import Mask, ScoredTitles, Tokens, branching, dated_variants, leading, variants
from rectune.core.settings import EngineConfig
from rectune.inference.llamacpp import LlamaEngine
from rectune.inference.vocabulary import opened_vocabulary
from rectune.models.reference import gguf_file
from rectune.rankers.base import RANKERS, Ranker, Scores, fit_ranker, ranker_class
from rectune.rankers.domain_data import DomainData
from rectune.rankers.eval_cases import EvalCase, by_domain
from rectune.rankers.fusion import best_weight, fused
from rectune.rankers.score_cache import ScoreCache

_FOLDER = Path("runs/scoring-study")
PLAIN, BOTH = ("popularity", "hybrid", "ease"), "hybrid and ease"
BESIDE = ("hybrid", "ease", BOTH)


def companions(study: Study, folder: Path) -> dict[str, dict[str, Scores]]:
    """Ranker -> case id -> scores of its candidates; `folder` keeps what takes long."""
    found: dict[str, dict[str, Scores]] = {name: {} for name in PLAIN}
    for domain, group in by_domain([*study.tuning, *study.tests]).items():
        histories, shown = [t.case.history for t in group], [t.case.candidates for t in group]
        data = study.domains[domain]
        rows = {
            "hybrid": _hybrid(data, folder / "hybrid" / domain).score(histories, shown),
            "ease": _ease(data, histories, shown),
            "popularity": fit_ranker("popularity", data).score(histories, shown),
        }
        for name, scores in rows.items():
            found[name] |= {t.case.id: row for t, row in zip(group, scores, strict=True)}
    return found | {BOTH: _both(study, found)}


def _both(study: Study, found: Mapping[str, Mapping[str, Scores]]) -> dict[str, Scores]:
    """`hybrid` and `ease` fused, under the weight that is best for the cases for tuning."""

    def scores(weight: float, cases: Sequence[EvalCase]) -> list[Scores]:
        return [fused(found["hybrid"][t.case.id], found["ease"][t.case.id], weight) for t in cases]

    targets = [test.case.candidates.index(test.case.target) for test in study.tuning]
    weight = best_weight(lambda w: scores(w, study.tuning), targets, 0.5)
    print(f"`{BOTH}`: weight of `hybrid` {weight:.1f}\n")
    everything = [*study.tuning, *study.tests]
    ids = [test.case.id for test in everything]
    return dict(zip(ids, scores(weight, everything), strict=True))


def _hybrid(data: DomainData, folder: Path) -> Ranker:
    """Embeds the catalogue only if that has not been done."""
    if not folder.is_dir():
        fit_ranker("hybrid", data).save(folder)
    return ranker_class("hybrid").load(folder)


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
            length = {"length": [[-1.0] * len(title) for title in own]}
            found[test.case.id] = ScoredTitles(logs[test.case.id] | length, masks)
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


def report(study: Study, titles: Mapping[str, ScoredTitles], beside: Mapping[str, dict[str, Scores]]) -> None:
    """Print every table."""
    counts = ", ".join(f"{len(group)} of {domain}" for domain, group in by_domain(study.tests).items())
    print(f"test users: {counts}; weights chosen on {len(study.tuning)} others\n")
    found, some = Evaluation(study.tuning, study.tests, titles, beside), variants()
    rows: list[Row] = [(variant, "first") for variant in some]
    rows += [(one, "together") for one in some if one.less_name == "prior" and one.name in ("mean", "sum")]
    print(f"alone\n\n{alone_table(found, (*PLAIN, BOTH), some)}")
    for name in BESIDE:
        print(f"beside `{name}`\n\n{beside_table(name, found, rows)}")
    mean, prior, *_ = some
    print(f"less `{prior.name}` less {prior.less_name}\n\n{against_table(BESIDE, found, rows, prior)}")
    print(f"less `{mean.name}`\n\n{against_table(BESIDE, found, rows, mean)}")
    tuning, tests = ([t for t in group if _has_years(t, titles)] for group in (study.tuning, study.tests))
    films = Evaluation(tuning, tests, titles, beside)
    print(f"films with years, alone\n\n{alone_table(films, BESIDE, dated_variants())}")
    for name in BESIDE:
        print(f"beside `{name}`\n\n{beside_table(name, films, [(one, 'first') for one in dated_variants()])}")


def _has_years(test: EvalCase, titles: Mapping[str, ScoredTitles]) -> bool:
    return "dated" in titles[test.case.id].masks


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m bench.scoring_study", description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="holds the folders movielens and anime")
    parser.add_argument("--users", type=int, default=300, help="test users of each dataset")
    parser.add_argument("--model", default="embedded", help="a model reference with a GGUF file")
    parser.add_argument("--threads", type=int, default=1)
    given = parser.parse_args()
    folder = _FOLDER / f"data-{max(given.users, 300)}"
    study = read_study(given.data, folder, given.users)
    model = gguf_file(given.model)
    engine = EngineConfig(context=2048, max_num_seqs=64, threads=given.threads)
    with ScoreCache(
        _FOLDER / "likelihoods.sqlite", given.model, lambda: LlamaEngine(model, engine)
    ) as scorer:
        logs = collect(study, scorer)
    print("scored; now ranking", file=sys.stderr, flush=True)
    report(study, with_masks(study, logs, model), companions(study, folder))


if __name__ == "__main__":
    main()
