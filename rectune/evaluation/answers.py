"""Did DPO help? The answers of the model before and after it to the same unseen prompts, measured side by
side.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rectune.core.artifacts import generation_cache_path, write_atomically
from rectune.core.figures.evaluation import AnswerComparison, AnsweredSystem, AnswerMeans
from rectune.core.figures.record import MeanInterval, json_name
from rectune.core.rows import write_rows
from rectune.core.stats.metrics import UserBootstrap
from rectune.core.types import Candidate, Prompt, with_id
from rectune.evaluation.model_answers import answers_to
from rectune.evaluation.off_topic import off_topic_shares
from rectune.evaluation.sample_answers import choose
from rectune.evaluation.systems import EvalContext
from rectune.evaluation.title_leaks import is_invented, other_titles
from rectune.filters.word_stats import repetition, word_score, words_of
from rectune.retrieval.embedding import title_and_categories
from rectune.retrieval.grounding import GroundedItem, Grounding

PAIR = ("sft", "dpo")  # systems as in `rectune.evaluation.systems.MODELS`; differences are second less first
_ASKED = ("base", *PAIR)
ANSWERS_FILE = "answers.{system}.parquet"  # what `rectune tag --compare` reads

FIGURES = {  # by field of AnswerMeans
    "hit_at_1": "the answer names the item really taken next, by its exact title",
    "grounded": "the answer names an item of the catalogue that is not in the history, exactly or misspelt",
    "invented": "the answer recommends a title that the domain lacks",
    "other_domain": "the answer names a title of another domain of the run",
    "score": "response score ln(L)*L/C, L and C counted in words",
    "repetition": "share of 3-word runs that came before in the answer",
    "off_topic": "share of sentences near to nothing that was asked, shown or recommended "
    "(see rectune/evaluation/off_topic.py)",
    "words": "words an answer",
}


@dataclass(frozen=True)
class _Read:
    """One answer, and the item that it names."""

    prompt: Prompt
    text: str
    named: GroundedItem | None


def compare_answers(
    prompts: Sequence[Prompt], eval_context: EvalContext, grounding: Grounding, out: Path
) -> AnswerComparison | None:
    """Let the models answer the same test prompts, and write answers.<system>.parquet and answers.json.

    Args:
        prompts: all prompts of the run; at most `evaluate.answers` direct ones of the test are asked.
        eval_context: what the models are opened from; answers are sampled as section retrieval says.
        grounding: in the catalogue.
        out: the stage's folder; answers that are in the generation cache are not written again.

    Returns:
        What answers.json holds; None where nothing is asked.
    """
    chosen = choose(prompts, eval_context.config.evaluate.answers)
    if not chosen:
        return None
    columns: dict[str, Mapping[str, list[float]]] = {}
    hows: dict[str, Mapping[str, float]] = {}
    for system in _ASKED:
        read = _ask(system, chosen, eval_context, grounding, out)
        columns[system], hows[system] = _columns(read, eval_context, grounding), _how(read, grounding)
    found = _summary(chosen, columns, hows, eval_context)
    write_atomically(out / "answers.json", found.to_json())
    return found


def _ask(
    system: str, prompts: Sequence[Prompt], eval_context: EvalContext, grounding: Grounding, out: Path
) -> list[_Read]:
    """The system's answers, which are written to their file too."""
    texts = [
        answer.text.strip()
        for answer in answers_to(prompts, system, eval_context, generation_cache_path(out))
    ]
    sampling = eval_context.config.retrieval.sampling
    origin = eval_context.provenance(eval_context.model(system), sampling, sampling.seed)
    rows = [with_id(Candidate("", p.id, 0, text, origin)) for p, text in zip(prompts, texts, strict=True)]
    write_rows(out / ANSWERS_FILE.format(system=system), rows, Candidate)
    return [_Read(p, text, _named(p, text, grounding)) for p, text in zip(prompts, texts, strict=True)]


