"""Models, prompts and text generation: the sections `models`, `prompts`, `generate` and `candidates`."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, field_validator, model_validator

from rectune.core.settings.base import (
    ByLocale,
    Fraction,
    NonNegativeInt,
    PositiveFloat,
    PositiveInt,
    Section,
    Weight,
    runtime_only,
)
from rectune.core.types import Locale


class ModelsConfig(Section):
    """The model that is tuned."""

    base: str = "embedded"
    """`embedded` (SmolLM2-135M-Instruct, English), `tiny` (two random layers with its tokenizer, for tests),
    a folder, a GGUF file, or a Hub id (`org/name` or `org/name@revision`)."""
    load_in_4bit: bool = True
    """Whether the base is loaded in 4 bits (NF4) while adapters are trained: a quarter of the memory of 16
    bits."""
    compute_dtype: Literal["auto", "native", "float32", "bfloat16", "float16"] = "auto"
    """Type of the computation with the 4-bit weights; `auto` is bfloat16 or, where the accelerator lacks it,
    float16, and float32 on a CPU, so that a recipe gives the same result on all CPUs. `native` is bfloat16 on
    those CPUs too that multiply matrices of it in hardware (AMX), which is faster there."""
    quantisation: str = "Q8_0"
    """Type of the GGUF files in which base and tuned model are sampled and ranked. Smaller types take less
    memory and lose some accuracy."""


class PromptsConfig(Section):
    """How cases become prompts."""

    locales: dict[Literal["en", "ko"], Weight] = Field(default={"en": 0.5, "ko": 0.5})
    """Relative weights of the languages. Use `{en: 1}` for a base model that knows no Korean."""
    scenarios: dict[Literal["passive", "active"], Weight] = Field(default={"passive": 0.6, "active": 0.4})
    """Relative weights of `passive` prompts, which show a history, and `active` ones, which have a query
    too. `{passive: 1}` asks for no query at all, also in the tests: for a teacher that cannot write them."""
    forms: dict[Literal["direct", "listwise"], Weight] = Field(default={"direct": 0.6, "listwise": 0.4})
    """Relative weights of `direct` prompts, which ask for one item, and `listwise` ones, which ask for a
    ranking."""
    listwise: Annotated[int, Field(ge=2)] = 20
    """Number of candidates in a listwise prompt, `data.num_candidates` at most. Fewer make shorter prompts
    and answers."""
    max_tokens: ByLocale = 1280
    """Maximum number of tokens of a prompt, including system message and generation prompt; the oldest items
    of a longer history are left out. One number, or one for each language of `locales`, as `{en: 448, ko:
    1200}`: a model that hardly knows Korean needs several times the tokens for it. The largest must leave
    room for a response within `train.max_length` and `align.max_length`."""
    test_templates: Literal["seen", "held_out", "both"] = "seen"
    """Templates of test prompts: those of the training, those that no training prompt uses (`held_out`), or
    `both`."""
    seed: int = 7
    """Seed of the choice of language, scenario, form and template."""

    @model_validator(mode="after")
    def _a_limit_for_each_locale(self) -> Self:
        if isinstance(self.max_tokens, dict) and (lack := set(self._used) - set(self.max_tokens)):
            raise ValueError(f"prompts.max_tokens has no number for {', '.join(sorted(lack))}")
        return self

    @property
    def _used(self) -> list[Locale]:
        return [locale for locale, weight in self.locales.items() if weight > 0]

    @property
    def token_limits(self) -> dict[Locale, int]:
        """The maximum number of tokens of a prompt in each language that is used."""
        one = self.max_tokens
        return {locale: one[locale] if isinstance(one, dict) else one for locale in self._used}


class SamplingConfig(Section):
    """Sampling parameters."""

    max_tokens: PositiveInt = 96
    """Maximum number of tokens of an answer; longer ones are cut. Meant for English: prompts in another
    language get as many times the tokens as the model needs for the same words, up to half of the
    context."""
    temperature: Annotated[float, Field(ge=0.0)] = 0.7
    """Divides the logits: higher gives more variety, 0 is greedy."""
    top_k: NonNegativeInt = 40
    """Sampling from this many likeliest tokens; 0 is all."""
    top_p: Fraction = 0.95
    """Sampling from the likeliest tokens that together have this probability."""
    min_p: Fraction = 0.05
    """Sampling from tokens with at least this share of the likeliest token's probability."""
    repeat_penalty: Annotated[float, Field(ge=0.0)] = 1.0
    """Divides positive and multiplies negative logits of the answer's last 64 tokens; 1 changes nothing."""
    seed: int = 7
    """Seed from which the seed of each request is derived."""


