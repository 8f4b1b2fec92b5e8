"""Requests to an engine, and their results."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from rectune.core.settings import SamplingConfig

Finish = Literal["stop", "length", "error", "cancelled"]


@dataclass(frozen=True, slots=True)
class GenerationRequest:
    """One conversation whose next assistant turn is generated.

    Attributes:
        id: the caller's name for it; answers have it too. It does not affect the text.
        messages: (role, content) pairs, oldest first.
        seed: of the sampler; `sampling.seed` is ignored.
        stop: the answer is cut before the first of these strings.
        prefill: how the assistant's answer begins; it is part of the prompt and not of the returned text.
        grammar: constrains the answer, in llama.cpp's GBNF; none when empty. Only for llama.cpp, in this
            process or behind llama-server.
        json_schema: the JSON Schema, as JSON text, that the answer must satisfy; none when empty. For servers
            that support OpenAI's `response_format`, as vLLM does; the engine in this process takes a grammar.
        history: entries that may be left out, oldest first, if prompt and answer do not fit a sequence;
            `separator.join(history)` is in one of the messages. The last entry always stays.
        separator: see `history`.
        facts: what stands in the last message and may be cut from its end, where all else is left out and it
            does not fit even so. It plays no part in the key of an answer: it is in the messages.

    Answered questions between the system message and the last one show how to answer; they may be left out
    too.
    """

    id: str
    messages: tuple[tuple[str, str], ...]
    sampling: SamplingConfig
    seed: int
    stop: tuple[str, ...] = ()
    prefill: str = ""
    grammar: str = ""
    json_schema: str = ""
    history: tuple[str, ...] = ()
    separator: str = "; "
    facts: str = ""


@dataclass(frozen=True, slots=True)
class GenerationResult:
    """The result of a request.

    Attributes:
        id: the request's.
        text: what the model wrote; empty where `finish` is "error".
        finish: "stop" at an end-of-generation token or stop string, "length" at `max_tokens`, "error" if not
            answered, "cancelled" if the caller stopped it.
        prompt_tokens: length of the rendered prompt, prefill included.
        tokens: tokens generated, the end-of-generation token not counted.
        error: what went wrong, in a sentence; empty otherwise.
        left_out: parts of the prompt that the model was not shown: answered questions, entries of the
            history, and eighths of the facts.
    """

    id: str
    text: str
    finish: Finish
    prompt_tokens: int
    tokens: int
    error: str = ""
    left_out: int = 0
