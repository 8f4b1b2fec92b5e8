"""The OpenAI-compatible dialects: the body of a request, and reading a server's reply."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from typing import Any

import httpx2

from rectune.core.errors import UserError
from rectune.core.text.plain import encodable
from rectune.inference.requests import Finish, GenerationRequest, GenerationResult
from rectune.inference.truncation import without

LLAMA_SERVER, VLLM = "llama-server", "vLLM"

# Values at which a field asks for nothing, so that a server which does not know it may go without.
_NEUTRAL = {"temperature": 1.0, "top_p": 1.0, "top_k": 0, "min_p": 0.0}
_PENALTIES = {
    LLAMA_SERVER: "repeat_penalty",
    VLLM: "repetition_penalty",
}  # one thing; who says neither gets both
_CONTINUE = {"continue_final_message": True, "add_generation_prompt": False}
_FINISHES: Mapping[str, Finish] = {
    "stop": "stop",
    "eos": "stop",
    "end_turn": "stop",
    "length": "length",
    "max_tokens": "length",
}
_MODEL_FACTS = ("id", "root", "parent", "owned_by")
_META_FACTS = ("vocab_type", "n_vocab", "n_ctx_train", "n_embd", "n_params", "size", "ftype")
_MOST_TOKENS = 2**31
_SEEDS = 2**32 - 1  # llama.cpp takes this very seed for "random"
_WORDS = 4000  # characters of a server's words that are looked at
_LONG = re.compile(
    r"context[ _-]?(length|size|window)|maximum (model )?length|too long|too many tokens|max_model_len"
    r"|tokens?\b.{0,60}(exceed|must be (less|<))|exceed.{0,60}\btokens?\b",
    re.IGNORECASE | re.DOTALL,
)
_UNKNOWN = re.compile(
    r"unknown|unrecogni[sz]ed|unsupported|not (yet |currently )?supported|does(n't| not) support|unexpected"
    r"|extra inputs|extra_forbidden|not (permitted|allowed)|additional propert"
    r"|invalid (argument|parameter|field)",
    re.IGNORECASE,
)


class InvalidResponse(httpx2.DecodingError):
    """A reply that is no valid answer. The SDK treats it as a broken connection, and tries again."""


@dataclass(frozen=True, slots=True)
class ServerInfo:
    """What a server reports about itself.

    Attributes:
        software: LLAMA_SERVER, VLLM, or empty if it does not say.
        version: of the software; empty if it does not say.
        model: its entry about the model, without fields that change from one start to the next.
        names: the models it lists.
    """

    software: str = ""
    version: str = ""
    model: Mapping[str, Any] = field(default_factory=dict)
    names: tuple[str, ...] = ()

    @property
    def engine(self) -> str:
        """The software as provenance names it."""
        return f"{self.software} {self.version}".strip() or "openai-compatible"


def body(
    request: GenerationRequest, model: str, software: str, refused: AbstractSet[str], left_out: int
) -> dict[str, Any]:
    """What is posted to /chat/completions.

    Args:
        request: what is wanted.
        model: the server's name for the model.
        software: see `ServerInfo`.
        refused: names of fields that the server does not know.
        left_out: how many entries of the history are not shown.

    Raises:
        UserError: a field that the server does not know has a value with an effect.
    """
    messages = [{"role": role, "content": encodable(text)} for role, text in without(request, left_out)]
    limit = "max_completion_tokens" if "max_tokens" in refused else "max_tokens"
    sent: dict[str, Any] = {"model": model, "messages": messages, limit: request.sampling.max_tokens}
    sent |= _sampling(request, software, refused)
    if request.stop:
        sent["stop"] = [encodable(stop) for stop in request.stop]
    if request.grammar:
        sent["grammar"] = request.grammar
    if request.json_schema:
        sent |= _response_format(request, refused)
    if request.prefill:
        if refused & _CONTINUE.keys():
            raise UserError(
                "the server cannot go on with an answer that was begun for it",
                hint="the openings of rationales need llama-server, vLLM or a GGUF file",
            )
        messages.append({"role": "assistant", "content": encodable(request.prefill)})
        sent |= _CONTINUE
    return sent


def _response_format(request: GenerationRequest, refused: AbstractSet[str]) -> dict[str, Any]:
    """OpenAI's structured output, which llama-server and vLLM know too."""
    if "response_format" in refused:
        found = "the server does not know response_format, so it cannot hold answers to a JSON schema"
        raise UserError(found, hint="use llama-server, vLLM or a GGUF file")
    schema = {"name": "answer", "schema": json.loads(request.json_schema), "strict": True}
    return {"response_format": {"type": "json_schema", "json_schema": schema}}


def _sampling(request: GenerationRequest, software: str, refused: AbstractSet[str]) -> dict[str, Any]:
    """Every field is sent, since servers have defaults of their own."""
    chosen = request.sampling
    penalty = chosen.repeat_penalty or 1.0
    penalties = ({_PENALTIES[software]} if software else set(_PENALTIES.values())) - refused
    fields = {name: getattr(chosen, name) for name in _NEUTRAL}
    lost = {name: value for name, value in _NEUTRAL.items() if name in refused and fields[name] != value}
    if penalty != 1.0 and not penalties:
        lost["repeat_penalty"] = 1.0
    if lost:
        values = ", ".join(f"{name} to {value}" for name, value in lost.items())
        raise UserError(f"the server does not know {', '.join(lost)}", hint=f"set {values} in the sampling")
    fields |= dict.fromkeys(penalties, penalty) | {"seed": request.seed % _SEEDS}
    return {name: value for name, value in fields.items() if name not in refused}


