"""The typed sections of a recipe. Every field states its unit; a field made by `free` cannot change the result.

Free fields (workers, slots, log intervals) stay out of the run keys, so turning them never makes work again.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

Share = Annotated[float, Field(ge=0.0)]
Fraction = Annotated[float, Field(ge=0.0, le=1.0)]
Count = Annotated[int, Field(ge=1)]
Offload = Literal["none", "optimizer", "parameters"]


def free(default: Any, **bounds: Any) -> Any:
    """A field that cannot change a result and therefore stays out of the key."""
    return Field(default, json_schema_extra={"free": True}, **bounds)


class Section(BaseModel):
    """Base of all sections: unknown keys are refused, values are not changed after loading."""

    model_config = ConfigDict(extra="forbid", frozen=True, protected_namespaces=())


class Crossing(Section):
    """Training cases with a history in one domain and a target in another, of users whom both know.

    `history` and `target` are datasets of the recipe that share user ids, or one category of such a dataset, as
    `amazon/Electronics`. `share` is a weight beside those of `shares`.
    """

    history: str
    target: str
    share: Share


class Custom(Section):
    """A dataset of one's own: files below `root` (or absolute paths), and which column is what.

    The maps go from field to column; what they leave out is guessed from common names, "" means do not look. Fields of
    items: item_id, title, categories, description, year; of interactions: user_id, item_id, value, timestamp.
    Without `interactions` there are items only; without a value each interaction counts 1; without times histories
    are in no order. `kind` says what an interaction is; `domain` may be one of the eight or a name of one's own.
    """

    domain: str
    items: str
    interactions: str = ""
    item_columns: dict[str, str] = {}
    interaction_columns: dict[str, str] = {}
    categories_separator: str = "|"
    kind: Literal["rating", "click", "purchase", "play", "review"] = "rating"
    liked: float = 1.0
    licence: str = ""
    redistributable: bool = False


class Data(Section):
    """Which datasets become which cases.

    `root` holds one folder a dataset. `categories` names those that are read of a dataset that has categories, by
    dataset; all that are there where it says nothing. `shares` are relative weights of the mixture, by dataset;
    `shortfall` says what happens when one runs out: `accept` fewer cases, or `spread` them over the others. `liked`
    is the value (stars, points, hours played, clicks) from which an interaction counts as liked; interactions without
    a value (watched but not rated) never do.

    `train`, `preference` and `test` count cases; their users are disjoint. Where times are published, the earliest
    `train_until` of all likes are for training and preferences, and tests ask for later ones; 1 parts users alone.
    `candidates` counts the target too; the others are drawn `uniform`, by `popularity`, or `near` the target in the
    space of `embedder`, from the target's category where it has one. `malformed` is the share of a file's lines
    that may be unreadable before reading it is an error. `custom` describes datasets of one's own by name.
    """

    root: Path = Path("samples")
    datasets: list[str] = Field(min_length=1)
    categories: dict[str, list[str]] = {}
    shares: dict[str, Share]
    shortfall: Literal["accept", "spread"] = "accept"
    crossings: list[Crossing] = []
    liked: dict[str, float]
    train: Count = 600_000
    preference: Count = 1000
    test: Count = 2000
    train_until: Fraction = 0.9
    min_history: Count = 5
    max_history: Count = 20
    candidates: Annotated[int, Field(ge=2)] = 20
    negatives: Literal["uniform", "popularity", "near"] = "uniform"
    embedder: str = "embedded"
    malformed: Fraction = 0.01
    custom: dict[str, Custom] = {}
    seed: int = 0


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


class Rule(Section):
    """One way in which a response may be unfit; a rule that is not `on` is not measured."""

    on: bool = True


class TooShort(Rule):
    """Fewer `tokens` than a reason takes."""

    tokens: Annotated[int, Field(ge=0)] = 12


class TooLong(Rule):
    """More `tokens` than one paragraph has."""

    tokens: Count = 400


class Echo(Rule):
    """The response says the prompt again: from which `share` of its runs of `words` words on."""

    words: Count = 4
    share: Fraction = 0.5


class Repeats(Rule):
    """The response says itself again: from which `share` of its runs of `words` words on."""

    words: Count = 3
    share: Fraction = 0.3


class Language(Rule):
    """The least share of letters outside titles in the script of the prompt's locale: Latin, Hangul."""

    en: Fraction = 0.9
    ko: Fraction = 0.5


class NearDuplicate(Rule):
    """From which `similarity` (Jaccard, of word 3-grams) to an earlier response on a response goes."""

    similarity: Annotated[float, Field(ge=0.5, le=1.0)] = 0.8


class FilterRules(Section):
    """The rules of `filters.rules`, by name; each drops a row on its own."""

    empty: Rule = Rule()
    score: Rule = Rule()
    too_short: TooShort = TooShort()
    too_long: TooLong = TooLong()
    echo: Echo = Echo()
    repeats: Repeats = Repeats()
    target: Rule = Rule()
    other_item: Rule = Rule()
    language: Language = Language()
    broken_text: Rule = Rule()
    markers: Rule = Rule()
    advertising: Rule = Rule()
    personal_data: Rule = Rule()
    duplicate: Rule = Rule()
    near_duplicate: NearDuplicate = NearDuplicate()


class Filter(Section):
    """What a response must be to be trained on. `threshold` bounds ln(L)*L/C from above (rule `score`)."""

    threshold: Annotated[float, Field(gt=0.0)] = 15.0
    rules: FilterRules = FilterRules()


