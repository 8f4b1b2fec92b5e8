"""What the finished model is for: the sections `retrieval`, `evaluate` and `release`."""

from __future__ import annotations

import difflib
from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from rectune.core.settings.base import Count, Section, free
from rectune.core.settings.generation import Engine, Sampling


class Retrieval(Engine):
    """Grounding. `embedder` is `embedded` (MiniLM, English) or a sentence-transformers Hub id; `top` counts items.

    `ground` says how an answer becomes a real item: `retrieve` lets the model write and searches the catalogue for what
    it wrote; `constrained` lets it name only titles of the catalogue, of which it keeps `beam` beginnings at a time.

    Below `floor` (a cosine; `auto` is calibrated on the catalogue) nothing fits. Texts are cut into chunks of at most
    `chunk` characters that share `overlap` sentences; from `approximate` chunks on vectors are searched by IVF-PQ.
    Reasons are written anew up to `attempts` times. `cases` test prompts are in the grounding report; with `compare`
    both ways are.
    """

    embedder: str = "embedded"
    top: Count = 5
    ground: Literal["retrieve", "constrained"] = "retrieve"
    beam: Count = 8
    floor: Literal["auto"] | Annotated[float, Field(ge=-1.0, le=1.0)] = "auto"
    chunk: Annotated[int, Field(ge=100)] = 700
    overlap: Annotated[int, Field(ge=0)] = 1
    approximate: Count = 100_000
    attempts: Annotated[int, Field(ge=0)] = 3
    cases: Annotated[int, Field(ge=0)] = 24
    compare: bool = True
    sampling: Sampling


# Systems by the names that recipes give them: the language models, and the rankers of `rectune.rankers.base.RANKERS`.
TUNED = ("base", "sft", "dpo")
SYSTEMS = ("random", "popularity", "bm25", "embedding_mean", "embedding_best", "hybrid", "item_knn", *TUNED)


def _known_system(name: str) -> str:
    """A name that means something here, or `module:Class`."""
    if name in SYSTEMS or ":" in name:
        return name
    near = difflib.get_close_matches(name, SYSTEMS, n=1)
    hint = f"did you mean {near[0]}? " if near else ""
    raise ValueError(f"unknown system, {hint}there are {', '.join(SYSTEMS)}, or module:Class of your own")


class Evaluate(Engine):
    """One target, the item really taken next, among candidates.

    `systems` are ranked side by side: rankers, and language models by the likelihood of each title. `ways` are the
    others in which every language model ranks: the sum of log-probabilities (`total`), the likelihood less that without
    a history (`prior`), that fused with the nearest item of the history by embedding (`fused`), with BM25 (`lexical`) or
    with both (`hybrid`), the item its answer names (`parsed`), items near to its answer (`retrieved`), the candidates put
    in order by it (`listed`). The weights of `prior`, `fused`, `lexical` and `hybrid` are chosen on `tuning` cases of
    users who are in no test.

    Beside the candidates of the data stage, systems are ranked by the `protocols`: as many candidates drawn here, each
    item alike (`uniform`) or by `popularity`, in `draws` draws, the first `model_draws` of which language models rank by
    likelihood; and the `full` catalogue, for rankers and for models whose answers retrieve. `draws` also counts the
    orders in which candidates are `listed`.

    `memorisation` counts the titles and the cases a domain on which the base model is asked what it knows by heart (0:
    none); `samples` the answers shown. The answers of `sft` and `dpo` to at most `answers` test prompts are compared (0:
    none).
    """

    systems: list[Annotated[str, AfterValidator(_known_system)]] = Field(min_length=1)
    ways: list[Literal["total", "prior", "fused", "lexical", "hybrid", "parsed", "retrieved", "listed"]] = (
        Field([])
    )
    protocols: list[Literal["uniform", "popularity", "full"]] = Field([])
    draws: Count = 3
    model_draws: Annotated[int, Field(ge=0)] = 3
    tuning: Annotated[int, Field(ge=0)] = 0
    memorisation: Annotated[int, Field(ge=0)] = 0
    samples: Count = 10
    answers: Annotated[int, Field(ge=0)] = 0
    bootstrap: Count = 1000
    seed: int = 0


class Release(Section):
    """What leaves the house: the exported model, and what `rectune push` sends.

    `merge` says into which form of a base trained in 4 bits the adapter is merged: its weights as training rounded them, as
    they were, or (`auto`) whichever comes closer to the adapter model. `quantisations` are the types of the exported
    GGUF files, the main one, `model.gguf`, first. With `adapter_gguf` the adapter alone is written for llama.cpp too.
    `parity_cases` test cases are ranked by every file, 0 for none. An export that fails its checks ends there unless
    `allow_failed_parity`; it is never pushed.

    The rest is read by `push` alone. `repo` (user/name) is where it goes, a model repository and a dataset repository of
    that name; one that it makes is `private`. `what` names the kinds that are sent, a commit each. `leave_out` holds the ids
    of rows that are not published, where a person looked at what the push refused. `licence` is that of the weights. With
    `dry_run` nothing is uploaded: the files, their sizes and the rendered cards are shown.
    """

    merge: Literal["auto", "dequantised", "original"] = "auto"
    quantisations: list[str] = Field(["Q8_0"], min_length=1)
    adapter_gguf: bool = True
    parity_cases: Annotated[int, Field(ge=0)] = 24
    allow_failed_parity: bool = free(False)
    repo: str = free("")
    private: bool = free(True)
    dry_run: bool = free(True)
    licence: str = free("apache-2.0")
    what: list[Literal["adapter", "merged", "gguf", "dataset", "preferences"]] = free(
        ["adapter", "merged", "gguf", "dataset", "preferences"], min_length=1
    )
    leave_out: list[str] = free([])