class EngineConfig(Section):
    """How llama.cpp runs; none of it is part of the requests."""

    context: PositiveInt = runtime_only(3072)
    """Context size of a sequence in tokens. Must hold the longest prompt and its answer."""
    max_num_seqs: NonNegativeInt = runtime_only(64)
    """Sequences generated together; 0 is as many as fit into memory, up to 16, or 64 on an accelerator. On
    two CPU cores 16 were fastest."""
    threads: NonNegativeInt = runtime_only(0)
    """CPU threads; 0 leaves the number to the engine."""
    gpu_layers: int = runtime_only(-1)
    """Layers on the accelerator, if there is one; -1 is all. Use fewer for a model larger than its memory."""
    workers: NonNegativeInt = runtime_only(0)
    """Worker processes under Ray, each with its own model; 0 generates in the stage's process. See
    docs/cluster.md."""
    weights: Literal["auto", "file"] = runtime_only("auto")
    """`auto` lets a CPU compute with a copy of the model in a faster type, where there is one; `file` uses
    the file as it is, with less memory."""


class RemoteConfig(Section):
    """Requests to a model behind a server."""

    concurrency: PositiveInt = runtime_only(16)
    """Requests in flight at once."""
    timeout: PositiveFloat = runtime_only(120.0)
    """Seconds before a request times out."""
    retries: NonNegativeInt = runtime_only(5)
    """Retries of a failed request."""
    requests_per_minute: NonNegativeInt = runtime_only(0)
    """Maximum number of requests per minute, retries included; 0 is no limit."""


class TeacherConfig(Section):
    """A model that writes training text."""

    model: str
    """A GGUF reference (`embedded`, a file, `org/name:file.gguf` on the Hub), or the name a `server` knows it
    by."""
    server: str = ""
    """Base address of an OpenAI-compatible server, as http://localhost:8080/v1; "" runs the model here."""
    weight: Weight = 1.0
    """Relative weight among the teachers: the share of rows that it writes."""


class GenerateConfig(EngineConfig):
    """Queries and rationales, written by teacher models."""

    teachers: list[TeacherConfig] = Field(default=[TeacherConfig(model="embedded")], min_length=1)
    """The teacher models. Several make the text more varied."""
    query: SamplingConfig = SamplingConfig(max_tokens=16)
    """How the search queries of active prompts are sampled."""
    rationales: Literal["teacher", "template"] = "teacher"
    """Who writes the reasons in responses: the teachers, or sentences made of what the catalogue says, for
    languages and domains in which no teacher at hand can be trusted."""
    rationale: SamplingConfig = SamplingConfig(max_tokens=256, temperature=0.5, repeat_penalty=1.05)
    """How the reasons in responses are sampled."""
    rationale_samples: PositiveInt = 1
    """Texts that a teacher writes for each response (best-of-n): kept is the one of which the largest share
    of words has a source in catalogue, history or query. Each takes as long again."""
    attempts: PositiveInt = 4
    """Tries for a query, each with another seed, before the case gets a passive prompt instead."""
    max_failure_ratio: Fraction = 0.02
    """Maximum share of requests that may fail for good before the stage ends with an error."""
    remote: RemoteConfig = RemoteConfig()
    """Requests to teachers behind a server."""

    @field_validator("teachers")
    @classmethod
    def _each_teacher_once(cls, teachers: list[TeacherConfig]) -> list[TeacherConfig]:
        known = [(teacher.model, teacher.server) for teacher in teachers]
        if twice := [model for at, (model, server) in enumerate(known) if (model, server) in known[:at]]:
            raise ValueError(f"{twice[0]} is named twice: give it one share")
        return teachers


class CandidatesConfig(EngineConfig):
    """The candidate answers that annotators tag, sampled from a GGUF of the tuned model."""

    prompts: NonNegativeInt = 1000
    """Number of fresh prompts that are answered, balanced over domains, kinds and locales as far as possible;
    0 is all. Each is one decision of an annotator."""
    answers: Annotated[int, Field(ge=2)] = 5
    """Number of different answers per prompt."""
    sampling: SamplingConfig = SamplingConfig(max_tokens=768, temperature=0.9, top_k=50)
    """How they are sampled; a high temperature makes them differ."""
