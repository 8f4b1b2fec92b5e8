"""Stage `queries`: search queries for the active prompts, written by the teachers; renders all prompts."""

from __future__ import annotations

import collections
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rectune.core import settings
from rectune.core.artifacts import generation_cache_path
from rectune.core.catalogue import Catalogue, load_catalogue
from rectune.core.errors import UserError
from rectune.core.extras import needs_extra
from rectune.core.figures import QueriesFigures
from rectune.core.recipe import Recipe
from rectune.core.rng import seed_of
from rectune.core.rows import read_rows, write_rows
from rectune.core.types import Case, Form, Locale, Prompt, Scenario, content_id
from rectune.datagen.mixture import allocate
from rectune.inference.requests import GenerationRequest, GenerationResult
from rectune.inference.teachers import AskTeachers, ask_teachers
from rectune.models.loading import load_tokenizer
from rectune.models.prompt_lengths import prompt_lengths
from rectune.prompts.answers import find_items
from rectune.prompts.render import RenderOptions, render
from rectune.prompts.teacher_prompts import facts, query_messages
from rectune.prompts.truncation import TruncatedPrompt, fit

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

MAX_WORDS = 8  # a query is a phrase; longer answers are the model talking
_ACTIVE_TESTS = 3  # test cases of a domain for which a query is wanted; one active prompt of them is kept
_HANGUL = re.compile(r"[가-힣]")
_LIST = re.compile(r"^\s*([-*•]|\d+[.)])\s|\n")


@dataclass(frozen=True, slots=True)
class PromptPlan:
    """Scenario, form and locale of one case."""

    case: Case
    scenario: Scenario
    form: Form
    locale: Locale


@needs_extra("the stage queries")
def run(
    config: Recipe, inputs: Mapping[str, Path], out: Path, ask: AskTeachers = ask_teachers
) -> QueriesFigures:
    """Render every case as a prompt; active ones get a query first.

    A case whose queries were all rejected gets a passive prompt. Prompts are measured with the base model's
    tokenizer and chat template, and shortened to `prompts.max_tokens`.
    """
    cases = read_rows(inputs["data"] / "cases.parquet", Case)
    catalogue = load_catalogue(inputs["data"] / "items.parquet")
    plans = plan_cases(cases, config.prompts)
    active = [plan for plan in plans if plan.scenario == "active"]
    queries, refused = write_queries(active, catalogue, config.generate, generation_cache_path(out), ask)
    plans = _one_active_test_a_domain([_askable(plan, queries) for plan in plans], queries)
    ready = [plan for plan in plans if _ready(plan, queries)]
    tokenizer = load_tokenizer(inputs["base"] / "checkpoint")
    fitted = render_plans(ready, catalogue, queries, config.prompts, tokenizer)
    write_rows(out / "prompts.parquet", fitted.prompts, Prompt)
    return QueriesFigures(
        rows_in=len(plans),
        rows_out=len(fitted.prompts),
        dropped={"every query refused": len(plans) - len(ready), "too long": fitted.too_long},
        longest_lost=dict(fitted.longest_lost),
        shortened=fitted.shortened,
        left_out=fitted.left_out,
        asked_passively_instead=sum(_askable(plan, queries) is not plan for plan in active),
        queries=len(queries),
        refused=dict(refused),
        kinds=_kinds(fitted.prompts),
    )


def _kinds(prompts: Sequence[Prompt]) -> dict[str, int]:
    kinds = collections.Counter(f"{p.split}/{p.scenario}/{p.form}/{p.locale}" for p in prompts)
    return dict(sorted(kinds.items()))


def plan_cases(cases: Sequence[Case], config: settings.PromptsConfig) -> list[PromptPlan]:
    """Scenario, form and locale of every case, in the recipe's shares within each domain and split.

    A test case always gets a passive direct prompt, which is evaluated; the first of a domain get a second,
    active direct one, unless there are to be no active ones at all.
    """
    plans: list[PromptPlan] = []
    groups: dict[tuple[str, str], list[Case]] = {}
    for case in cases:
        groups.setdefault((case.domain, case.split), []).append(case)
    for (domain, split), group in groups.items():
        group = sorted(group, key=lambda case: content_id("plan", config.seed, case.id))
        locales = _deal(config.locales, len(group), f"{domain}/{split}/locale")
        if split == "test":
            asked: tuple[Scenario, ...] = (
                ("passive", "active") if config.scenarios.get("active") else ("passive",)
            )
            for scenario in asked:
                pairs = list(zip(group, locales, strict=True))
                some = pairs if scenario == "passive" else pairs[:_ACTIVE_TESTS]
                plans += [PromptPlan(case, scenario, "direct", locale) for case, locale in some]
        else:
            kinds = _deal(_products(config), len(group), f"{domain}/{split}/kind")
            for case, kind, locale in zip(group, kinds, locales, strict=True):
                scenario, form = kind.split("/")
                plans.append(PromptPlan(case, scenario, form, locale))
    return plans


def _products(config: settings.PromptsConfig) -> dict[str, float]:
    return {f"{s}/{f}": config.scenarios[s] * config.forms[f] for s in config.scenarios for f in config.forms}


def _deal(shares: Mapping[Any, float], count: int, salt: str) -> list[Any]:
    """`count` names in proportion to their shares, in a mixed order.

    With few rows rounding would always drop the same kinds, so the remainder is rotated by the salt.
    """
    names = [name for name, share in shares.items() if share > 0]
    if not names:
        raise UserError("all shares are 0", where="prompts", hint="give at least one kind a positive weight")
    turn = seed_of("seed", salt) % len(names)
    names = names[turn:] + names[:turn]
    counts = allocate(count, dict(shares), names)
    dealt = [name for name in names for _ in range(counts[name])]
    return _spread(dealt, salt)


