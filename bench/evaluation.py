"""`python -m bench.evaluation`: time of scoring 20 candidates after one shared prompt and after 20 copies.

Cases of the sample data are worded as the evaluation words them. Each is scored twice by the same engine in
the same process: with the prompt evaluated once and its cache shared by all candidates
(`LlamaEngine.loglikelihood`, what the evaluation uses), and with prompt and title evaluated anew for every
candidate, in batches as large as the context takes. Printed are medians of the times a case, and how far
apart the two scores are: with the weights that the engine computes with, where rounding depends on the shape
of a batch, and with the same weights in F32.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from rectune.core.catalogue import Catalogue, load_catalogue
from rectune.core.recipe import Recipe, load_recipe
from rectune.core.rows import read_rows
from rectune.core.settings import EngineConfig
from rectune.core.types import Case
from rectune.inference.context import Context
from rectune.inference.llamacpp import LlamaEngine
from rectune.models.gguf import quantisation_code, quantise
from rectune.models.reference import gguf_file
from rectune.prompts.answers import behind_closing
from rectune.rankers.eval_cases import EvalCase, as_asked, passive_cases

CANDIDATES = 20
EXACT = 2  # cases that are scored with F32 weights too


def cases_of(count: int, folder: Path) -> tuple[list[EvalCase], Catalogue]:
    """Test cases of recipes/demo.yaml with the longest histories there, worded as passive direct prompts."""
    from rectune.datagen.build import run

    changes = [f"data.test={count}", f"data.num_candidates={CANDIDATES}"]
    recipe: Recipe = load_recipe(Path("recipes/demo.yaml"), changes)
    run(recipe.only(("data",)), {}, folder)
    catalogue = load_catalogue(folder / "items.parquet")
    cases = [case for case in read_rows(folder / "cases.parquet", Case) if case.split == "test"][:count]
    return passive_cases(cases, catalogue, {case.domain: "en" for case in cases}), catalogue


def full_prompts(context: Context, prompt: Sequence[int], titles: Sequence[Sequence[int]]) -> list[float]:
    """The mean log-probability of each title's tokens, prompt and title evaluated anew each time."""
    found = []
    for title in titles:
        context.clear()
        tokens = [*prompt, *title[:-1]]
        logs: list[float] = []
        for start in range(0, len(tokens), context.batch.size):
            part = tokens[start : start + context.batch.size]
            wanted = range(max(start, len(prompt) - 1), start + len(part))
            context.batch.clear()
            context.batch.add(part, start, 0, len(wanted))
            context.evaluate()
            for place in wanted:
                token = title[place - len(prompt) + 1]
                logs.append(float(context.log_probabilities(place - start)[token]))
        found.append(float(np.mean(logs)))
    context.clear()
    return found


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m bench.evaluation", description=__doc__)
    parser.add_argument("--cases", type=int, default=16)
    parser.add_argument("--model", default="embedded", help="a model reference with a GGUF file")
    parser.add_argument("--threads", type=int, default=0)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        tests, catalogue = cases_of(given.cases, Path(temporary))
    engine = EngineConfig(context=1536, max_num_seqs=CANDIDATES, threads=given.threads)
    with LlamaEngine(gguf_file(given.model), engine) as scorer:
        rows = [_row(scorer, test, catalogue) for test in (tests[0], *tests)][1:]  # the first warms up
    shared, full = (statistics.median(row[at] for row in rows) for at in (0, 1))
    gaps = np.array([row[2] for row in rows])
    print(
        f"{len(rows)} cases of {CANDIDATES} candidates, "
        f"prompts of {_spread([row[4] for row in rows])} tokens,"
    )
    print(
        f"all titles of a case together {_spread([row[5] for row in rows])} tokens; "
        f"weights {scorer.weights.name}"
    )
    print(f"prompt once, cache shared: {shared:.3f} s a case; {CANDIDATES} full prompts: {full:.3f} s a case")
    ratios = sorted(row[1] / row[0] for row in rows)
    print(f"{full / shared:.1f} times as fast by medians; by case {ratios[0]:.1f} to {ratios[-1]:.1f} times")
    same = sum(row[3] for row in rows)
    print(f"mean log-probabilities differ by {gaps.mean():.4f} nats on average, {gaps.max():.4f} at most;")
    print(f"the same candidate is first in {same} of {len(rows)} cases")
    exact = _in_full_precision(gguf_file(given.model), engine, tests[:EXACT], catalogue)
    print(f"the same weights in F32, {len(exact)} cases: {max(exact):.6f} nats at most")


def _in_full_precision(
    model: Path, engine: EngineConfig, tests: Sequence[EvalCase], catalogue: Catalogue
) -> list[float]:
    """The largest gap of a score per case with F32 weights, which are not rounded."""
    with tempfile.TemporaryDirectory() as temporary:
        path = Path(temporary) / "f32.gguf"
        quantise(model, path, quantisation_code("F32"))
        with LlamaEngine(path, engine) as scorer:
            return [_row(scorer, test, catalogue)[2] for test in tests]


def _row(
    scorer: LlamaEngine, test: EvalCase, catalogue: Catalogue
) -> tuple[float, float, float, bool, int, int]:
    """Seconds shared and in full, largest gap of a score, same winner, tokens of prompt and of titles."""
    context = scorer._context
    asked = as_asked(test.prompt)
    given, named = behind_closing(asked.locale, catalogue.titles(test.case.domain, test.case.candidates))
    prompt = context.vocabulary.prompt(asked.messages, given)
    titles = [context.vocabulary.plain(text) for text in named]
    context.clear()
    begun = time.perf_counter()
    one = [float(np.mean(logs)) for logs in scorer.loglikelihood(asked.messages, named, prefill=given)]
    middle = time.perf_counter()
    other = full_prompts(context, prompt, titles)
    ended = time.perf_counter()
    gap = float(np.abs(np.subtract(one, other)).max())
    tokens = len(prompt), sum(map(len, titles))
    return middle - begun, ended - middle, gap, bool(np.argmax(one) == np.argmax(other)), *tokens


def _spread(counts: Sequence[int]) -> str:
    return f"{min(counts)} to {max(counts)}"


if __name__ == "__main__":
    main()
