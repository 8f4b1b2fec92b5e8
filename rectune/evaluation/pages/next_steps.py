"""What to do next: steps that make the result better, each with the commands for this recipe."""

from __future__ import annotations

import shlex

from rectune.core.figures import BaseFigures
from rectune.core.finished_stages import FinishedStages
from rectune.core.package_data import COMMAND, recipe_argument
from rectune.core.settings import DataConfig
from rectune.core.text.translation import Translation
from rectune.evaluation.pages.blocks import Block, Code

# On the Hub, by parameters: the first that has three times as many as the base model is proposed.
_LARGER = {
    494_000_000: "Qwen/Qwen2.5-0.5B-Instruct",
    1_540_000_000: "Qwen/Qwen2.5-1.5B-Instruct",
    3_090_000_000: "Qwen/Qwen2.5-3B-Instruct",
    7_620_000_000: "Qwen/Qwen2.5-7B-Instruct",
}
_TIMES = 3
_MORE_ROWS = 10


def next_steps(run: FinishedStages, tr: Translation) -> list[Block]:
    """What a run can say about itself; steps whose stage has not finished are left out."""
    recipe, titles = shlex.quote(recipe_argument(run.recipe)), shlex.quote(tr("A title; Another title"))
    return [
        *(_tags(recipe, tr) if run.simulated else ()),
        *_rows(run, recipe, tr),
        *_model(run, recipe, tr),
        tr("**Use your own files**: any table with titles is a catalogue; docs/tutorial.md goes on from it."),
        Code((f"{COMMAND} recommend --recipe {recipe} --catalogue items.csv --history {titles}",)),
    ]


def _tags(recipe: str, tr: Translation) -> list[Block]:
    person = "align.annotator=person"
    return [
        tr("**Tag answers yourself**, in place of the simulated annotator, and train on your tags:"),
        Code((f"{COMMAND} tag {recipe} {person}", f"{COMMAND} run {recipe} {person}")),
    ]


def _rows(run: FinishedStages, recipe: str, tr: Translation) -> list[Block]:
    data = run.settings(DataConfig)
    if data is None or not data.train:
        return []
    said = tr(
        "**Train on more rows**, ten times as many as the {n} of this run; where the data hold fewer, all of "
        "them are taken and the report says how many:",
        n=f"{data.train:,}",
    )
    return [said, Code((f"{COMMAND} run {recipe} data.train={_MORE_ROWS * data.train}",))]


def _model(run: FinishedStages, recipe: str, tr: Translation) -> list[Block]:
    base = run.read(BaseFigures)
    if base is None:
        return []
    larger = next((name for size, name in _LARGER.items() if size >= _TIMES * base.parameters), None)
    if larger is None:
        return []
    said = tr(
        "**Start from a larger model** than {n} million parameters, which is downloaded from the Hub; the "
        "first command says what memory and time it needs, and no stage runs:",
        n=f"{base.parameters / 1e6:,.0f}",
    )
    changed = f"{recipe} models.base={larger}"
    return [said, Code((f"{COMMAND} plan {changed} --estimate", f"{COMMAND} run {changed}"))]
