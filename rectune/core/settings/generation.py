"""What writes text, and how it is asked: the sections `models`, `prompts`, `generate` and `candidates`."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, field_validator

from rectune.core.settings.base import (
    Fraction,
    NonNegativeInt,
    PositiveFloat,
    PositiveInt,
    Section,
    Weight,
    runtime_only,
)


class ModelsConfig(Section):
    """The model that is tuned."""

    base: str = "embedded"
    """`embedded` (SmolLM2-135M-Instruct, English), `tiny` (two random layers with its tokenizer, for tests),
    a folder, a GGUF file, or a Hub id (`org/name` or `org/name@revision`)."""
    load_in_4bit: bool = True
    """Whether the base is held in 4 bits (NF4) while adapters are trained: a quarter of the memory of 16
    bits."""
    compute_dtype: Literal["auto", "float32", "bfloat16", "float16"] = "auto"
    """Type of the arithmetic around the weights; `auto` is bfloat16 or, where the accelerator lacks it,
    float16, and float32 on a processor, so that a recipe gives one result on all of them."""
    quantisation: str = "Q8_0"
    """Type of the GGUF files in which base and tuned model are sampled and ranked. Smaller types take less
    memory and lose some accuracy."""


class PromptsConfig(Section):
    """How cases are worded."""

    locales: dict[Literal["en", "ko"], Weight] = Field(default={"en": 0.5, "ko": 0.5})
    """Relative weights of the languages. A base model that knows no Korean wants `{en: 1}`."""
    scenarios: dict[Literal["passive", "active"], Weight] = Field(default={"passive": 0.6, "active": 0.4})
    """Relative weights of `passive` prompts, which show a history, and `active` ones, which have a query
    too."""
    forms: dict[Literal["direct", "listwise"], Weight] = Field(default={"direct": 0.6, "listwise": 0.4})
    """Relative weights of `direct` prompts, which ask for one item, and `listwise` ones, which ask for a
    ranking."""
    listwise: Annotated[int, Field(ge=2)] = 20
    """Candidates that a listwise prompt shows, `data.num_candidates` at most. Fewer make shorter prompts and
    answers."""
    max_tokens: PositiveInt = 1280
    """Tokens of a prompt at most, system message and opening of the answer included; of a longer history the
    oldest items are left out. Must leave room for a response within `train.max_length` and
    `align.max_length`."""
    test_templates: Literal["seen", "held_out", "both"] = "seen"
    """Templates of test prompts: those of the training, those that no training prompt uses (`held_out`), or
    `both`."""
    seed: int = 7
    """Seed of the choice of language, scenario, form and template."""


class SamplingConfig(Section):
    """How a model samples."""

    max_tokens: PositiveInt = 96
    """Tokens of an answer at most; longer ones are cut. Korean takes more than English."""
    temperature: Annotated[float, Field(ge=0.0)] = 0.7
    """Divides the logits: higher varies more, 0 is greedy."""
    top_k: NonNegativeInt = 40
    """Only so many likeliest tokens are drawn from; 0 is all."""
    top_p: Fraction = 0.95
    """Only the likeliest tokens that together have this probability are drawn from."""
    min_p: Fraction = 0.05
    """Only tokens with at least this share of the likeliest one's probability are drawn from."""
    repeat_penalty: Annotated[float, Field(ge=0.0)] = 1.0
    """Divides the positive logits of the answer's last 64 tokens, and multiplies the negative ones; 1 changes
    nothing."""
    seed: int = 7
    """Seed from which every request's own is made."""


class EngineConfig(Section):
    """How llama.cpp runs; none of it changes what is asked."""

    context: PositiveInt = runtime_only(3072)
    """Tokens of a sequence, prompt and answer together. Must hold the longest prompt and its answer."""
    max_num_seqs: NonNegativeInt = runtime_only(64)
    """Sequences at once; 0 takes as many as memory holds, up to 16, or 64 on an accelerator. On two processor
    cores 16 were fastest."""
    threads: NonNegativeInt = runtime_only(0)
    """Threads of the processor; 0 leaves the number to the engine."""
    gpu_layers: int = runtime_only(-1)
    """Layers on the accelerator, where there is one; -1 is all. Fewer for a model that is larger than its
    memory."""
    workers: NonNegativeInt = runtime_only(0)
    """Processes under Ray, each with a model of its own; 0 works in the stage's process. See
    docs/cluster.md."""
    weights: Literal["auto", "file"] = runtime_only("auto")
    """`auto` lets a processor compute with a copy of the model in a type that it multiplies faster, where
    there is one; `file` takes the file as it is, with less memory."""


class RemoteConfig(Section):
    """How a model behind a server is asked."""

    concurrency: PositiveInt = runtime_only(16)
    """Requests in flight at once."""
    timeout: PositiveFloat = runtime_only(120.0)
    """Seconds that a request may take."""
    retries: NonNegativeInt = runtime_only(5)
    """Tries after the first one of a request that fails."""
    requests_per_minute: NonNegativeInt = runtime_only(0)
    """Requests a minute at most, tries included; 0 is as many as the server takes."""


class TeacherConfig(Section):
    """A model that writes training text."""

    model: str
    """A GGUF reference (`embedded`, a file, `org/name:file.gguf` on the Hub), or the name a `server` knows it
    by."""
    server: str = ""
    """Base address of an OpenAI-compatible server, as http://localhost:8080/v1; "" runs the model here."""
    weight: Weight = 1.0
    """Relative weight among the teachers: how much of the rows it writes."""


class GenerateConfig(EngineConfig):
    """Queries and rationales, which teachers write."""

    teachers: list[TeacherConfig] = Field(default=[TeacherConfig(model="embedded")], min_length=1)
    """The models that write. Several make the text more varied."""
    query: SamplingConfig = SamplingConfig(max_tokens=16)
    """How the search queries of active prompts are sampled."""
    rationale: SamplingConfig = SamplingConfig(max_tokens=256, temperature=0.5, repeat_penalty=1.05)
    """How the reasons in responses are sampled."""
    attempts: PositiveInt = 4
    """Tries at a query, each with another seed, before its row is given up."""
    max_failure_ratio: Fraction = 0.02
    """Share of the requests that may fail for good before the stage ends with an error."""
    remote: RemoteConfig = RemoteConfig()
    """How teachers behind a server are asked."""

    @field_validator("teachers")
    @classmethod
    def _each_teacher_once(cls, teachers: list[TeacherConfig]) -> list[TeacherConfig]:
        known = [(teacher.model, teacher.server) for teacher in teachers]
        if twice := [model for at, (model, server) in enumerate(known) if (model, server) in known[:at]]:
            raise ValueError(f"{twice[0]} is named twice: give it one share")
        return teachers


class CandidatesConfig(EngineConfig):
    """The answers that a person chooses among, from a GGUF of the tuned model."""

    prompts: NonNegativeInt = 1000
    """Fresh prompts that are answered, domains, kinds and locales as evenly as there are any; 0 is all there
    are. Each is one decision of an annotator."""
    answers: Annotated[int, Field(ge=2)] = 5
    """Different answers to a prompt."""
    sampling: SamplingConfig = SamplingConfig(max_tokens=768, temperature=0.9, top_k=50)
    """How they are sampled; a high temperature tells them apart."""
