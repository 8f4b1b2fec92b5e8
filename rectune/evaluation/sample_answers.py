"""Sample answers before and after tuning: same prompts, same seed, and the item each answer resolves to."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import zip_longest
from pathlib import Path

from rectune.core.figures.grounding import SampleAnswer, SamplePrompt
from rectune.core.types import Prompt
from rectune.evaluation.model_answers import answers_to
from rectune.evaluation.systems import MODELS, EvalContext
from rectune.inference.requests import GenerationResult
from rectune.retrieval.grounding import GroundedItem, Grounding


def choose(prompts: Sequence[Prompt], count: int) -> list[Prompt]:
    """At most `count` direct test prompts: domains in turn, and in each round the passive ones first."""
    groups: dict[tuple[str, str], list[Prompt]] = {}
    for prompt in prompts:
        if prompt.split == "test" and prompt.form == "direct":
            groups.setdefault((prompt.domain, prompt.scenario), []).append(prompt)
    scenarios = [[groups[key] for key in sorted(groups) if key[1] == name] for name in ("passive", "active")]
    turns = zip_longest(*(zip_longest(*group) for group in scenarios), fillvalue=())
    in_turn = [prompt for turn in turns for group in turn for prompt in group if prompt is not None]
    return in_turn[:count]


def answer_samples(
    prompts: Sequence[Prompt], eval_context: EvalContext, grounding: Grounding, generation_cache: Path
) -> list[SamplePrompt]:
    """What every model answers to these prompts, for samples.json."""
    written = {
        system: answers_to(prompts, system, eval_context, generation_cache, "sample answers")
        for system in MODELS
    }
    return [
        SamplePrompt(
            prompt_id=prompt.id,
            domain=prompt.domain,
            scenario=prompt.scenario,
            system=prompt.system,
            instruction=prompt.instruction,
            target=eval_context.catalogue.get(prompt.domain, prompt.target).title,
            answers=tuple(_entry(s, prompt, answers[at], grounding) for s, answers in written.items()),
        )
        for at, prompt in enumerate(prompts)
    ]


def _entry(system: str, prompt: Prompt, answer: GenerationResult, grounding: Grounding) -> SampleAnswer:
    found: GroundedItem | None = None
    if answer.text.strip():
        found = next(iter(grounding.top(answer.text, prompt.domain, 1, frozenset(prompt.history))), None)
    return SampleAnswer(
        system=system,
        text=answer.text.strip(),
        finish=answer.finish,
        item=found.title if found else "",
        how=found.how if found else "",
        similarity=found.similarity if found else None,
        hit=found is not None and found.item_id == prompt.target,
    )