def _spread(dealt: list[Any], salt: str) -> list[Any]:
    order = sorted(range(len(dealt)), key=lambda place: content_id(salt, place))
    return [dealt[place] for place in order]


def write_queries(
    plans: Sequence[PromptPlan],
    catalogue: Catalogue,
    config: settings.GenerateConfig,
    generation_cache: Path,
    ask: AskTeachers,
) -> tuple[dict[str, str], collections.Counter[str]]:
    """A query for each active case, by case id, and the number of rejected answers by reason."""
    queries: dict[str, str] = {}
    refused: collections.Counter[str] = collections.Counter()
    waiting = list(plans)
    for attempt in range(config.attempts):
        requests = [query_request(plan, catalogue, config.query, attempt) for plan in waiting]
        written = ask(requests, config, generation_cache, "queries")
        still: list[PromptPlan] = []
        for plan, request in zip(waiting, requests, strict=True):
            answer = written[request.id][0]
            text = tidy(answer.text)
            fault = _refusal(answer, text, plan, catalogue)
            if fault:
                refused[fault] += 1
                still.append(plan)
            else:
                queries[plan.case.id] = text
        waiting = still
        if not waiting:
            break
    return queries, refused


def _refusal(answer: GenerationResult, text: str, plan: PromptPlan, catalogue: Catalogue) -> str:
    if answer.finish != "stop":
        return "cut by the token limit" if answer.finish == "length" else answer.finish
    return fault_of(text, catalogue.get(plan.case.domain, plan.case.target).title, plan.locale)


def query_request(
    plan: PromptPlan, catalogue: Catalogue, sampling: settings.SamplingConfig, attempt: int
) -> GenerationRequest:
    """The request to a teacher for a search query; every attempt has another seed."""
    item = catalogue.get(plan.case.domain, plan.case.target)
    return GenerationRequest(
        id=plan.case.id,
        messages=query_messages(item, plan.locale),
        sampling=sampling,
        seed=seed_of("seed", "query", plan.case.id, sampling.seed, attempt),
        stop=("\n",),
        facts=facts(item, plan.locale),
    )


def tidy(text: str) -> str:
    """A model's phrase without surrounding quotation marks, label and full stop."""
    text = re.sub(r"^\s*(search query|query|검색어)\s*:\s*", "", text.strip(), flags=re.IGNORECASE)
    return text.strip().strip("\"'“”‘’`").rstrip(".").strip()


def fault_of(text: str, title: str, locale: Locale) -> str:
    """Why a query is rejected; an empty string if it is not."""
    if not text:
        return "empty"
    if _LIST.search(text):
        return "a list"
    if len(text.split()) > MAX_WORDS:
        return "too long"
    if find_items(text, [title]):
        return "names the item"
    letters = sum(char.isalpha() for char in text)
    hangul = len(_HANGUL.findall(text))
    wrong = hangul > 0 if locale == "en" else hangul < letters / 2
    return "wrong language" if wrong or not letters else ""


def _ready(plan: PromptPlan, queries: Mapping[str, str]) -> bool:
    return plan.scenario == "passive" or plan.case.id in queries


def _askable(plan: PromptPlan, queries: Mapping[str, str]) -> PromptPlan:
    """The plan, made passive where no query could be had; test cases have a passive prompt anyway."""
    return plan if _ready(plan, queries) or plan.case.split == "test" else replace(plan, scenario="passive")


def _one_active_test_a_domain(plans: Sequence[PromptPlan], queries: Mapping[str, str]) -> list[PromptPlan]:
    """Keep one active test plan per domain: the first whose query succeeded, else the first."""
    active = [plan for plan in plans if plan.case.split == "test" and plan.scenario == "active"]
    kept: dict[str, PromptPlan] = {}
    for plan in sorted(active, key=lambda plan: plan.case.id not in queries):
        kept.setdefault(plan.case.domain, plan)
    chosen = {id(plan) for plan in kept.values()}
    return [p for p in plans if p.case.split != "test" or p.scenario == "passive" or id(p) in chosen]


def render_plans(
    plans: Sequence[PromptPlan],
    catalogue: Catalogue,
    queries: Mapping[str, str],
    config: settings.PromptsConfig,
    tokenizer: PreTrainedTokenizerBase,
) -> TruncatedPrompt:
    """The prompts of many plans, in order, each shortened to the tokens that its language may have."""

    def render_one(place: int, left_out: int) -> Prompt:
        return render_plan(plans[place], catalogue, queries, config, left_out)

    def lengths(prompts: Sequence[Prompt]) -> list[int]:
        return prompt_lengths(tokenizer, prompts)

    return fit(len(plans), render_one, lengths, config.token_limits)


def render_plan(
    plan: PromptPlan,
    catalogue: Catalogue,
    queries: Mapping[str, str],
    config: settings.PromptsConfig,
    left_out: int = 0,
) -> Prompt:
    """The prompt of a plan, without the `left_out` oldest items of its history.

    `queries` has one for every active case, by case id.
    """
    query = queries[plan.case.id] if plan.scenario == "active" else ""
    wording = RenderOptions(
        plan.scenario, plan.form, plan.locale, query, config.listwise, config.seed, config.test_templates
    )
    return render(plan.case, catalogue, wording, left_out)