class Lora(Section):
    """Low-rank adapters (Hu et al. 2021). `targets` is `all-linear` or a list of module names.

    `extra` is handed to peft's LoraConfig as it is: use_rslora, init_lora_weights, modules_to_save and so on.
    """

    r: Count = 16
    alpha: Count = 32
    dropout: Fraction = 0.05
    targets: str | list[str] = "all-linear"
    extra: dict[str, Any] = {}


class Optimisation(Section):
    """One training stage. `batch_size` counts rows a process and step, so the number of processes changes what it sees.

    `processes` run on each of the `machines`: [] is this one alone; a list of `host slots=n`, the first of which is this
    one, or the path of a file with such lines; or, for launchers that need no names, how many there are. Only the sum of
    processes is in the key. `launcher` starts the other machines over `ssh`, prints the commands to type there
    (`manual`), or finds itself started on each by `slurm`. They meet at `endpoint`, host:port ("": a free port here).

    `max_length` bounds the tokens of prompt and response together; longer rows are left out and counted.
    `zero` is DeepSpeed's ZeRO stage; `offload` moves the optimiser (2, 3) or the parameters too (3) to host memory.
    """

    epochs: Annotated[float, Field(gt=0.0)] = 1.0
    learning_rate: Annotated[float, Field(gt=0.0)] = 2e-4
    batch_size: Count = 4
    accumulation: Count = 1
    max_length: Count = 768
    warmup_ratio: Fraction = 0.05
    schedule: Literal["cosine", "linear", "constant"] = "cosine"
    weight_decay: Annotated[float, Field(ge=0.0)] = 0.0
    max_grad_norm: Annotated[float, Field(gt=0.0)] = 1.0
    gradient_checkpointing: bool = False
    zero: Literal[0, 1, 2, 3] = 2
    offload: Offload = "none"
    seed: int = 0
    processes: Count = free(1)
    machines: Count | str | list[str] = free([])
    launcher: Literal["ssh", "manual", "slurm"] = free("ssh")
    endpoint: str = free("")
    log_steps: Count = free(1)
    save_steps: Count = free(10)
    report_to: list[Literal["tensorboard", "wandb", "trackio"]] = free([])


class Train(Optimisation):
    """Supervised fine-tuning (QLoRA, Dettmers et al. 2023).

    `packing` puts several examples into one row of at most `max_length` tokens, blind to each other; `batch_size` then
    counts such rows. `attention` `auto` is flash_attention_2 where it can run, else sdpa. `liger` swaps in Liger's kernels.

    `holdout` is the share of users who are never trained on. The loss on them is taken every `eval_steps` optimiser
    steps, and the adapter that was best is kept; after `patience` evaluations without gain training ends (0: never).
    A loss above `max_loss_ratio` times the median of the steps before ends the run with an error (0: never).
    """

    lora: Lora = Lora()
    packing: bool = False
    attention: Literal["auto", "sdpa", "flash_attention_2", "eager"] = "auto"
    liger: bool = False
    holdout: Annotated[float, Field(ge=0.0, lt=1.0)] = 0.05
    eval_steps: Count = 50
    patience: Annotated[int, Field(ge=0)] = 0
    max_loss_ratio: Annotated[float, Field(ge=0.0)] = free(0.0)


class Candidates(Engine):
    """The answers a person chooses among: `answers` different ones a prompt, from a GGUF of the tuned model."""

    answers: Annotated[int, Field(ge=2)] = 5
    sampling: Sampling


class Align(Optimisation):
    """DPO (Rafailov et al. 2023) on tagged answers.

    `annotator` is `person` (wait for tags made with `rectune tag`) or `simulated` (a published rule stands in, and every
    artefact says so). `tags` names the file tags/<name>.sqlite. `beta` weighs the distance to the reference.
    """

    annotator: Literal["person", "simulated"] = "person"
    tags: Annotated[str, Field(pattern=r"^[A-Za-z0-9._-]+$")] = "default"
    beta: Annotated[float, Field(gt=0.0)] = 0.1


class Retrieval(Engine):
    """Grounding. `embedder` is `embedded` (MiniLM, English) or a sentence-transformers Hub id; `top` counts items."""

    embedder: str = "embedded"
    top: Count = 5
    sampling: Sampling


class Evaluate(Engine):
    """Hit@1 of one target among the case's candidates. `systems` are ranked side by side; `samples` counts answers shown."""

    systems: list[Literal["random", "popularity", "embedding", "base", "sft", "dpo"]] = Field(min_length=1)
    samples: Count = 10
    bootstrap: Count = 1000
    seed: int = 0


class Release(Section):
    """What leaves the house. `repo` (user/name) is where `push` goes.

    `merge` says into which form of a base trained in 4 bits the adapter is merged: its weights as training rounded them, as
    they were, or (`auto`) whichever comes closer to the adapter model. `quantisations` are the types of the exported
    GGUF files, the main one, `model.gguf`, first. With `adapter_gguf` the adapter alone is written for llama.cpp too.
    `parity_cases` test cases are ranked by every file, 0 for none. An export that fails its checks ends there unless
    `allow_failed_parity`; it is never pushed. With `dry_run` nothing is uploaded: the files, their sizes
    and the rendered card are shown.
    """

    merge: Literal["auto", "dequantised", "original"] = "auto"
    quantisations: list[str] = Field(["Q8_0"], min_length=1)
    adapter_gguf: bool = True
    parity_cases: Annotated[int, Field(ge=0)] = 24
    allow_failed_parity: bool = free(False)
    repo: str = ""
    private: bool = True
    dry_run: bool = True
    licence: str = "apache-2.0"
