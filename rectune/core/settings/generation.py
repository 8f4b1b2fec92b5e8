"""What writes text, and how it is asked: the sections `models`, `prompts`, `generate` and `candidates`."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from rectune.core.settings.base import Count, Fraction, Section, Share, free


class Models(Section):
    """The model that is tuned.

    `base`: `embedded`, `tiny` (two random layers with the embedded tokenizer), a folder, a GGUF file, or a Hub id
    (`org/name` or `org/name@revision`). `compute` is the type of the arithmetic around 4-bit weights. `quantisation` is
    that of the GGUF files in which base and tuned model are sampled and ranked.
    """

    base: str = "embedded"
    load_in_4bit: bool = True
    compute: Literal["auto", "float32", "bfloat16", "float16"] = "auto"
    quantisation: str = "Q8_0"


class Prompts(Section):
    """How cases are worded. The maps hold relative weights; `listwise` counts the candidates a listwise prompt shows.

    `max_tokens` bounds a prompt, system message and the opening of the answer included, in tokens of the base model; of
    a history that is too long the oldest items are left out. `test_templates` says whether prompts of the tests are
    worded as those of the training are (`seen`), with templates that no training prompt uses (`held_out`), or `both`.
    """

    locales: dict[Literal["en", "ko"], Share]
    scenarios: dict[Literal["passive", "active"], Share]
    forms: dict[Literal["direct", "listwise"], Share]
    listwise: Annotated[int, Field(ge=2)] = 5
    max_tokens: Count = 448
    test_templates: Literal["seen", "held_out", "both"] = "seen"
    seed: int = 0


class Sampling(Section):
    """How a model samples. `max_tokens` bounds the answer; `temperature` 0 is greedy; `top_k` 0 means all."""

    max_tokens: Count = 96
    temperature: Annotated[float, Field(ge=0.0)] = 0.7
    top_k: Annotated[int, Field(ge=0)] = 40
    top_p: Fraction = 0.95
    min_p: Fraction = 0.05
    repeat_penalty: Annotated[float, Field(ge=0.0)] = 1.0
    seed: int = 0


class Engine(Section):
    """How llama.cpp runs; none of it changes what is asked.

    `context` is tokens a sequence, `slots` sequences at once, `threads` 0 and `slots` 0 leave the choice to the engine,
    `gpu_layers` -1 puts all layers on an accelerator where there is one. `workers` above 0 spreads the work over that
    many processes, each with its own model, under Ray. `weights` `auto` lets a processor compute with a copy of the
    model in a type that it multiplies faster, where the file's type has no batched kernels; `file` takes the file as
    it is.
    """

    context: Count = free(1536)
    slots: Annotated[int, Field(ge=0)] = free(16)
    threads: Annotated[int, Field(ge=0)] = free(0)
    gpu_layers: int = free(-1)
    workers: Annotated[int, Field(ge=0)] = free(0)
    weights: Literal["auto", "file"] = free("auto")


class Remote(Section):
    """How a model behind a server is asked: `concurrency` requests in flight, `timeout` seconds a request, `retries`
    after the first try, `requests_per_minute` at most (0: as many as it takes)."""

    concurrency: Count = free(16)
    timeout: Annotated[float, Field(gt=0.0)] = free(120.0)
    retries: Annotated[int, Field(ge=0)] = free(5)
    requests_per_minute: Annotated[int, Field(ge=0)] = free(0)


class Teacher(Section):
    """A model that writes training text, and its share of the rows.

    `model` is a GGUF reference, or, with `server` (the base address of an OpenAI-compatible server, such as
    http://localhost:8080/v1), the name that the server knows it by.
    """

    model: str
    server: str = ""
    share: Share = 1.0


class Generate(Engine):
    """Queries and rationales.

    `attempts` counts tries a query, each with another seed, before its row is given up. `failures` is the share of the
    requests that may fail for good before the stage ends with an error. `remote` is for teachers behind a server.
    """

    teachers: list[Teacher] = Field(min_length=1)
    query: Sampling
    rationale: Sampling
    attempts: Count = 3
    failures: Fraction = 0.02
    remote: Remote = Remote()


class Candidates(Engine):
    """The answers a person chooses among: `answers` different ones a prompt, from a GGUF of the tuned model.

    `prompts` bounds how many prompts are answered (0: all that are fresh); of more than that so many are chosen that
    domains, kinds and locales come equally often, as far as there are any.
    """

    prompts: Annotated[int, Field(ge=0)] = 0
    answers: Annotated[int, Field(ge=2)] = 5
    sampling: Sampling
