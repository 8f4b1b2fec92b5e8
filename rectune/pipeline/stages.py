"""The table of stages: reading it shows the whole pipeline.

A stage is one function `run(config, inputs, out) -> figures`. `sections` are the parts of the recipe that it
sees and that go into its key; `inputs` the stages whose folders it reads; `outside` what it reads that no
stage made. Raise `version` when a change of its code invalidates its results.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from rectune.core.artifacts import ArtifactStore
from rectune.core.errors import UserError
from rectune.core.recipe import Recipe
from rectune.pipeline import external_inputs
from rectune.pipeline.machines import ALONE, ProcessGroup, process_group_of

Outside = Callable[[Recipe, ArtifactStore, Mapping[str, str]], dict[str, str]]


def _nothing(recipe: Recipe, store: ArtifactStore, inputs: Mapping[str, str]) -> dict[str, str]:
    return {}


def _alone(recipe: Recipe) -> ProcessGroup:
    return ALONE


def _no_more(recipe: Recipe) -> tuple[str, ...]:
    return ()


def _last_choice(recipe: Recipe) -> tuple[str, ...]:
    """The stage that chooses after `fit`, where the recipe switches it on."""
    return ("allmrec_llm",) if recipe.allmrec.enabled else ()


def _both_of_allmrec(recipe: Recipe) -> tuple[str, ...]:
    return ("allmrec_items", "allmrec_llm") if recipe.allmrec.enabled else ()


def _language_model(recipe: Recipe) -> tuple[str, ...]:
    """The stages that make the language model of A-LLMRec."""
    return {"base": ("base",), "sft": ("base", "sft")}.get(recipe.allmrec.model, ())


@dataclass(frozen=True)
class Stage:
    """One row of the table. `process_group` gives the machines and processes of the stage, `modules` what it
    imports of the extras (`rectune.core.extras`), `conditional_inputs` the inputs that only some recipes
    have.
    """

    name: str
    function: str
    does: str
    sections: tuple[str, ...]
    inputs: tuple[str, ...] = ()
    outside: Outside = _nothing
    process_group: Callable[[Recipe], ProcessGroup] = _alone
    version: int = 1
    modules: tuple[str, ...] = ()
    conditional_inputs: Callable[[Recipe], tuple[str, ...]] = _no_more

    def inputs_for(self, recipe: Recipe | None) -> tuple[str, ...]:
        """All inputs under this recipe; without one, those of every recipe."""
        return (*self.inputs, *(self.conditional_inputs(recipe) if recipe else ()))


_TRAINING = ("trl", "peft", "accelerate", "datasets")

STAGES: tuple[Stage, ...] = (
    Stage(
        "data",
        "rectune.datagen.build:run",
        "raw files into tables, and into histories, targets and candidates",
        sections=("data",),
        outside=external_inputs.raw_files,
        version=3,
    ),
    Stage(
        "leave_last_out",
        "rectune.evaluation.leave_last_out:run",
        "rankers under the protocol of the literature; on request, nothing else needs it",
        sections=("leave_last_out", "retrieval"),
        inputs=("data",),
        outside=external_inputs.embedder,
    ),
    Stage(
        "held_out_ratings",
        "rectune.evaluation.held_out_ratings:run",
        "lists of known users judged by held-out ratings; on request, nothing else needs it",
        sections=("held_out_ratings", "retrieval"),
        inputs=("data",),
        outside=external_inputs.embedder,
    ),
    Stage(
        "random_split",
        "rectune.evaluation.random_split:run",
        "rankers on a random split of the likes; on request, nothing else needs it",
        sections=("random_split", "retrieval"),
        inputs=("data",),
        outside=external_inputs.embedder,
    ),
    Stage(
        "base",
        "rectune.models.prepare:run",
        "the base model as a checkpoint and as GGUF",
        sections=("models",),
        outside=external_inputs.base_model,
        modules=("torch", "transformers", "llama_cpp", "accelerate", "sentencepiece"),
    ),
    Stage(
        "queries",
        "rectune.datagen.queries:run",
        "search queries for active prompts, and all prompts rendered",
        sections=("models", "prompts", "generate"),
        inputs=("data", "base"),
        outside=external_inputs.teachers,
        version=4,
    ),
    Stage(
        "fit",
        "rectune.rankers.stage:run",
        "rankers fitted on likes and texts, tuned, and chosen among on held-out users; the index",
        sections=("fit", "retrieval"),
        inputs=("data", "queries"),
        outside=external_inputs.embedder,
        version=5,
        modules=("lancedb", "sentence_transformers"),
    ),
    Stage(
        "allmrec_items",
        "rectune.rankers.allmrec.items_stage:run",
        "A-LLMRec, stage 1: a space that items of a recommender and texts share; where switched on",
        sections=("fit", "allmrec", "retrieval", "generate"),
        inputs=("data", "fit"),
        outside=external_inputs.item_texts,
        version=2,
        modules=("torch", "sentence_transformers"),
    ),
    Stage(
        "rationales",
        "rectune.datagen.rationales:run",
        "responses that tie history or query to the item really taken",
        sections=("generate",),
        inputs=("data", "queries"),
        outside=external_inputs.teachers,
        version=3,
    ),
    Stage(
        "filter",
        "rectune.filters.stage:run",
        "bad responses out: ln(L)*L/C and the other rules",
        sections=("models", "filter"),
        inputs=("data", "base", "rationales"),
        version=4,
        modules=("numba", "rensa", "matplotlib"),
    ),
    Stage(
        "sft",
        "rectune.train.sft:run",
        "QLoRA instruction tuning under DeepSpeed",
        sections=("models", "train"),
        inputs=("data", "base", "filter"),
        outside=external_inputs.world_size_of("train"),
        process_group=lambda recipe: process_group_of(recipe.train),
        version=4,
        modules=_TRAINING,
    ),
    Stage(
        "allmrec_llm",
        "rectune.rankers.allmrec.llm_stage:run",
        "A-LLMRec, stage 2: a frozen language model reads that space; compared, and taken where it helps",
        sections=("fit", "allmrec", "retrieval"),
        inputs=("data", "queries", "fit", "allmrec_items"),
        outside=external_inputs.language_model,
        process_group=lambda recipe: process_group_of(recipe.allmrec),
        version=2,
        modules=("torch", "transformers", "sentence_transformers"),
        conditional_inputs=_language_model,
    ),
    Stage(
        "candidates",
        "rectune.align.candidates:run",
        "answers of the tuned model to fresh prompts",
        sections=("models", "candidates"),
        inputs=("base", "sft", "queries"),
        version=2,
    ),
    Stage(
        "tag",
        "rectune.align.annotation_stage:run",
        "best and worst answer of each prompt, and the pairs they make",
        sections=("align",),
        inputs=("data", "queries", "candidates"),
        outside=external_inputs.tags,
        version=5,
        modules=("matplotlib",),
    ),
    Stage(
        "dpo",
        "rectune.align.dpo:run",
        "direct preference optimisation on the pairs",
        sections=("models", "align"),
        inputs=("base", "sft", "tag"),
        outside=external_inputs.world_size_of("align"),
        process_group=lambda recipe: process_group_of(recipe.align),
        version=4,
        modules=_TRAINING,
    ),
    Stage(
        "export",
        "rectune.release.export:run",
        "the aligned model merged, as a checkpoint and as GGUF",
        sections=("models", "release"),
        inputs=("data", "queries", "base", "dpo"),
        version=2,
    ),
    Stage(
        "rerank",
        "rectune.recommender.rerank_stage:run",
        "how much the aligned model counts beside the chosen ranker, on users of no test",
        sections=("rerank", "retrieval"),
        inputs=("data", "queries", "fit", "candidates", "export"),
        version=2,
        modules=("lancedb", "sentence_transformers"),
        conditional_inputs=_last_choice,
    ),
    Stage(
        "recommend",
        "rectune.recommender.stage:run",
        "test prompts answered with real items, and the grounding report",
        sections=("retrieval",),
        inputs=("data", "queries", "fit", "export", "rerank"),
        version=7,
        modules=("lancedb", "sentence_transformers"),
        conditional_inputs=_last_choice,
    ),
    Stage(
        "eval",
        "rectune.evaluation.stage:run",
        "models and baselines ranked side by side",
        sections=("evaluate", "retrieval"),
        inputs=("data", "queries", "fit", "base", "candidates", "export", "rerank", "recommend"),
        version=8,
        conditional_inputs=_last_choice,
    ),
    Stage(
        "report",
        "rectune.evaluation.report:run",
        "everything that was measured, on one page",
        sections=("evaluate", "report"),
        inputs=(
            "data",
            "base",
            "queries",
            "fit",
            "rationales",
            "filter",
            "sft",
            "candidates",
            "tag",
            "dpo",
            "export",
            "rerank",
            "recommend",
            "eval",
        ),
        version=4,
        modules=("matplotlib",),
        conditional_inputs=_both_of_allmrec,
    ),
    Stage(
        "push",
        "rectune.release.push:run",
        "cards, and the upload to the Hub (dry unless the recipe says otherwise)",
        sections=("release",),
        inputs=(
            "data",
            "base",
            "queries",
            "rationales",
            "filter",
            "sft",
            "tag",
            "dpo",
            "export",
            "eval",
            "report",
        ),
        outside=external_inputs.push_settings,
        version=4,
    ),
)

LAST = "report"  # where `rectune run` ends by default: nothing is uploaded unasked


def find_stage(name: str) -> Stage:
    """The row of a stage.

    Raises:
        UserError: there is no such stage.
    """
    names = [stage.name for stage in STAGES]
    if name not in names:
        near = difflib.get_close_matches(name, names, n=1)
        hint = f"did you mean {near[0]}? " if near else ""
        raise UserError(f"there is no stage {name}", hint=f"{hint}stages: {', '.join(names)}")
    return STAGES[names.index(name)]


def needed_for(last: str, recipe: Recipe | None = None) -> list[Stage]:
    """The stages that lead to `last`, itself included, in the order of the table.

    Args:
        last: its name.
        recipe: the stages that it switches on are among them; without one, none of these is.
    """
    wanted, waiting = set[str](), [find_stage(last).name]
    while waiting:
        name = waiting.pop()
        wanted.add(name)
        waiting += [source for source in find_stage(name).inputs_for(recipe) if source not in wanted]
    return [stage for stage in STAGES if stage.name in wanted]
