"""What the finished model is for: the sections `retrieval`, `evaluate` and `release`."""

from __future__ import annotations

import difflib
from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from rectune.core.settings.base import NonNegativeInt, PositiveInt, Section, runtime_only
from rectune.core.settings.generation import EngineConfig, SamplingConfig


class RetrievalConfig(EngineConfig):
    """Grounding: how answers become real items, and how reasons are written."""

    embedder: str = "embedded"
    """The model that says what is near: `embedded` (MiniLM, English) or a sentence-transformers Hub id."""
    top: PositiveInt = 5
    """Items of a recommendation."""
    grounding: Literal["retrieve", "constrained"] = "retrieve"
    """`retrieve` lets the model write and searches the catalogue for what it wrote; `constrained` lets it
    name only titles of the catalogue, which asks for more of the model."""
    beam: PositiveInt = 8
    """Beginnings of titles that `constrained` keeps at a time. More find likelier titles and take longer."""
    min_similarity: Literal["auto"] | Annotated[float, Field(ge=-1.0, le=1.0)] = "auto"
    """Cosine below which nothing fits a wish; `auto` is calibrated on the catalogue."""
    chunk: Annotated[int, Field(ge=100)] = 700
    """Characters of a piece of text at most. Longer ones hold more context, and are found less exactly."""
    overlap: NonNegativeInt = 1
    """Sentences that neighbouring pieces share."""
    ann_threshold: PositiveInt = 100_000
    """From so many pieces on vectors are searched by IVF-PQ, which is faster and may miss some."""
    attempts: NonNegativeInt = 3
    """Tries at reasons that say nothing which is not on record, before a plain sentence stands in; 0 asks no
    model for reasons."""
    cases: NonNegativeInt = 200
    """Test prompts in the grounding report."""
    compare: bool = True
    """Whether both ways of grounding are measured in the report, which takes twice the time."""
    sampling: SamplingConfig = SamplingConfig(max_tokens=256, temperature=0.3, repeat_penalty=1.1)
    """How reasons are sampled."""


# Systems by the names that recipes give them: language models, and the rankers in `rectune.rankers.base`.
TUNED = ("base", "sft", "dpo")
SYSTEMS = ("random", "popularity", "bm25", "embedding_mean", "embedding_best", "hybrid", "item_knn", *TUNED)

ScoringMethodName = Literal["total", "prior", "fused", "lexical", "hybrid", "parsed", "retrieved", "listed"]
_WAYS: list[ScoringMethodName] = [
    "total",
    "prior",
    "fused",
    "lexical",
    "hybrid",
    "parsed",
    "retrieved",
    "listed",
]


def _known_system(name: str) -> str:
    """A name that means something here, or `module:Class`."""
    if name in SYSTEMS or ":" in name:
        return name
    near = difflib.get_close_matches(name, SYSTEMS, n=1)
    hint = f"did you mean {near[0]}? " if near else ""
    raise ValueError(f"unknown system, {hint}there are {', '.join(SYSTEMS)}, or module:Class of your own")


class EvaluateConfig(EngineConfig):
    """One target, the item really taken next, among candidates: how models and rankers order them."""

    systems: list[Annotated[str, AfterValidator(_known_system)]] = Field(default=list(SYSTEMS), min_length=1)
    """What is ranked side by side: rankers, and language models by the likelihood of each title; see
    docs/evaluation.md. `module:Class` names a ranker of your own."""
    scoring_methods: list[ScoringMethodName] = Field(default=_WAYS)
    """Further ways in which each language model ranks; see docs/evaluation.md. `parsed`, `retrieved` and
    `listed` have it write, which takes longest."""
    protocols: list[Literal["uniform", "popularity", "full"]] = Field(
        default=["uniform", "popularity", "full"]
    )
    """Candidates beside those of the data stage: drawn here each alike, drawn by popularity, or the whole
    catalogue (for rankers, and for answers that retrieve)."""
    num_candidate_draws: PositiveInt = 3
    """Draws of candidates in a protocol, and orders in which candidates are listed."""
    num_model_draws: NonNegativeInt = 3
    """How many of these draws language models rank by likelihood; each takes their time once more."""
    tuning: NonNegativeInt = 200
    """Cases of no test user on which the weights of `prior`, `fused`, `lexical` and `hybrid` are chosen; 0
    takes one half for each."""
    memorisation: NonNegativeInt = 25
    """Titles and cases a domain on which the base model is asked what it knows by heart; 0 is none."""
    samples: PositiveInt = 20
    """Answers that the report shows."""
    answers: NonNegativeInt = 200
    """Test prompts at most that `sft` and `dpo` both answer in words, to be compared; 0 is none."""
    bootstrap: PositiveInt = 10_000
    """Resamples for confidence intervals. More make their ends steadier."""
    seed: int = 7
    """Seed of all draws, and of the resamples."""


class ReleaseConfig(Section):
    """The exported model, and what `rectune push` sends."""

    merge: Literal["auto", "dequantised", "original"] = "auto"
    """Form of a base trained in 4 bits that the adapter is merged into: its weights as training rounded them,
    or as they were; `auto` is whichever comes closer to the adapter model."""
    quantisations: list[str] = Field(default=["Q4_K_M", "Q8_0"], min_length=1)
    """Types of the exported GGUF files; the first is `model.gguf`."""
    adapter_gguf: bool = True
    """Whether the adapter alone is written for llama.cpp's --lora too."""
    parity_cases: NonNegativeInt = 24
    """Test cases that every exported file ranks, to be compared with the model that was trained; 0 is
    none."""
    allow_failed_parity: bool = runtime_only(False)
    """Whether an export that fails its checks is kept. It is never pushed."""
    repo: str = runtime_only("")
    """Where `rectune push` sends to, as user/name: a model repository and a dataset repository of that
    name."""
    private: bool = runtime_only(True)
    """Whether a repository that `push` makes is private."""
    dry_run: bool = runtime_only(True)
    """Whether `push` only shows the files, their sizes and the cards, and uploads nothing."""
    licence: str = runtime_only("apache-2.0")
    """Licence of the weights, for the card; that of the base model may ask for another one."""
    artifacts: list[Literal["adapter", "merged", "gguf", "dataset", "preferences"]] = runtime_only(
        ["adapter", "merged", "gguf", "dataset", "preferences"], min_length=1
    )
    """The kinds that `push` sends, a commit each."""
    exclude_ids: list[str] = runtime_only([])
    """Ids of rows that are not published, where a person looked at what the push refused."""
