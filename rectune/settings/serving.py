"""What the finished model is for: the sections `retrieval`, `evaluate` and `release`."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from rectune.settings.base import Count, Section, free
from rectune.settings.generation import Engine, Sampling


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
