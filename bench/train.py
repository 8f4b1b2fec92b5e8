"""`make bench-train`: the stage `sft` against a bare trl SFTTrainer, and packed rows against single ones.

Every system trains the embedded model (NF4, LoRA) on the same examples, in a process of its own: prompts as
the demo words them from the sample data, and made-up answers as long as its teacher's (or `--examples` of a
run, its filter's kept.parquet). Tokens are those of the examples, without padding; seconds are those inside
`Trainer.train`, from its beginning to the last step, checkpoints included and imports, loading and tokenising
left out. The rival gets ready token ids. `adapters in float32` is the rival with its adapters cast back from
the bfloat16 that trl rounds them to, as the stage does. Memory is the peak of the process.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from bench.measure_process import measure
from rectune.core.rows import read_rows, write_rows
from rectune.core.types import Example, Prompt, Provenance, with_id

ROOT = Path(__file__).parents[1]
_WORDS = (
    "because you liked its quiet humour and slow city streets this one has much the same warm light and pace"
).split()
_ANSWER = (30, 90)  # words of a made-up answer; the demo's have 40 to 110 tokens


@dataclass(frozen=True)
class Setting:
    """What all systems train with. Rows a step are `batch` single ones, or `packed` packed ones."""

    checkpoint: str
    examples: str
    batch: int = 2
    packed: int = 1
    max_length: int = 640
    steps_between_saves: int = 1000
    compute: str = "auto"
    checkpointing: bool = False
    r: int = 16
    attention: str = "auto"


@dataclass(frozen=True)
class Result:
    """One system's run.

    `padded` counts tokens with padding; `work` is CPU seconds, meaningless with an accelerator; `accelerator`
    is the peak of what tensors took of its memory in GiB, `used` what was taken of it in all at the end, and
    `steady` the tokens a second, padding included, without the first two steps and the last.
    """

    tokens: int
    padded: int
    seconds: float
    work: float
    loss: float
    memory: float = 0.0
    accelerator: float = 0.0
    used: float = 0.0
    steady: float = 0.0
    name: str = ""

    @property
    def rate(self) -> float:
        """Tokens per second without padding: of CPU time, or of wall-clock time with an accelerator."""
        return self.tokens / (self.seconds if self.accelerator else self.work)


# Name -> module of the system, and its arguments.
SYSTEMS: dict[str, tuple[str, tuple[str, ...]]] = {
    "stage": ("bench.train_stage", ()),
    "trl": ("bench.train_rival", ()),
    "trl, adapters in float32": ("bench.train_rival", ("--float32",)),
    "stage, packed": ("bench.train_stage", ("--packing",)),
    "trl, packed": ("bench.train_rival", ("--float32", "--packing")),
}


def run_system(name: str, setting: Setting, folder: Path, limit: float | None = None) -> Result:
    """Run one system in its own process; raises SystemExit where it fails or takes over `limit` seconds."""
    module, arguments = SYSTEMS[name]
    (folder / "setting.json").write_text(json.dumps(vars(setting)), encoding="utf-8")
    taken = measure(module, [str(folder), *arguments], limit=limit)
    found: dict[str, Any] = json.loads((folder / "result.json").read_text(encoding="utf-8"))
    result = replace(Result(**found), memory=taken.memory, name=name)
    print(_line(result), file=sys.stderr, flush=True)
    return result


def compare(setting: Setting, rounds: int) -> list[Result]:
    """All systems in turn, `rounds` times; of each the median round by rate."""
    runs: dict[str, list[Result]] = {name: [] for name in SYSTEMS}
    with tempfile.TemporaryDirectory() as folder:
        for turn in range(rounds):
            for name in SYSTEMS if turn % 2 == 0 else reversed(SYSTEMS):
                runs[name].append(run_system(name, setting, Path(folder)))
    return [sorted(each, key=lambda run: run.rate)[len(each) // 2] for each in runs.values()]


def table(results: Sequence[Result]) -> list[str]:
    """One line per system, and two ratios."""
    found = {result.name: result for result in results}
    lines = [
        f"{'':<26}{'tokens':>8}{'padded':>8}{'seconds':>9}{'of CPUs':>9}{'tokens/s':>10}"
        f"{'loss':>8}{'peak GiB':>10}"
    ]
    lines += [_line(run) for run in results]
    stage, packed = found["stage"], found["stage, packed"]
    wanted = stage.padded / stage.tokens
    gain = packed.rate / stage.rate
    return [
        *lines,
        "",
        *(f"stage / {name}: {stage.rate / found[name].rate:.2f}" for name in list(SYSTEMS)[1:3]),
        f"stage, packed / trl, packed: {packed.rate / found['trl, packed'].rate:.2f}",
        f"packed / single rows: {gain:.2f}; padded / real tokens {wanted:.2f}; "
        f"the one of the other {gain / wanted:.2f}",
    ]


def _line(run: Result) -> str:
    memory = run.accelerator or run.memory
    return (
        f"{run.name:<26}{run.tokens:>8}{run.padded:>8}{run.seconds:>9.1f}{run.work:>9.1f}{run.rate:>10.1f}"
        f"{run.loss:>8.3f}{memory:>10.2f}"
    )


def demo_examples(count: int) -> list[Example]:
    """Training prompts of the demo, each with a made-up answer; they are repeated if too few."""
    import random

    from rectune.core.catalogue import load_catalogue
    from rectune.core.recipe import load_recipe
    from rectune.core.types import Case
    from rectune.datagen.build import run
    from rectune.datagen.queries import plan_cases, render_plan

    recipe = load_recipe(ROOT / "recipes/demo.yaml", [])
    with tempfile.TemporaryDirectory() as out:
        run(recipe.only(("data",)), {}, Path(out))
        cases = read_rows(Path(out) / "cases.parquet", Case)
        catalogue = load_catalogue(Path(out) / "items.parquet")
    plans = [plan for plan in plan_cases(cases, recipe.prompts) if plan.case.split == "train"]
    plans.sort(key=lambda plan: plan.case.id)
    queries = {plan.case.id: "something quiet for a rainy evening" for plan in plans}
    prompts = [render_plan(plans[n % len(plans)], catalogue, queries, recipe.prompts) for n in range(count)]
    rng = random.Random(0)
    return [_answered(prompt, rng.choices(_WORDS, k=rng.randint(*_ANSWER))) for prompt in prompts]


def _answered(prompt: Prompt, words: Sequence[str]) -> Example:
    return with_id(Example("", prompt, " ".join(words), Provenance("made up", "", "{}", 0, "bench")))


def measure_cpu(count: int, rounds: int, examples: Path | None) -> str:
    """The comparison on the embedded model."""
    from rectune.models.prepare import make_checkpoint
    from rectune.models.reference import locate

    with tempfile.TemporaryDirectory() as folder:
        checkpoint, source = Path(folder) / "checkpoint", Path(folder) / "kept.parquet"
        make_checkpoint(locate("embedded"), checkpoint)
        rows = read_rows(examples, Example)[:count] if examples else demo_examples(count)
        write_rows(source, rows, Example)
        return "\n".join(table(compare(Setting(str(checkpoint), str(source)), rounds)))


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m bench.train", description=__doc__)
    parser.add_argument("--count", type=int, default=16, help="examples; one epoch is trained")
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--examples", type=Path, help="a filter's kept.parquet, instead of made-up answers")
    given = parser.parse_args()
    print(measure_cpu(given.count, given.rounds, given.examples))


if __name__ == "__main__":
    main()
