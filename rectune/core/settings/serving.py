"""Use of the finished model: the sections `retrieval`, `evaluate`, `report` and `release`."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from rectune.core.settings.base import NonNegativeInt, PositiveInt, Section, runtime_only
from rectune.core.settings.generation import EngineConfig, SamplingConfig
from rectune.core.settings.ranking import BY_NAME_ONLY, RANKER_NAMES, known_name
from rectune.core.types import Locale


class RetrievalConfig(EngineConfig):
    """Grounding: how answers are resolved to real items, and how reasons are written."""

    embedder: str = "embedded"
    """Embedding model of the index and of rankers: `embedded` (MiniLM, English), a sentence-transformers Hub
    id, or a folder of one, as `rectune tune-embedder` writes it."""
    top: PositiveInt = 5
    """Number of items in a recommendation."""
    grounding: Literal["ranked", "retrieve", "constrained"] = "ranked"
    """What chooses the items: `ranked` is what the stage `fit` chose, and the model only words the reasons;
    `retrieve` searches the catalogue for the text that the model wrote; `constrained` lets the model name
    only titles of the catalogue, which needs a better model."""
    beam: PositiveInt = 8
    """Beam size of `constrained`, in prefixes of titles. More find likelier titles and take longer."""
    min_similarity: Literal["auto"] | Annotated[float, Field(ge=-1.0, le=1.0)] = "auto"
    """Cosine of the nearest item below which nothing fits a request; `auto` is calibrated on the
    catalogue."""
    chunk: Annotated[int, Field(ge=100)] = 700
    """Maximum number of characters of a chunk. Longer chunks hold more context and are found less exactly."""
    overlap: NonNegativeInt = 1
    """Sentences that neighbouring chunks share."""
    ann_threshold: PositiveInt = 100_000
    """Number of chunks from which on vectors are searched by IVF-PQ, which is faster and may miss some."""
    attempts: NonNegativeInt = 3
    """Tries for reasons that claim nothing beyond the item's facts, before a template sentence is used; 0
    generates no reasons."""
    cases: NonNegativeInt = 200
    """Number of test prompts in the grounding report."""
    compare: bool = True
    """Whether all ways of choosing the items are measured in the report, which takes longer."""
    sampling: SamplingConfig = SamplingConfig(max_tokens=256, temperature=0.3, repeat_penalty=1.1)
    """How reasons are sampled."""


# Systems by the names that recipes give them: language models, and the rankers in `rectune.rankers.base`.
TUNED = ("base", "sft", "dpo")
CHOSEN = "chosen"  # what the stage `fit` chose
SYSTEMS = (*RANKER_NAMES, CHOSEN, *TUNED)

ScoringMethodName = Literal[
    "total",
    "prior",
    "fused",
    "lexical",
    "hybrid",
    "continuation",
    "continuation_hybrid",
    "parsed",
    "retrieved",
    "listed",
]
_SCORING_METHODS: list[ScoringMethodName] = [
    "total",
    "prior",
    "fused",
    "lexical",
    "hybrid",
    "parsed",
    "retrieved",
    "listed",
]


class EvaluateConfig(EngineConfig):
    """How models and rankers rank one target, the item really taken next, among candidates."""

    systems: list[Annotated[str, known_name(SYSTEMS, "system")]] = Field(
        default=[name for name in SYSTEMS if name not in BY_NAME_ONLY], min_length=1
    )
    """The systems that are compared: rankers, and language models by the likelihood of each title; see
    docs/evaluation.md. `module:Class` names your own ranker."""
    scoring_methods: list[ScoringMethodName] = Field(default=_SCORING_METHODS)
    """Additional scoring methods of each language model; see docs/evaluation.md. `parsed`, `retrieved` and
    `listed` generate text, which takes longest; `continuation` and `continuation_hybrid` score every title a
    second time, as the next line of a list of those liked."""
    protocols: list[Literal["uniform", "popularity", "full"]] = Field(
        default=["uniform", "popularity", "full"]
    )
    """Candidates besides those of the data stage: drawn uniformly, drawn by popularity, or the whole
    catalogue (for rankers, and for answers that retrieve)."""
    served: NonNegativeInt = 500
    """Maximum number of test users per domain for whom the recommender is really asked, beside every ranker
    that the stage `fit` fitted; 0 is none. More narrow the intervals."""
    model_cases: NonNegativeInt = 0
    """Number of test cases that language models rank, domains in turn; 0 is all of them. Rankers, which are
    cheap, rank all of them in any case."""
    num_candidate_draws: PositiveInt = 3
    """Number of draws of candidates in a protocol, and of orders in which candidates are listed."""
    num_model_draws: NonNegativeInt = 3
    """How many of these draws language models rank by likelihood; each adds the same time again."""
    tuning: NonNegativeInt = 200
    """Number of cases, of users who are in no test, on which the weights of the scoring methods that have
    any are chosen; 0 uses one half for each."""
    memorisation: NonNegativeInt = 25
    """Titles and cases per domain on which memorisation by the base model is measured; 0 is none."""
    samples: PositiveInt = 20
    """Number of answers that the report shows."""
    answers: NonNegativeInt = 200
    """Maximum number of test prompts that `sft` and `dpo` both answer in text, to be compared; 0 is none."""
    bootstrap: PositiveInt = 10_000
    """Bootstrap resamples for confidence intervals. More make the bounds more stable."""
    seed: int = 7
    """Seed of all draws, and of the resamples."""


class ReportConfig(Section):
    """The page with everything that was measured."""

    locale: Locale = "en"
    """Language of the report, English or Korean: of its sentences and tables, not of titles and answers."""


class ReleaseConfig(Section):
    """The exported model, and what `rectune push` sends."""

    merge: Literal["auto", "dequantised", "original"] = "auto"
    """Which form of a base trained in 4 bits the adapter is merged into: its dequantised 4-bit weights, or
    the original ones; `auto` measures both and takes what is closer to the adapter model."""
    quantisations: list[str] = Field(default=["Q4_K_M", "Q8_0"], min_length=1)
    """Quantisation types of the exported GGUF files; the first is `model.gguf`."""
    adapter_gguf: bool = True
    """Whether the adapter is also written as GGUF, for llama.cpp's --lora."""
    parity_cases: NonNegativeInt = 24
    """Number of test cases that every exported file ranks, to be compared with the trained model; the first 8
    of them are answered in the comparison of log-probabilities too. 0 is none."""
    allow_failed_parity: bool = runtime_only(False)
    """Whether an export that fails its checks is kept. It is never pushed."""
    repo: str = runtime_only("")
    """Hub repository of `rectune push`, as user/name: a model repository and a dataset repository of that
    name."""
    private: bool = runtime_only(True)
    """Whether a repository that `push` creates is private."""
    dry_run: bool = runtime_only(True)
    """Whether `push` only shows the files, their sizes and the cards, and uploads nothing."""
    licence: str = runtime_only("apache-2.0")
    """Licence of the weights, for the card; the base model's licence may require another one."""
    artifacts: list[Literal["adapter", "merged", "gguf", "dataset", "preferences"]] = runtime_only(
        ["adapter", "merged", "gguf", "dataset", "preferences"], min_length=1
    )
    """The kinds of artifacts that `push` uploads, one commit each."""
    exclude_ids: list[str] = runtime_only([])
    """Ids of rows that are not published, after a person has checked what the push refused."""
