"""The stage `candidates`: several different answers of the tuned model to every fresh prompt."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from rectune.align.select_prompts import select_prompts
from rectune.core.artifacts import generation_cache_path
from rectune.core.errors import UserError
from rectune.core.extras import needs_extra
from rectune.core.figures import CandidatesFigures
from rectune.core.figures.preferences import AdapterGap
from rectune.core.figures.record import GgufFile
from rectune.core.progress import say
from rectune.core.recipe import Recipe
from rectune.core.rng import seed_of
from rectune.core.rows import read_rows, write_rows
from rectune.core.settings import CandidatesConfig
from rectune.core.types import Candidate, Prompt, with_id
from rectune.inference.generate import generate, provenance
from rectune.inference.llamacpp import LlamaEngine
from rectune.inference.requests import GenerationRequest, GenerationResult
from rectune.models.gguf import to_gguf
from rectune.models.merge import merge_adapter

Ask = Callable[[Path, Sequence[GenerationRequest], CandidatesConfig, Path, str], list[GenerationResult]]

REDRAWS = 3  # further seeds for an answer that is empty or equal to another one of its prompt
_COMPARED = 4  # answers on which the GGUF file is compared with the adapter model


@dataclass
class SampledAnswers:
    """The sampled `answers` by prompt id and index, each with its seed, and counts of those left out."""

    answers: dict[str, dict[int, tuple[str, int]]] = field(default_factory=dict)
    tokens: int = 0
    redrawn: int = 0
    identical: int = 0
    failed: int = 0


@needs_extra("the stage candidates")
def run(config: Recipe, inputs: Mapping[str, Path], out: Path) -> CandidatesFigures:
    """Write model.gguf (the tuned model merged and quantised) and candidates.parquet.

    Args:
        config: sections models and candidates.
        inputs: base, sft, queries.

    Raises:
        UserError: there are no fresh prompts of the split `preference`, or no prompt has two different
            answers.
    """
    rows = read_rows(inputs["queries"] / "prompts.parquet", Prompt)
    fresh = select_prompts(rows, config.candidates.prompts)
    prompts = fresh.prompts
    if not prompts:
        where = str(inputs["queries"])
        raise UserError("no fresh prompts of the split preference", where=where, hint="raise data.preference")
    model = out / "model.gguf"
    gguf = _tuned_gguf(config, inputs, model)
    drawn = sample(prompts, config.candidates, model, generation_cache_path(out))
    found = _rows(prompts, drawn, config.candidates, model)
    if not found:
        hint = "raise candidates.sampling.temperature, or look at the adapter's loss curve"
        raise UserError(f"none of {len(prompts)} prompts has two different answers", hint=hint)
    write_rows(out / "candidates.parquet", found, Candidate)
    gap = gap_to_adapter(config, inputs, model, _few(prompts, found))
    asked = len(prompts) * config.candidates.answers
    return CandidatesFigures(
        rows_in=asked,
        rows_out=len(found),
        dropped=_dropped(asked, drawn, found),
        prompts=len({row.prompt_id for row in found}),
        prompts_in=len(prompts),
        answers=len(found),
        redrawn=drawn.redrawn,
        tokens=drawn.tokens,
        balance=fresh.balance(),
        prompts_spare=fresh.spare,
        prompts_left_out=fresh.left_out,
        gguf=gguf,
        gap_to_adapter=gap,
    )


def sample(
    prompts: Sequence[Prompt],
    settings: CandidatesConfig,
    model: Path,
    generation_cache: Path,
    ask: Ask = generate,
) -> SampledAnswers:
    """Draw `settings.answers` different answers for each prompt.

    An answer that is empty or equal to another of its prompt (ignoring white space at the ends) is sampled
    again, up to `REDRAWS` times, each with another seed; then it is left out and counted. Answers in the
    generation cache are not generated again.

    Args:
        ask: the generating function; see `rectune.inference.generate.generate`.
    """
    drawn = SampledAnswers({prompt.id: {} for prompt in prompts})
    open_places = [(prompt, index) for prompt in prompts for index in range(settings.answers)]
    for attempt in range(1 + REDRAWS):
        drawn.redrawn += len(open_places) if attempt else 0
        requests = [_request(prompt, index, attempt, settings) for prompt, index in open_places]
        label = "candidates" if not attempt else f"candidates, draw {attempt + 1}"
        answers = ask(model, requests, settings, generation_cache, label)
        asked = zip(open_places, requests, answers, strict=True)
        open_places = [place for place, request, answer in asked if not _kept(drawn, place, request, answer)]
        if not open_places:
            break
    drawn.identical = len(open_places)
    return drawn


def messages_of(prompt: Prompt) -> tuple[tuple[str, str], ...]:
    """The conversation that the tuned model is asked to continue."""
    system = (("system", prompt.system),) if prompt.system else ()
    return (*system, ("user", prompt.instruction))


def _request(prompt: Prompt, index: int, attempt: int, settings: CandidatesConfig) -> GenerationRequest:
    seed = seed_of("candidate", prompt.id, index, attempt, settings.sampling.seed)
    return GenerationRequest(f"{prompt.id}/{index}/{attempt}", messages_of(prompt), settings.sampling, seed)


def _kept(
    drawn: SampledAnswers, place: tuple[Prompt, int], request: GenerationRequest, answer: GenerationResult
) -> bool:
    """Keep an answer; False if it has to be drawn again. One that failed is counted and not drawn again."""
    prompt, index = place
    drawn.tokens += answer.tokens
    if answer.finish == "error":
        drawn.failed += 1
        return True
    text, others = answer.text.strip(), drawn.answers[prompt.id]
    if not text or any(text == other for other, _ in others.values()):
        return False
    others[index] = (text, request.seed)
    return True


def _rows(
    prompts: Sequence[Prompt], drawn: SampledAnswers, settings: CandidatesConfig, model: Path
) -> list[Candidate]:
    """The candidates of all prompts that have at least two; with one there is no preference."""
    origin = provenance(model, settings.sampling, 0)
    return [
        with_id(Candidate("", prompt.id, index, text, replace(origin, seed=seed)))
        for prompt in prompts
        if len(drawn.answers[prompt.id]) >= 2
        for index, (text, seed) in sorted(drawn.answers[prompt.id].items())
    ]


def _tuned_gguf(config: Recipe, inputs: Mapping[str, Path], model: Path) -> GgufFile:
    """Merge, convert, quantise; a finished file is kept, the merged checkpoint on the way is not."""
    merged = model.with_name("merged")
    if not model.exists() and not merged.exists():
        say("merging the adapter into its base")
        merge_adapter(inputs["base"] / "checkpoint", inputs["sft"] / "adapter", merged)
    figures = to_gguf(merged, model, config.models.quantisation)
    shutil.rmtree(merged, ignore_errors=True)
    return figures


def _few(prompts: Sequence[Prompt], rows: Sequence[Candidate]) -> list[tuple[Prompt, str]]:
    """A few candidates with their prompts, spread over all."""
    by_id = {prompt.id: prompt for prompt in prompts}
    step = max(len(rows) // _COMPARED, 1)
    return [(by_id[row.prompt_id], row.text) for row in rows[::step][:_COMPARED]]


def gap_to_adapter(
    config: Recipe, inputs: Mapping[str, Path], model: Path, few: Sequence[tuple[Prompt, str]]
) -> AdapterGap:
    """The GGUF file's gap to the adapter model, nats per token; see `rectune.models.logprob_parity.gap`."""
    from rectune.models.loading import load_for_training, load_tokenizer, open_adapter
    from rectune.models.logprob_parity import answer_logps, gap

    say("comparing the GGUF file with the adapter model")
    compared = [(messages_of(prompt), text) for prompt, text in few]
    with LlamaEngine(model, config.candidates) as engine:
        theirs = [engine.loglikelihood(messages, [text])[0] for messages, text in compared]
    checkpoint = inputs["base"] / "checkpoint"
    exact = config.models.model_copy(update={"compute_dtype": "float32"})
    adapter = open_adapter(
        load_for_training(checkpoint, exact), inputs["sft"] / "adapter", trainable=False
    ).eval()
    tokenizer = load_tokenizer(checkpoint)
    ours = [answer_logps(adapter, tokenizer, messages, text) for messages, text in compared]
    return AdapterGap(
        nats_per_token=round(gap(ours, theirs), 6), answers=len(compared), tokens=sum(map(len, ours))
    )


def _dropped(asked: int, drawn: SampledAnswers, rows: Sequence[Candidate]) -> dict[str, int]:
    alone = asked - drawn.identical - drawn.failed - len(rows)
    dropped = {"identical or empty": drawn.identical, "failed": drawn.failed, "alone in its prompt": alone}
    return {reason: count for reason, count in dropped.items() if count}
