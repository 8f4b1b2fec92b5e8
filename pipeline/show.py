"""What the commands print: plans, tables, prompts, the words at the end of a run."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pipeline.plan import Step, make_plan
from pipeline.run import Order
from rectune.errors import UserError
from rectune.recipe import load_recipe
from rectune.rows import read_rows
from rectune.runs import RunStore
from rectune.types import Example, Prompt

_MASKED, _TRAINED, _CONTROL, _PLAIN = "\x1b[2m", "\x1b[1;32m", "\x1b[33m", "\x1b[0m"


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


def _shown(one: dict[str, Any]) -> str:
    asked = f'"{one["query"]}"' if one["scenario"] == "active" else "; ".join(one["history"])
    found = [f"  {number}. {item['title']}" for number, item in enumerate(one["items"], 1)]
    return "\n".join([f"[{one['domain']}] {asked}", *found])


def dataset_table() -> str:
    """The registry as text."""
    from datagen.datasets.registry import DATASETS

    lines = []
    for one in DATASETS:
        may = "rows may be passed on" if one.redistributable else "rows may not be passed on"
        lines += [f"{one.name} ({one.domain}): {one.publisher}", f"    {one.home}", f"    {one.licence}; {may}"]
        lines += [f"    files: {', '.join(pattern.lstrip('?') for pattern in one.files)}; liked from {one.liked:g}", ""]
    return "\n".join(lines).rstrip()


def verification(store: RunStore) -> tuple[str, bool]:
    """Every artefact and whether its files are as they were written."""
    lines, sound = [], True
    for folder, bad in store.verify():
        lines.append(f"{'damaged: ' + ', '.join(bad) if bad else 'sound':<10} {folder}")
        sound = sound and not bad
    return "\n".join(lines) or "nothing to verify", sound


def prompt_pages(order: Order, store: RunStore, domain: str, count: int) -> str:
    """Examples (or prompts, before there are examples) as the model sees them.

    Control tokens are coloured, prompt tokens dim, and the tokens that are trained on green and bold.
    """
    from models.chat import end_of_turn, segments
    from models.reference import locate
    from models.template import chat_template

    template = chat_template(locate(load_recipe(order.recipe, order.overrides).models.base))
    pages = []
    for prompt, response in _pairs(order, store)[:]:
        if domain and prompt.domain != domain:
            continue
        messages = (("system", prompt.system), ("user", prompt.instruction))
        shown = [
            f"{_CONTROL if control else _MASKED}{_visible(text)}{_PLAIN}"
            for text, control in segments(template, messages, generation_prompt=True)
        ]
        if response:
            shown.append(f"{_TRAINED}{_visible(response)}{end_of_turn(template)}{_PLAIN}")
        kind = f"{prompt.domain} {prompt.split} {prompt.template}"
        pages.append(f"--- {kind}\n" + "".join(shown))
        if len(pages) == count:
            break
    return "\n\n".join(pages) or f"no prompts of the domain {domain}"


def _visible(text: str) -> str:
    """Text without the control characters that a terminal would obey."""
    return "".join(char if char in "\n\t" or char.isprintable() else f"\\x{ord(char):02x}" for char in text)


def _pairs(order: Order, store: RunStore) -> list[tuple[Prompt, str]]:
    steps = {step.stage.name: step for step in make_plan(load_recipe(order.recipe, order.overrides), store, "rationales")}
    rationales, queries = steps["rationales"], steps["queries"]
    if rationales.state == "finished":
        examples = read_rows(store.folder("rationales", rationales.key) / "examples.parquet", Example)
        return [(example.prompt, example.response) for example in examples]
    if queries.state == "finished":
        return [(p, "") for p in read_rows(store.folder("queries", queries.key) / "prompts.parquet", Prompt)]
    raise UserError("its prompts are not made yet", where=str(order.recipe), mend=f"run: rectune run {order.recipe} --until queries")
