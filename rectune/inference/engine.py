"""A GGUF model in this process, for notebooks and programs: prompts in, texts out, whole or in pieces."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from rectune.core.errors import RectuneError, UserError
from rectune.core.settings import EngineConfig, SamplingConfig
from rectune.inference.llamacpp import LlamaEngine
from rectune.inference.requests import GenerationRequest, GenerationResult
from rectune.inference.stream import GenerationStream
from rectune.models.reference import gguf_file

Settings = TypeVar("Settings", bound=BaseModel)
Prompt = str | Sequence[Mapping[str, str]] | Sequence[tuple[str, str]]


class Engine(AbstractContextManager["Engine"]):
    """A loaded model. Prompts given together are generated in one batch; not thread-safe.

    Args:
        model: a GGUF file, `embedded`, or `org/name:file.gguf` on the Hub.
        settings: how llama.cpp runs, as the keys of `rectune.core.settings.EngineConfig`: `context` (tokens
            of a sequence), `max_num_seqs`, `threads`, `gpu_layers`.

    Raises:
        UserError: there is no such model, llama.cpp cannot load it, or a setting is wrong.
    """

    def __init__(self, model: str | Path = "embedded", **settings: Any) -> None:
        self._engine = LlamaEngine(gguf_file(str(model)), _checked(EngineConfig, settings))
        self.name, self.quantisation = self._engine.name, self._engine.quantisation

    def generate(
        self,
        prompts: Sequence[Prompt],
        *,
        seed: int = 7,
        stop: Sequence[str] = (),
        prefill: str = "",
        **sampling: Any,
    ) -> list[GenerationResult]:
        """Answer every prompt.

        Args:
            prompts: texts, which are the user's turn, or conversations: lists of {"role", "content"} or of
                pairs.
            seed: of the sampler; the same gives the same texts on one machine.
            stop: an answer is cut before the first of these strings.
            prefill: how the answers begin; no part of the texts that are returned.
            sampling: keys of `rectune.core.settings.SamplingConfig`: `max_tokens`, `temperature`, `top_k` …

        Returns:
            One result a prompt, in their order: `text`, `finish`, `tokens`.

        Raises:
            UserError: `prompts` is one text, a prompt is no conversation, or a setting is wrong.
            RectuneError: a prompt could not be answered, as one that is longer than `context`.
        """
        if isinstance(prompts, str):
            raise UserError("prompts is one text", hint="give a list of prompts")
        requests = [
            _request(number, one, seed, stop, prefill, sampling) for number, one in enumerate(prompts)
        ]
        found: dict[str, GenerationResult] = {}
        self._engine.generate(requests, lambda answer: found.update({answer.id: answer}))
        answers = [found[request.id] for request in requests]
        if failed := [answer for answer in answers if answer.finish == "error"]:
            raise RectuneError(
                f"{len(failed)} of {len(answers)} prompts failed, the first: {failed[0].error}"
            )
        return answers

    def stream(
        self, prompt: Prompt, *, seed: int = 7, stop: Sequence[str] = (), prefill: str = "", **sampling: Any
    ) -> GenerationStream:
        """Answer one prompt in pieces: iterate over what is returned; its `result()` is the whole answer.

        See `generate` for the arguments.
        """
        return self._engine.submit(_request(0, prompt, seed, stop, prefill, sampling))

    def close(self) -> None:
        """Free the model; doing it twice does no harm."""
        self._engine.close()

    def __exit__(self, *error: object) -> None:
        self.close()


def _request(
    number: int, prompt: Prompt, seed: int, stop: Sequence[str], prefill: str, sampling: Mapping[str, Any]
) -> GenerationRequest:
    settings = _checked(SamplingConfig, {"max_tokens": 256, **sampling})
    return GenerationRequest(str(number), _messages(prompt), settings, seed, tuple(stop), prefill)


def _checked(section: type[Settings], given: Mapping[str, Any]) -> Settings:
    """A section of settings; what it refuses is an error for people."""
    try:
        return section(**given)
    except ValidationError as invalid:
        first = invalid.errors()[0]
        name = ".".join(map(str, first["loc"]))
        raise UserError(f"{name}: {first['msg']}", hint=f"keys: {', '.join(section.model_fields)}") from None


def _messages(prompt: Prompt) -> tuple[tuple[str, str], ...]:
    if isinstance(prompt, str):
        return (("user", prompt),)
    pairs = [
        (one.get("role"), one.get("content")) if isinstance(one, Mapping) else tuple(one) for one in prompt
    ]
    if not pairs or any(len(pair) != 2 or not all(isinstance(text, str) for text in pair) for pair in pairs):
        raise UserError(
            "a prompt is no conversation", hint='give a text, or [{"role": "user", "content": "…"}]'
        )
    return tuple((str(role), str(content)) for role, content in pairs)
