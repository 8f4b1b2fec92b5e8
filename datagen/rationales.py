"""Stage `rationales`: the training responses, written by the teachers."""

from __future__ import annotations

import collections
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from rectune.core import settings
from rectune.core.artifacts import generation_cache_path
from rectune.core.catalogue import Catalogue, load_catalogue
from rectune.core.extras import needs_extra
from rectune.core.figures import RationalesFigures
from rectune.core.recipe import Recipe
from rectune.core.rng import seed_of
from rectune.core.rows import read_rows, write_rows
from rectune.core.types import Example, Prompt, Provenance, grouped, with_id
from rectune.datagen.best_of import Chosen, best_of, several
from rectune.inference.requests import GenerationRequest, GenerationResult
from rectune.inference.teachers import AskTeachers, ask_teachers
from rectune.prompts.responses import ranked_titles, respond, templated_response, wording_of
from rectune.prompts.teacher_prompts import brief, facts, rationale_messages, rationale_opening

ENGINE = "rectune"  # what provenance names where a template wrote a text


@needs_extra("the stage rationales")
def run(
    config: Recipe, inputs: Mapping[str, Path], out: Path, ask: AskTeachers = ask_teachers
) -> RationalesFigures:
    """Write a response for every training prompt; failed generations are left out and counted.

    With `generate.rationales: template` no teacher is asked.
    """
    prompts = [p for p in read_rows(inputs["queries"] / "prompts.parquet", Prompt) if p.split == "train"]
    catalogue = load_catalogue(inputs["data"] / "items.parquet")
    if config.generate.rationales == "template":
        examples = [templated(prompt, catalogue) for prompt in prompts]
        write_rows(out / "examples.parquet", examples, Example)
        return _figures(prompts, examples, {}, [], [])
    sampling = config.generate.rationale
    requests = {
        prompt.id: several(rationale_request(prompt, catalogue, sampling), config.generate.rationale_samples)
        for prompt in prompts
    }
    asked = [request for tries in requests.values() for request in tries]
    written = ask(asked, config.generate, generation_cache_path(out), "rationales")
    chosen = {prompt.id: best_of(prompt, requests[prompt.id], written, catalogue) for prompt in prompts}
    examples, failed = list[Example](), collections.Counter[str]()
    for prompt in prompts:
        answer, source = chosen[prompt.id].written
        if answer.finish == "error":
            failed[answer.error] += 1
            continue
        text = chosen[prompt.id].opening + answer.text
        response, by = respond(text, ranked_titles(prompt, catalogue), prompt, cut=answer.finish == "length")
        examples.append(with_id(Example("", prompt, response, replace(source, closing=by))))
    write_rows(out / "examples.parquet", examples, Example)
    return _figures(prompts, examples, failed, [answer for answer, _ in written.values()], chosen.values())


def templated(prompt: Prompt, catalogue: Catalogue) -> Example:
    """The response to a prompt whose reasons are sentences made of what the catalogue says."""
    response, seed = templated_response(prompt, catalogue, prompt.target), wording_of(prompt)
    return with_id(Example("", prompt, response, Provenance("template", "", "{}", seed, ENGINE, "template")))


def rationale_request(
    prompt: Prompt, catalogue: Catalogue, sampling: settings.SamplingConfig
) -> GenerationRequest:
    """The request to a teacher for a rationale; the oldest items of a long history are left out."""
    target = catalogue.get(prompt.domain, prompt.target)
    history = [catalogue.get(prompt.history_domain, item) for item in prompt.history]
    return GenerationRequest(
        id=prompt.id,
        messages=rationale_messages(target, history, prompt.query, prompt.locale),
        sampling=sampling,
        seed=seed_of("seed", "rationale", prompt.id, sampling.seed),
        prefill=_opening(prompt, catalogue),
        history=tuple(brief(item) for item in history),
        facts=facts(target, prompt.locale),
    )


def _opening(prompt: Prompt, catalogue: Catalogue) -> str:
    recent = catalogue.titles(prompt.history_domain, prompt.history)
    return rationale_opening(recent, prompt.query, prompt.locale, seed_of("seed", "opening", prompt.id))


def _figures(
    prompts: Sequence[Prompt],
    examples: Sequence[Example],
    failed: Mapping[str, int],
    answers: Sequence[GenerationResult],
    chosen: Collection[Chosen],
) -> RationalesFigures:
    return RationalesFigures(
        rows_in=len(prompts),
        rows_out=len(examples),
        dropped=dict(failed),
        closing=dict(collections.Counter(example.provenance.closing for example in examples)),
        teachers=dict(collections.Counter(example.provenance.model for example in examples)),
        stopped_by_limit=sum(answer.finish == "length" for answer in answers),
        shortened=sum(answer.left_out > 0 for answer in answers),
        left_out=sum(answer.left_out for answer in answers),
        tokens=sum(answer.tokens for answer in answers),
        texts=len(answers),
        unsupported=_mean(one.unsupported for one in chosen),
        first_unsupported=_mean(one.first_unsupported for one in chosen),
        domains={group: len(members) for group, members in grouped(examples, _place).items()},
    )


def _mean(shares: Iterable[float | None]) -> float | None:
    known = [share for share in shares if share is not None]
    return sum(known) / len(known) if known else None


def _place(example: Example) -> tuple[str, str]:
    return example.prompt.domain, example.prompt.category
