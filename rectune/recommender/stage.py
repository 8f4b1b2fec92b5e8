"""The stage `recommend`: test prompts answered with real items, and the grounding report."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import zip_longest
from pathlib import Path
from statistics import fmean

from rectune.core.artifacts import generation_cache_path, write_atomically
from rectune.core.catalogue import Catalogue, load_catalogue
from rectune.core.extras import needs_extra
from rectune.core.figures import RecommendFigures
from rectune.core.figures.grounding import GroundedAnswers, GroundingReport, ShownItem, ShownRecommendation
from rectune.core.figures.record import listed_json
from rectune.core.recipe import Recipe
from rectune.core.rows import read_rows
from rectune.core.text.markdown import joined
from rectune.core.types import Prompt
from rectune.rankers.chosen import ChosenRanker
from rectune.rankers.stage import choice_folder, chosen_path
from rectune.recommender.formatting import record
from rectune.recommender.generative import GenerativeRecommender, GroundedChoice, Mode, Recommendation
from rectune.recommender.grounding_report import AnsweredPrompt, grounding_tables, relevance, shares
from rectune.recommender.model_ranking import measured_model_ranking
from rectune.recommender.ranking import RequestRanker
from rectune.recommender.requests import RecommendationRequest, from_prompt
from rectune.retrieval.grounding import Grounding
from rectune.retrieval.index import open_index

MODES: tuple[Mode, ...] = ("ranked", "retrieve", "constrained")


@needs_extra("the stage recommend")
def run(config: Recipe, inputs: Mapping[str, Path], out: Path) -> RecommendFigures:
    """Write recommendations.json, grounding.json and grounding.md.

    The index and what ranks are those of the last stage that chose (`choice_folder`). recommendations.json
    lists what is shown: the first prompt of each domain and scenario. grounding.json is the report over
    `retrieval.cases` prompts, and over those shown.
    """
    settings = config.retrieval
    catalogue = load_catalogue(inputs["data"] / "items.parquet")
    prompts = covered_prompts(read_rows(inputs["queries"] / "prompts.parquet", Prompt), settings.cases)
    grounding = Grounding(list(catalogue.items.values()), open_index(choice_folder(inputs) / "index"))
    recommender = GenerativeRecommender(
        inputs["export"] / "model.gguf",
        grounding,
        settings,
        generation_cache_path(out),
        rankers=chosen_rankers(inputs, sorted({prompt.domain for prompt in prompts}), grounding, catalogue),
    )
    return answer_prompts(recommender, prompts, catalogue, out)


def chosen_rankers(
    inputs: Mapping[str, Path], domains: Sequence[str], grounding: Grounding, catalogue: Catalogue
) -> dict[str, RequestRanker]:
    """By domain what was chosen, with the index for words, and what `rerank` found to help.

    Args:
        inputs: fit, rerank, export; allmrec_llm where it is switched on.
        domains: those that are wanted.
        grounding: in the catalogue.
        catalogue: all items.
    """
    return {
        domain: RequestRanker(
            domain,
            ChosenRanker.load(chosen_path(choice_folder(inputs), domain)),
            lambda: grounding.index,
            measured_model_ranking(
                inputs.get("rerank"), domain, catalogue.of(domain), inputs["export"] / "model.gguf"
            ),
        )
        for domain in domains
    }


def answer_prompts(
    recommender: GenerativeRecommender, prompts: Sequence[Prompt], catalogue: Catalogue, out: Path
) -> RecommendFigures:
    """Write what `run` writes: the answers of a recommender to these prompts."""
    settings, grounding = recommender.retrieval, recommender.grounding
    requests = [from_prompt(prompt, catalogue) for prompt in prompts]
    drafts = recommender.drafts(requests)
    choices = {
        mode: recommender.choices(requests, drafts, mode)
        for mode in MODES
        if settings.compare or mode == settings.grounding
    }
    found = recommender.finished(requests, drafts, choices[settings.grounding])
    shown = {prompt.id for prompt in shown_prompts(prompts)}
    records = [
        _shown(prompt, one, catalogue)
        for prompt, one in zip(prompts, found, strict=True)
        if prompt.id in shown
    ]
    write_atomically(out / ShownRecommendation.file, listed_json(records))
    report = _report(recommender, prompts, found, choices)
    write_atomically(out / GroundingReport.file, report.to_json())
    tables = (table.to_markdown() for table in grounding_tables(report))
    write_atomically(out / "grounding.md", joined(*tables) + "\n")
    return RecommendFigures(
        rows_in=len(prompts),
        rows_out=len(found),
        dropped={},
        indexed=len(catalogue.items),
        chunks=grounding.index.chunks,
        grounded_by=grounded_by(found),
        grounding=report,
    )


def shown_prompts(prompts: Sequence[Prompt]) -> list[Prompt]:
    """The first direct test prompt of each domain and scenario."""
    first: dict[tuple[str, str], Prompt] = {}
    for prompt in _tests(prompts):
        first.setdefault((prompt.domain, prompt.scenario), prompt)
    return [first[key] for key in sorted(first)]


def covered_prompts(prompts: Sequence[Prompt], count: int) -> list[Prompt]:
    """The prompts shown, then others, taking domains and scenarios in turn, up to `count` in all."""
    shown = shown_prompts(prompts)
    first = {prompt.id for prompt in shown}
    groups: dict[tuple[str, str], list[Prompt]] = {}
    for prompt in _tests(prompts):
        if prompt.id not in first:
            groups.setdefault((prompt.domain, prompt.scenario), []).append(prompt)
    in_turn = [
        p for turn in zip_longest(*(groups[key] for key in sorted(groups))) for p in turn if p is not None
    ]
    return [*shown, *in_turn[: max(0, count - len(shown))]]


def grounded_by(recommendations: Sequence[Recommendation]) -> dict[str, float]:
    """Share of the answers whose first item was found by each step of grounding."""
    counts = Counter(r.items[0].how if r.items else "nothing" for r in recommendations)
    return {how: count / len(recommendations) for how, count in sorted(counts.items())}


def _tests(prompts: Sequence[Prompt]) -> list[Prompt]:
    return [prompt for prompt in prompts if prompt.split == "test" and prompt.form == "direct"]


def _report(
    recommender: GenerativeRecommender,
    prompts: Sequence[Prompt],
    found: Sequence[Recommendation],
    choices: Mapping[Mode, Sequence[GroundedChoice]],
) -> GroundingReport:
    """The grounding report of the drafts and of the answers by each method."""
    grounding, settings = recommender.grounding, recommender.retrieval
    drafts = [
        AnsweredPrompt(one.request, one.draft, target=prompt.target)
        for prompt, one in zip(prompts, found, strict=True)
    ]
    modes: dict[str, GroundedAnswers] = {}
    for mode, some in choices.items():
        final = found if mode == settings.grounding else recommender.finished(*_asked(found), some, 0)
        answers = [
            AnsweredPrompt(one.request, one.answer, one.items, one.fits, prompt.target)
            for prompt, one in zip(prompts, final, strict=True)
        ]
        modes[mode] = GroundedAnswers(
            answers=shares(answers, grounding),
            relevance=relevance(drafts, answers, grounding, settings.embedder),
            reasons=dict(sorted(Counter(one.reasons_by or "none" for one in final).items())),
        )
    return GroundingReport(
        cases=len(prompts),
        grounding=settings.grounding,
        min_similarities=dict(sorted(grounding.index.min_similarities.items())),
        draft=shares(drafts, grounding),
        modes=modes,
        same_item=_agreement(list(choices.values())),
    )


def _agreement(choices: Sequence[Sequence[GroundedChoice]]) -> float | None:
    """The share of prompts for which all ways recommend the same item; None if only one was measured."""
    if len(choices) < 2 or not choices[0]:
        return None
    first = [[choice.items[0].item_id if choice.items else "" for choice in some] for some in choices]
    return fmean(len(set(items)) == 1 for items in zip(*first, strict=True))


def _asked(found: Sequence[Recommendation]) -> tuple[list[RecommendationRequest], list[str]]:
    return [one.request for one in found], [one.draft for one in found]


def _shown(prompt: Prompt, recommendation: Recommendation, catalogue: Catalogue) -> ShownRecommendation:
    choice = recommendation.choice
    return ShownRecommendation(
        prompt_id=prompt.id,
        domain=prompt.domain,
        scenario=prompt.scenario,
        history=tuple(recommendation.request.titles),
        query=prompt.query,
        answer=recommendation.answer or "Nothing in the catalogue fits.",
        draft=recommendation.draft,
        named=recommendation.named is not None,
        reasons_by=recommendation.reasons_by,
        nearness=choice.nearness,
        min_similarity=choice.min_similarity,
        target=catalogue.get(prompt.domain, prompt.target).title,
        items=tuple(ShownItem(**record(item)) for item in recommendation.items),
    )
