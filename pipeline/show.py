"""What the commands print: plans, tables, prompts, the words at the end of a run."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from align.tagging import printable
from pipeline.plan import Step, make_plan
from pipeline.run import Order, run_pipeline
from rectune.errors import UserError
from rectune.progress import say
from rectune.recipe import load_recipe
from rectune.rows import read_rows
from rectune.runs import RunStore, ledger_path
from rectune.types import Example, Prompt, content_id

if TYPE_CHECKING:
    from recommenders.generative import Wish

# How masked, trained and control tokens begin, and how each ends: in colour, and where there is none.
_COLOURS = {
    "masked": ("\x1b[2m", "\x1b[0m"),
    "trained": ("\x1b[1;32m", "\x1b[0m"),
    "control": ("\x1b[33m", "\x1b[0m"),
}
_MARKS = {"masked": ("", ""), "trained": ("⟦", "⟧"), "control": ("", "")}


def plan_table(steps: Sequence[Step]) -> str:
    """A line a stage: what would happen, the key, and why."""
    marks = {"finished": "up to date", "begun": "goes on", "missing": "would run", "blocked": "cannot run"}
    lines = [f"{'stage':<11} {'what':<11} {'key':<17} why"]
    for step in steps:
        why = step.why.replace("\n", "; ")
        lines.append(f"{step.stage.name:<11} {marks[step.state]:<11} {step.key or '-':<17} {why}".rstrip())
    return "\n".join(lines)


def closing_words(folders: dict[str, Path], last: str) -> str:
    """What a person wants to see at the end of a run."""
    if last == "report":
        shown = json.loads((folders["recommend"] / "recommendations.json").read_text(encoding="utf-8"))
        parts = [_shown(one) for one in shown if one["scenario"] == "passive"][:2]
        parts += [_shown(one) for one in shown if one["scenario"] == "active"][:2]
        where = f"all {len(shown)} recommendations: {folders['recommend'] / 'recommendations.json'}"
        return "\n\n".join([*parts, f"{where}\nreport: {folders['report'] / 'report.html'}"])
    return f"{last}: {folders[last]}"


def generation_preview(order: Order, store: RunStore) -> str:
    """Three prompts of the generation stages and an estimate of their hours; runs the data stage, and a small probe."""
    from datagen.dry import dry_run

    folder = run_pipeline(order, store)["data"]
    return printable(dry_run(load_recipe(order.recipe, order.overrides), folder, ledger_path(folder)))


def _shown(one: dict[str, Any]) -> str:
    asked = f'"{one["query"]}"' if one["scenario"] == "active" else "; ".join(one["history"])
    says = "The model says" if one["named"] else "The model's draft, which names no item of the catalogue"
    answer = textwrap.fill(
        printable(" ".join(one["answer"].split())), 100, initial_indent="  ", subsequent_indent="  "
    )
    found = [f"  {number}. {printable(item['title'])}" for number, item in enumerate(one["items"], 1)]
    return "\n".join(
        [
            f"[{one['domain']}] {printable(asked)}",
            f"  {says}:",
            answer,
            "  Real items that it leads to:",
            *found,
        ]
    )


def verification(store: RunStore) -> tuple[str, bool]:
    """Every artefact and whether its files are as they were written."""
    lines, sound = [], True
    for folder, bad in store.verify():
        lines.append(f"{'damaged: ' + ', '.join(bad) if bad else 'sound':<10} {folder}")
        sound = sound and not bad
    return "\n".join(lines) or "nothing to verify", sound


def prompt_pages(order: Order, store: RunStore, domain: str, count: int, *, colour: bool) -> str:
    """Examples (or prompts, before there are examples) as the model sees them.

    Control tokens are coloured, prompt tokens dim, and the tokens that are trained on green and bold; without
    `colour` the trained ones stand in ⟦ ⟧.
    """
    from models.chat import end_of_turn, segments
    from models.loading import load_tokenizer

    steps = {
        step.stage.name: step
        for step in make_plan(load_recipe(order.recipe, order.overrides), store, "filter")
    }
    template = str(load_tokenizer(_finished(steps["base"], order, store) / "checkpoint").chat_template)
    pages = []
    for prompt, response in _pairs(steps, order, store):
        if domain and prompt.domain != domain:
            continue
        messages = (("system", prompt.system), ("user", prompt.instruction))
        shown = [
            _marked(text, "control" if control else "masked", colour)
            for text, control in segments(template, messages, generation_prompt=True)
        ]
        if response:
            shown.append(_marked(response + end_of_turn(template), "trained", colour))
        kind = f"{prompt.domain} {prompt.split} {prompt.template}"
        pages.append(f"--- {kind}\n" + "".join(shown))
        if len(pages) == count:
            break
    return "\n\n".join(pages) or f"no prompts of the domain {domain}"


def _marked(text: str, kind: str, colour: bool) -> str:
    begin, end = (_COLOURS if colour else _MARKS)[kind]
    return f"{begin}{printable(text)}{end}"


def _pairs(steps: dict[str, Step], order: Order, store: RunStore) -> list[tuple[Prompt, str]]:
    if steps["rationales"].state == "finished":
        folder = store.folder("rationales", steps["rationales"].key)
        return [
            (example.prompt, example.response) for example in read_rows(folder / "examples.parquet", Example)
        ]
    folder = _finished(steps["queries"], order, store)
    return [(prompt, "") for prompt in read_rows(folder / "prompts.parquet", Prompt)]


def _finished(step: Step, order: Order, store: RunStore) -> Path:
    if step.state == "finished":
        return store.folder(step.stage.name, step.key)
    mend = f"run: rectune run {order.recipe} --until {step.stage.name}"
    raise UserError(f"its stage {step.stage.name} is not made yet", where=str(order.recipe), mend=mend)


def recommendation(recipe: Path, catalogue: Path | None, domain: str, wish: Wish, store: RunStore) -> str:
    """Recommend from a catalogue file, or from a domain of the recipe's own data."""
    from recommenders.catalogue_file import read_catalogue
    from recommenders.generative import as_text, recommend_from
    from rectune.catalogue import load_catalogue

    model = store.resolve(recipe.stem, "export") / "model.gguf"
    settings = load_recipe(recipe).retrieval
    if catalogue:
        read = read_catalogue(catalogue, domain or "other")
        say(read.describe())
        items = read.items
    else:
        known = load_catalogue(store.resolve(recipe.stem, "data") / "items.parquet")
        if domain not in known.domains:
            raise UserError(
                f"which catalogue? There is no domain {domain!r}",
                mend=f"give --catalogue FILE, or --domain with one of: {', '.join(known.domains)}",
            )
        items = known.of(domain)
    name = content_id("catalogue", str(catalogue.resolve()) if catalogue else "", recipe.stem, domain)
    return as_text(recommend_from(model, list(items), wish, settings, store.root / "catalogues" / name))
