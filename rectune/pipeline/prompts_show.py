"""`rectune prompts show`: prompts as the model sees them, at any point of a run."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

from rectune.core.artifacts import ArtifactStore
from rectune.core.errors import UserError
from rectune.core.recipe import Recipe, load_recipe
from rectune.core.rows import read_rows, scan_rows
from rectune.core.text.plain import printable
from rectune.core.types import Case, Example, Prompt
from rectune.pipeline.plan import PlannedStage, make_plan
from rectune.pipeline.run import RunOptions

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

    from rectune.datagen.queries import PromptPlan

Pair = tuple[Prompt, str]
Labels = Mapping[str, str]

_UNWRITTEN = "[a search query]"
_CHUNK = 64  # prompts rendered at a time, where they are rendered only to be shown

# How each kind of tokens begins and ends: in colour, and where there is none.
_COLOURS = {
    "read": ("\x1b[2m", "\x1b[0m"),
    "trained": ("\x1b[1;32m", "\x1b[0m"),
    "control": ("\x1b[33m", "\x1b[0m"),
    "trained control": ("\x1b[1;4;33m", "\x1b[0m"),
}
_MARKS = {
    "read": ("", ""),
    "trained": ("⟦", "⟧"),
    "control": ("⟪", "⟫"),
    "trained control": ("⟦⟪", "⟫⟧"),
}


@dataclass(frozen=True, slots=True)
class PromptFilter:
    """Which prompts to show; an empty string matches all.

    `kind` is as `passive/direct`; `template` is a full name or its last part. `count` is the maximum number
    shown.
    """

    domain: str = ""
    kind: str = ""
    locale: str = ""
    split: str = ""
    template: str = ""
    count: int = 3


@dataclass
class PromptSelector:
    """Selects prompts by a filter, and records the available values."""

    choice: PromptFilter
    seen: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))

    def passes(self, labels: Labels) -> bool:
        """Whether all labels match; of a template the last part of its name is enough."""
        for name, value in labels.items():
            self.seen[name].add(value)
        return all(self._fits(name, value) for name, value in labels.items())

    def complaint(self) -> UserError:
        """Why nothing matched: the first value that no prompt has, or else that none has all of them."""
        for name, values in sorted(self.seen.items()):
            if not any(self._fits(name, value) for value in values):
                return UserError(
                    f"no prompts of the {name} {getattr(self.choice, name)}",
                    hint=f"there are: {', '.join(sorted(values))}",
                )
        kinds = ", ".join(sorted(self.seen["kind"])) or "none at all"
        return UserError(
            "no prompt is all of that at once", hint=f"leave out one of the choices; kinds there are: {kinds}"
        )

    def _fits(self, name: str, value: str) -> bool:
        wanted = getattr(self.choice, name)
        return not wanted or value == wanted or (name == "template" and value.endswith(f"/{wanted}"))


def prompt_pages(order: RunOptions, store: ArtifactStore, choice: PromptFilter, *, colour: bool) -> str:
    """Prompts under the base model's chat template, with their responses where there are some yet.

    No stage is run: before the prompts are made they are rendered here, from the cases of the data stage.

    Raises:
        UserError: there are no cases yet, or no prompts that match.
    """
    recipe = load_recipe(order.recipe, order.overrides)
    steps = {step.stage.name: step for step in make_plan(recipe, store, "rationales")}
    folders = {name: store.folder(name, step.key) for name, step in steps.items() if step.state == "finished"}
    if not {"data", "queries", "rationales"} & set(folders):
        raise _nothing(order, steps["data"])
    tokenizer, sieve = _tokenizer(recipe, folders), PromptSelector(choice)
    shown = list(islice(_pairs(recipe, folders, sieve, tokenizer), choice.count))
    if not shown:
        raise sieve.complaint()
    pages = [
        f"--- {number} of {len(shown)}: {_heading(tokenizer, *pair)}\n"
        f"{_page(tokenizer, *pair, colour=colour)}"
        for number, pair in enumerate(shown, 1)
    ]
    return "\n\n".join([_legend(folders, colour=colour), *pages])


def _nothing(order: RunOptions, data: PlannedStage) -> UserError:
    command = " ".join(["rectune run", str(order.recipe), *order.overrides])
    hint = f"run: {command} --until data   (for prompts; --until rationales for responses too)"
    return UserError(f"nothing to show yet: {data.why}", where=str(order.recipe), hint=hint)


def _tokenizer(recipe: Recipe, folders: Mapping[str, Path]) -> PreTrainedTokenizerBase:
    from rectune.models.loading import load_tokenizer, tokenizer_of_reference

    if "base" in folders:
        return load_tokenizer(folders["base"] / "checkpoint")
    return tokenizer_of_reference(recipe.models.base)[0]


def _pairs(
    recipe: Recipe, folders: Mapping[str, Path], sieve: PromptSelector, tokenizer: PreTrainedTokenizerBase
) -> Iterator[Pair]:
    """The chosen prompts and responses (empty where there is none): of training prompts first."""
    answered = "rationales" in folders
    if answered:
        for example in scan_rows(folders["rationales"] / "examples.parquet", Example):
            if sieve.passes(_labels(example.prompt)):
                yield example.prompt, example.response
    if "queries" in folders:
        prompts: Iterable[Prompt] = scan_rows(folders["queries"] / "prompts.parquet", Prompt)
    else:
        prompts = _rendered(recipe, folders["data"], sieve, tokenizer)
    for prompt in prompts:
        if not (answered and prompt.split == "train") and sieve.passes(_labels(prompt)):
            yield prompt, ""


def _labels(row: Prompt) -> Labels:
    return {
        "domain": row.domain,
        "kind": f"{row.scenario}/{row.form}",
        "locale": row.locale,
        "split": row.split,
        "template": row.template,
    }


def _rendered(
    recipe: Recipe, data: Path, sieve: PromptSelector, tokenizer: PreTrainedTokenizerBase
) -> Iterator[Prompt]:
    """Prompts of the cases, a few at a time; placeholders stand in for queries that are not written yet."""
    from rectune.core.catalogue import load_catalogue
    from rectune.datagen.queries import plan_cases, render_plans

    catalogue = load_catalogue(data / "items.parquet")
    queries: Mapping[str, str] = defaultdict(lambda: _UNWRITTEN)
    plans = plan_cases(read_rows(data / "cases.parquet", Case), recipe.prompts)
    wanted = [plan for plan in plans if sieve.passes(_labels_before(plan))]
    for start in range(0, len(wanted), _CHUNK):
        chunk = wanted[start : start + _CHUNK]
        yield from render_plans(chunk, catalogue, queries, recipe.prompts, tokenizer).prompts


def _labels_before(plan: PromptPlan) -> Labels:
    """The labels of a prompt that are known before it is rendered."""
    return {
        "domain": plan.case.domain,
        "kind": f"{plan.scenario}/{plan.form}",
        "locale": plan.locale,
        "split": plan.case.split,
    }


def _heading(tokenizer: PreTrainedTokenizerBase, prompt: Prompt, response: str) -> str:
    from rectune.models.chat_tokenization import prompt_ids, response_ids

    tokens = f"{len(prompt_ids(tokenizer, prompt))} tokens read"
    if response:
        tokens += f", {len(response_ids(tokenizer, response))} trained on"
    left_out = f"; {prompt.left_out} older items left out" if prompt.left_out else ""
    return printable(f"{prompt.domain}, {prompt.split}, {prompt.template}: {tokens}{left_out}")


def _page(tokenizer: PreTrainedTokenizerBase, prompt: Prompt, response: str, *, colour: bool) -> str:
    from rectune.models.chat import segments
    from rectune.models.chat_tokenization import end_ids

    system = [("system", prompt.system)] if prompt.system else []
    messages = [*system, ("user", prompt.instruction)]
    template = str(tokenizer.get_chat_template())
    names, shown = tokenizer.special_tokens_map, list[str]()
    for text, own in segments(template, messages, generation_prompt=True, tokens=names):
        for part, control in _parted(tokenizer, text) if own else [(text, False)]:
            shown.append(_marked(part, "control" if control else "read", colour))
    if response:
        end = str(tokenizer.decode(end_ids(tokenizer)))
        shown += [_marked(response, "trained", colour), _marked(end, "trained control", colour)]
    return "".join(shown)


def _parted(tokenizer: PreTrainedTokenizerBase, text: str) -> list[tuple[str, bool]]:
    """A template's own text, split into control tokens and the rest."""
    tokens: Sequence[str] = [
        added.content for added in tokenizer.added_tokens_decoder.values() if added.special
    ]
    if not tokens:
        return [(text, False)]
    parts = re.split(f"({'|'.join(map(re.escape, sorted(tokens, key=len, reverse=True)))})", text)
    return [(part, place % 2 == 1) for place, part in enumerate(parts) if part]


def _marked(text: str, kind: str, colour: bool) -> str:
    begin, end = (_COLOURS if colour else _MARKS)[kind]
    return f"{begin}{printable(text)}{end}"


def _legend(folders: Mapping[str, Path], *, colour: bool) -> str:
    words = {
        "control": "control token",
        "read": "read, masked in training",
        "trained": "trained on",
        "trained control": "control token trained on",
    }
    lines = [" · ".join(_marked(text, kind, colour) for kind, text in words.items())]
    if "rationales" not in folders:
        lines.append("The responses are not written yet.")
    if not {"queries", "rationales"} & set(folders):
        lines.append(f"Neither are the queries: {_UNWRITTEN} stands for one.")
    return "\n".join(lines)
