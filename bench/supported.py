"""`python -m bench.supported --stages RUN [RUN ...]`: which share of what models say in reasons has a source.

For finished runs, such as runs/by-recipe/demo and the same with `generate.rationale_samples=4` in a store of
its own (`--runs`): the share of the content words of rationales that stand in no source, as the filter's rule
`unsupported` counts it, of the rows that were trained on and of the answers that the stage `eval` kept of
each model. The latter is over the prompts that all runs answered, with 95 % intervals (bootstrap over users)
and what each run is less the first; prompts of whose target nothing is known are left out, and counted.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from rectune.core.catalogue import Catalogue, load_catalogue
from rectune.core.rows import read_rows
from rectune.core.stats.metrics import UserBootstrap
from rectune.core.text.figures import with_ends
from rectune.core.text.tables import Table
from rectune.core.types import Candidate, Example, Prompt
from rectune.datagen.best_of import unsupported_share
from rectune.prompts.answers import reasons

MODELS = ("base", "sft", "dpo")

Shares = Mapping[str, float]  # of a prompt's id; NaN where nothing is known


def trained_on(stages: Path, catalogue: Catalogue) -> list[float]:
    """The share of each row that was kept for training, where it can be told."""
    rows = read_rows(stages / "filter/kept.parquet", Example)
    found = (unsupported_share(row.prompt, reasons(row.response), catalogue) for row in rows)
    return [share for share in found if share is not None]


def answered(stages: Path, model: str, catalogue: Catalogue) -> tuple[Shares, Mapping[str, str]]:
    """The share of each answer of a model by its prompt's id, and whose prompt it is."""
    prompts = {one.id: one for one in read_rows(stages / "queries/prompts.parquet", Prompt)}
    shares, users = dict[str, float](), dict[str, str]()
    for answer in read_rows(stages / f"eval/answers.{model}.parquet", Candidate):
        prompt = prompts[answer.prompt_id]
        share = unsupported_share(prompt, reasons(answer.text), catalogue)
        shares[prompt.id], users[prompt.id] = math.nan if share is None else share, prompt.user
    return shares, users


def shares_table(
    names: Sequence[str], model: str, found: Sequence[Shares], users: Mapping[str, str]
) -> Table:
    """A row a run: its share over the prompts that all have, and that less the first run's."""
    common = sorted(set.intersection(*(set(one) for one in found)))
    able = [prompt for prompt in common if not any(math.isnan(one[prompt]) for one in found)]
    drawn = UserBootstrap([users[prompt] for prompt in able], 5000, 7)
    first = np.array([found[0][prompt] for prompt in able])
    rows = []
    for name, one in zip(names, found, strict=True):
        own = np.array([one[prompt] for prompt in able])
        less = with_ends(float((own - first).mean()), drawn.interval(own - first), signed=True)
        rows.append(
            [name, with_ends(float(own.mean()), drawn.interval(own)), "" if one is found[0] else less]
        )
    note = f"{len(able)} prompts; of {len(common) - len(able)} nothing is known"
    return Table(("run", "share without a source", "less the first"), rows, f"answers of {model}", note)


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m bench.supported", description=__doc__)
    parser.add_argument("--stages", type=Path, nargs="+", required=True, help="of each run, its stages")
    given = parser.parse_args()
    names = [str(one) for one in given.stages]
    catalogues = {stages: load_catalogue(stages / "data/items.parquet") for stages in given.stages}
    for stages, catalogue in catalogues.items():
        shares = trained_on(stages, catalogue)
        print(f"{stages}: {np.mean(shares):.3f} of the words of {len(shares)} training rows has no source")
    for model in MODELS:
        found = [answered(stages, model, catalogues[stages]) for stages in given.stages]
        print(shares_table(names, model, [one for one, _ in found], found[0][1]).to_markdown(), flush=True)


if __name__ == "__main__":
    main()