def completion(content: bytes) -> tuple[str, str, Any]:
    """Text, reason of its end and usage in a reply to a completion; the usage may be anything.

    Raises:
        InvalidResponse: there is no text; another try may bring one.
    """
    match reply := parse(content):
        case {"choices": [{"message": {"content": str(text)}, "finish_reason": str(reason)}, *_]}:
            if reason == "abort":
                raise InvalidResponse("the server sent an answer that was broken off")
            return encodable(text), reason, reply.get("usage")
        case {"choices": [{"message": {"content": None}}, *_]}:
            found = "the server sent a message without text (were all tokens spent on thinking?)"
        case {"error": problem} if problem:
            found = f"the server sent an error: {complaint(content)}"
        case _:
            found = "the server sent no choices with a message"
    raise InvalidResponse(found)


def read_answer(content: bytes, request: GenerationRequest) -> GenerationResult:
    """The answer in a reply to a completion.

    Raises:
        InvalidResponse: there is none.
    """
    text, reason, usage = completion(content)
    prompt_tokens, tokens = (_count(usage, name) for name in ("prompt_tokens", "completion_tokens"))
    finish = _FINISHES.get(reason)
    if finish is None:
        return GenerationResult(
            request.id, "", "error", prompt_tokens, tokens, f"the server ended it by {reason}"
        )
    text, cut = _cut(text, request)
    return GenerationResult(request.id, text, "stop" if cut else finish, prompt_tokens, tokens)


def _cut(text: str, request: GenerationRequest) -> tuple[str, bool]:
    """The text without a repeated prefill and before the first stop string; and whether there was one."""
    for opening in (encodable(request.prefill), encodable(request.prefill).strip()):
        if opening and text.startswith(opening):
            text = text.removeprefix(opening)
            break
    places = [text.find(encodable(stop)) for stop in request.stop if stop]
    found = [place for place in places if place >= 0]
    return (text[: min(found)], True) if found else (text, False)


def _count(usage: object, name: str) -> int:
    found = usage.get(name) if isinstance(usage, dict) else None
    return found if type(found) is int and 0 <= found < _MOST_TOKENS else 0


def too_long(status: int, words: str) -> bool:
    """Whether a refusal says that prompt and answer do not fit."""
    return status in (400, 413, 422) and bool(_LONG.search(words))


def unknown_fields(words: str, sent: Mapping[str, Any]) -> set[str]:
    """The fields that a refusal calls unknown, of those that may be left out when they have no effect."""
    if not _UNKNOWN.search(words):
        return set()
    spared = {*_NEUTRAL, *_PENALTIES.values(), *_CONTINUE, "seed", "max_tokens", "response_format"}
    return {name for name in spared if name in sent and re.search(rf"\b{name}\b", words)}


def complaint(content: bytes) -> str:
    """The error in a reply: message, type, code and parameter, wherever a server puts them."""
    try:
        return " ".join(_words(parse(content)))[:_WORDS]
    except InvalidResponse:
        return content[:_WORDS].decode("utf-8", "replace")


def _words(reply: object) -> list[str]:
    """Texts under known names only: some servers repeat the whole request in their refusals."""
    if isinstance(reply, str | int):
        return [str(reply)]
    if isinstance(reply, list):
        return [word for part in reply[:8] for word in _words(part)]
    names = ("error", "detail", "message", "msg", "loc", "type", "code", "param")
    return [word for name in names for word in _words(reply.get(name))] if isinstance(reply, dict) else []


def read_models(content: bytes, model: str, server: str) -> ServerInfo:
    """The server's info from a reply to /models and its header `Server`; empty if the reply is no list."""
    try:
        reply = parse(content)
    except InvalidResponse:
        reply = None
    listed = reply.get("data") if isinstance(reply, dict) else None
    entries = [entry for entry in listed if isinstance(entry, dict)] if isinstance(listed, list) else []
    owners = [entry.get("owned_by") for entry in entries]
    software = LLAMA_SERVER if "llamacpp" in owners or server.startswith("llama.cpp") else ""
    software = software or (VLLM if "vllm" in owners else "")
    # A server of one model (llama-server) answers to any name.
    named = [entry for entry in entries if entry.get("id") == model] or (entries if len(entries) == 1 else [])
    facts = _facts(named[0]) if named else {}
    names = tuple(entry["id"] for entry in entries if isinstance(entry.get("id"), str))
    return ServerInfo(software, "", facts, names)


def _facts(entry: Mapping[str, Any]) -> dict[str, Any]:
    """Without what changes from call to call or start to start: times, random ids, context sizes."""
    facts = {name: entry[name] for name in _MODEL_FACTS if isinstance(entry.get(name), str)}
    meta = entry.get("meta")
    if isinstance(meta, dict):
        facts["meta"] = {n: meta[n] for n in _META_FACTS if isinstance(meta.get(n), str | int | bool)}
    return facts


def parse(content: bytes) -> Any:
    """JSON.

    Raises:
        InvalidResponse: it is none.
    """
    try:
        return json.loads(content)
    except (ValueError, RecursionError):
        raise InvalidResponse("the server sent no JSON") from None
