"""`python -m bench.scoring_study --data PATH`: what a language model should score a title by when it ranks.

PATH holds the folders `movielens` and `anime`. The model ranks each test user's next item among 20, scored in
many ways: alone, and fused with rankers that need no language model. All weights (of what is subtracted, of
the fusion) are chosen by mean reciprocal rank on users who are in no test, or on the other four of five
folds. `--new` asks users of anime (others) and books with the best prompts, under the weights of the study.
Every log-likelihood is kept in runs/scoring-study/, so that an interrupted run goes on; `--known` reports
what is there. Prints Markdown. Takes an hour or two of one core.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np

from bench.scoring_evaluation import Evaluation
from bench.scoring_prompts import NotKnown, Source, Study, Titles, collect, read_study, titles_of
from bench.scoring_tables import Row, against_table, alone_table, beside_table
from bench.scoring_variants import Mask, ScoredTitles, Tokens, branching, dated_variants, leading, variants
from rectune.core.errors import UserError
from rectune.core.settings import EngineConfig
from rectune.inference.llamacpp import LlamaEngine
from rectune.inference.vocabulary import opened_vocabulary
from rectune.models.reference import gguf_file
from rectune.rankers.base import Ranker, Scores, fit_ranker, ranker_class
from rectune.rankers.domain_data import DomainData
from rectune.rankers.eval_cases import EvalCase, by_domain
from rectune.rankers.fusion import best_weight, fused
from rectune.rankers.score_cache import ScoreCache

_FOLDER = Path("runs/scoring-study")
PLAIN, BOTH = ("popularity", "hybrid", "ease"), "hybrid and ease"
BESIDE = ("hybrid", "ease", BOTH)
CONFIRMED = ("own", "nothing", "list", "empty list")  # the prompts that new users are asked with

Logs = Mapping[str, Titles]  # by case id
Shown = dict[str, ScoredTitles]  # by case id
Beside = dict[str, dict[str, Scores]]  # ranker -> case id -> scores of its candidates


def companions(study: Study, folder: Path) -> Beside:
    """The scores of rankers without a language model; `folder` keeps what takes long."""
    found: dict[str, dict[str, Scores]] = {name: {} for name in PLAIN}
    for domain, group in by_domain([*study.tuning, *study.tests]).items():
        histories, shown = [t.case.history for t in group], [t.case.candidates for t in group]
        data = study.domains[domain]
        rankers = {"hybrid": _hybrid(data, folder / "hybrid" / domain)}
        for name in PLAIN:
            ranker = rankers.get(name) or fit_ranker(name, data)
            scores = ranker.score(histories, shown)
            found[name] |= {t.case.id: row for t, row in zip(group, scores, strict=True)}
    return found


def with_both(beside: Beside, tuning: Sequence[EvalCase]) -> Beside:
    """And of `hybrid` and `ease` fused, under the weight that is best for the cases for tuning."""
    hybrid, ease = beside["hybrid"], beside["ease"]
    targets = [test.case.candidates.index(test.case.target) for test in tuning]
    weight = best_weight(
        lambda w: [fused(hybrid[t.case.id], ease[t.case.id], w) for t in tuning], targets, 0.5
    )
    print(f"`{BOTH}`: weight of `hybrid` {weight:.1f}\n")
    return {**beside, BOTH: {case: fused(hybrid[case], ease[case], weight) for case in hybrid}}


def _hybrid(data: DomainData, folder: Path) -> Ranker:
    """Embeds the catalogue only if that has not been done, by this version of the ranker."""
    try:
        return ranker_class("hybrid").load(folder)
    except UserError:
        ranker = fit_ranker("hybrid", data)
        ranker.save(folder)
        return ranker


def with_masks(study: Study, tests: Sequence[EvalCase], logs: Logs, model: Path) -> Shown:
    """Each of some cases with the tokens that count."""
    with opened_vocabulary(model) as vocabulary:

        def tokens(titles: Sequence[str]) -> list[Tokens]:
            return [tuple(vocabulary.plain(title)) for title in titles]

        whole = {
            domain: branching(tokens(titles_of(domain, list(data.items), study.catalogue, with_year=False)))
            for domain, data in study.domains.items()
        }
        found = {}
        for test in tests:
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


def report(study: Study, titles: Shown, beside: Beside) -> None:
    """Print every table of the study."""
    counts = ", ".join(f"{len(group)} of {domain}" for domain, group in by_domain(study.tests).items())
    print(f"test users: {counts}; weights chosen on {len(study.tuning)} others\n")
    found, some = Evaluation(study.tuning, study.tests, titles, beside), variants()
    rows: list[Row] = [(variant, "first") for variant in some]
    rows += [(one, "together") for one in some if one.less_name == "prior" and one.name in ("mean", "sum")]
    print(f"alone\n\n{alone_table(found, (*PLAIN, BOTH), some)}")
    for name in BESIDE:
        print(f"beside `{name}`\n\n{beside_table(name, found, rows)}")
    _print_against(found, rows)
    tuning, tests = ([t for t in group if _has_years(t, titles)] for group in (study.tuning, study.tests))
    films = Evaluation(tuning, tests, titles, beside)
    print(f"films with years, alone\n\n{alone_table(films, BESIDE, dated_variants())}")
    for name in BESIDE:
        print(f"beside `{name}`\n\n{beside_table(name, films, [(one, 'first') for one in dated_variants()])}")


def confirm(study: Study, new: Study, titles: Shown, beside: Beside) -> None:
    """Print the tables of users who were in no part of the study, weights chosen on all that were."""
    counts = ", ".join(f"{len(group)} of {domain}" for domain, group in by_domain(new.tests).items())
    known = [*study.tuning, *study.tests]
    print(f"new users: {counts}; weights chosen on the {len(known)} of the study\n")
    found = Evaluation(known, new.tests, titles, beside)
    some = [one for one in variants() if {*one.prompts, *one.less} <= {*CONFIRMED, "length"}]
    some = [one for one in some if one.tokens == "all"]
    rows: list[Row] = [(variant, "first") for variant in some]
    print(f"alone\n\n{alone_table(found, (*PLAIN, BOTH), some)}")
    for name in BESIDE:
        print(f"beside `{name}`\n\n{beside_table(name, found, rows)}")
    _print_against(found, rows)


def _print_against(found: Evaluation, rows: Sequence[Row]) -> None:
    for reference, _ in rows[:2]:
        less = f" less {reference.less_name}" if reference.less else ""
        print(f"less `{reference.name}`{less}\n\n{against_table(BESIDE, found, rows, reference)}")


def _has_years(test: EvalCase, titles: Shown) -> bool:
    return "dated" in titles[test.case.id].masks


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m bench.scoring_study", description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="holds the folders movielens, anime, books")
    parser.add_argument("--users", type=int, default=300, help="test users of each dataset")
    parser.add_argument("--new", type=int, default=0, help="users of anime and books to confirm with")
    parser.add_argument("--model", default="embedded", help="a model reference with a GGUF file")
    parser.add_argument("--known", action="store_true", help="ask the model nothing: report what is there")
    parser.add_argument("--threads", type=int, default=1)
    given = parser.parse_args()
    study = read_study(Source(given.data, _FOLDER, ("movielens", "anime"), seed=7), given.users)
    tests, model = [*study.tuning, *study.tests], gguf_file(given.model)
    engine = EngineConfig(context=2048, max_num_seqs=64, threads=given.threads)

    def opened() -> LlamaEngine:
        if given.known:
            raise NotKnown
        return LlamaEngine(model, engine)

    with ScoreCache(_FOLDER / "likelihoods.sqlite", given.model, opened) as scorer:
        titles = with_masks(study, tests, collect(study, tests, scorer), model)
        beside = with_both(companions(study, _FOLDER / study.key), study.tuning)
        report(study, titles, beside)
        if not given.new:
            return
        seen = {(t.case.domain, t.case.user) for t in tests}
        new = read_study(Source(given.data, _FOLDER, ("anime", "books"), seed=11), given.new, seen)
        logs = collect(new, new.tests, scorer, CONFIRMED)
    titles |= with_masks(new, new.tests, logs, model)
    further = companions(new, _FOLDER / new.key)
    plain = {name: beside[name] | further[name] for name in PLAIN}
    confirm(study, new, titles, with_both(plain, tests))


if __name__ == "__main__":
    main()