def _named(prompt: Prompt, text: str, grounding: Grounding) -> GroundedItem | None:
    return grounding.named(text, prompt.domain, frozenset(prompt.history)) if text else None


def _columns(
    read: Sequence[_Read], eval_context: EvalContext, grounding: Grounding
) -> dict[str, list[float]]:
    """Every figure of every answer."""
    topics = [_topics(row, eval_context) for row in read]
    titles, domains = grounding.titles, eval_context.catalogue.domains
    return {
        "hit_at_1": [float(_hit(row, eval_context)) for row in read],
        "grounded": [float(row.named is not None) for row in read],
        "invented": [float(is_invented(row.text, titles[row.prompt.domain])) for row in read],
        "other_domain": [float(bool(other_titles(row.text, row.prompt, titles, domains))) for row in read],
        "score": [word_score(row.text) for row in read],
        "repetition": [repetition(row.text) for row in read],
        "off_topic": off_topic_shares([r.text for r in read], topics, eval_context.config.retrieval.embedder),
        "words": [float(len(words_of(row.text))) for row in read],
    }


def _hit(row: _Read, eval_context: EvalContext) -> bool:
    """An answer cannot tell items of one title apart, so any of them counts."""
    target = eval_context.catalogue.get(row.prompt.domain, row.prompt.target)
    return row.named is not None and row.named.how == "title" and row.named.title == target.title


def _topics(row: _Read, eval_context: EvalContext) -> list[str]:
    """What the answer may speak of."""
    prompt, get = row.prompt, eval_context.catalogue.get
    items = [get(prompt.history_domain, item) for item in prompt.history]
    items += [get(prompt.domain, item) for item in prompt.candidates]
    items += [get(prompt.domain, row.named.item_id)] if row.named else []
    asked = [prompt.query] if prompt.query else []
    return [*asked, *(title_and_categories(item.title, item.categories) for item in items)] or [
        prompt.instruction
    ]


def _how(read: Sequence[_Read], grounding: Grounding) -> dict[str, float]:
    """The share of the answers by the step of grounding that resolves them."""
    hows = [_step(row, grounding) for row in read]
    return {how: hows.count(how) / len(hows) for how in sorted(set(hows))}


def _step(row: _Read, grounding: Grounding) -> str:
    if row.named or not row.text:
        return row.named.how if row.named else "nothing"
    near = grounding.nearest(row.text, row.prompt.domain, 1, frozenset(row.prompt.history))
    return near[0].how if near else "nothing"


def _summary(
    prompts: Sequence[Prompt],
    columns: Mapping[str, Mapping[str, list[float]]],
    hows: Mapping[str, Mapping[str, float]],
    eval_context: EvalContext,
) -> AnswerComparison:
    settings = eval_context.config.evaluate
    users = [f"{prompt.domain}/{prompt.user}" for prompt in prompts]
    drawn = UserBootstrap(users, settings.bootstrap, settings.seed)
    first, second = (columns[system] for system in PAIR)
    gaps = {name: [b - a for a, b in zip(first[name], second[name], strict=True)] for name in FIGURES}
    return AnswerComparison(
        prompts=len(prompts),
        users=len(set(users)),
        sampling=eval_context.config.retrieval.sampling.model_dump(mode="json"),
        figures={json_name(name): meaning for name, meaning in FIGURES.items()},
        systems={
            system: AnsweredSystem(**_means(columns[system], drawn), how=dict(hows[system]))
            for system in _ASKED
        },
        difference=AnswerMeans(**_means(gaps, drawn)),
        difference_is=f"{PAIR[1]} less {PAIR[0]}, prompt by prompt",
    )


def _means(columns: Mapping[str, Sequence[float]], drawn: UserBootstrap) -> dict[str, Any]:
    return {name: _mean(values, drawn) for name, values in columns.items()}


def _mean(values: Sequence[float], drawn: UserBootstrap) -> MeanInterval:
    low, high = drawn.interval(values)
    return MeanInterval(mean=round(sum(values) / len(values), 6), low=round(low, 6), high=round(high, 6))
