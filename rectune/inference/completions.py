"""The OpenAI-compatible dialects: what is sent for a request, and what is read out of a server's reply."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from typing import Any

from rectune.core.errors import UserError
from rectune.inference.requests import Answer, Finish, Request
from rectune.inference.shortening import without

LLAMA_SERVER, VLLM = "llama-server", "vLLM"

# Values at which a field asks for nothing, so that a server which does not know it may go without.
_NEUTRAL = {"temperature": 1.0, "top_p": 1.0, "top_k": 0, "min_p": 0.0}
_PENALTY = ("repeat_penalty", "repetition_penalty")  # one thing, as llama-server and as vLLM call it
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
_QUOTE, _WORDS = 200, 4000  # characters of a server's words that are repeated, and that are looked at
_LONG = re.compile(
    r"context[ _-]?(length|size|window)|maximum (model )?length|too long|too many tokens|max_model_len"
    r"|tokens?\b.{0,60}(exceed|must be (less|<))|exceed.{0,60}\btokens?\b",
    re.IGNORECASE | re.DOTALL,
)
_UNKNOWN = re.compile(
    r"unknown|unrecogni[sz]ed|unsupported|not (yet |currently )?supported|does(n't| not) support|unexpected"
    r"|extra inputs|extra_forbidden|not (permitted|allowed)|additional propert|invalid (argument|parameter|field)",
    re.IGNORECASE,
)
_SURROGATES = re.compile("[\ud800-\udfff]")


class Rubbish(Exception):
    """A reply that is no answer; another try may bring one."""


@dataclass(frozen=True, slots=True)
class About:
    """What a server tells about itself.

    Attributes:
        software: LLAMA_SERVER, VLLM, or empty where it does not say.
        version: of the software; empty where it does not say.
        model: its entry about the model, only what stays the same from one start of the server to the next.
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
    request: Request, model: str, software: str, refused: AbstractSet[str], left_out: int
) -> dict[str, Any]:
    """What is posted to /chat/completions.

    Args:
        request: what is wanted.
        model: the server's name for the model.
        software: see `About`.
        refused: names of fields that the server does not know.
        left_out: how many entries of the history are not shown.

    Raises:
        UserError: a field that the server does not know asks for something.
    """
    messages = [{"role": role, "content": whole(text)} for role, text in without(request, left_out)]
    limit = "max_completion_tokens" if "max_tokens" in refused else "max_tokens"
    sent: dict[str, Any] = {"model": model, "messages": messages, limit: request.sampling.max_tokens}
    sent |= _sampling(request, software, refused)
    if request.stop:
        sent["stop"] = [whole(stop) for stop in request.stop]
    if request.grammar:
        sent["grammar"] = request.grammar
    if request.prefill:
        if refused & _CONTINUE.keys():
            raise UserError(
                "the server cannot go on with an answer that was begun for it",
                mend="the openings of rationales need llama-server, vLLM or a GGUF file",
            )
        messages.append({"role": "assistant", "content": whole(request.prefill)})
        sent |= _CONTINUE
    return sent


def _sampling(request: Request, software: str, refused: AbstractSet[str]) -> dict[str, Any]:
    """Every field is named, for servers have defaults of their own."""
    chosen = request.sampling
    fields: dict[str, Any] = {name: getattr(chosen, name) for name in _NEUTRAL}
    fields |= dict.fromkeys(_PENALTY, chosen.repeat_penalty or 1.0)
    lost = {name: value for name, value in _NEUTRAL.items() if name in refused and fields[name] != value}
    if refused >= set(_PENALTY) and fields[_PENALTY[0]] != 1.0:
        lost[_PENALTY[0]] = 1.0
    if lost:
        values = ", ".join(f"{name} to {value}" for name, value in lost.items())
        raise UserError(f"the server does not know {', '.join(lost)}", mend=f"set {values} in the sampling")
    elsewhere = {LLAMA_SERVER: {_PENALTY[1]}, VLLM: {_PENALTY[0]}}.get(software, set())
    fields["seed"] = request.seed % _SEEDS
    return {name: value for name, value in fields.items() if name not in refused | elsewhere}


def read_answer(content: bytes, request: Request) -> Answer:
    """The answer in a reply to a completion.

    Raises:
        Rubbish: there is none.
    """
    reply = parse(content)
    if not isinstance(reply, dict):
        raise Rubbish("no JSON object")
    choices = reply.get("choices")
    if "error" in reply and reply["error"] and not choices:
        raise Rubbish(f"an error: {complaint(content)}")
    first = choices[0] if isinstance(choices, list) and choices else None
    message = first.get("message") if isinstance(first, dict) else None
    if not isinstance(first, dict) or not isinstance(message, dict):
        raise Rubbish("no choices with a message")
    text, reason = message.get("content"), first.get("finish_reason")
    if not isinstance(text, str):
        raise Rubbish("a message without text (were all tokens spent on thinking?)")
    if not isinstance(reason, str) or reason == "abort":
        raise Rubbish("an answer that was broken off")
    prompt_tokens, tokens = (
        _count(reply.get("usage"), name) for name in ("prompt_tokens", "completion_tokens")
    )
    finish = _FINISHES.get(reason)
    if finish is None:
        return Answer(request.id, "", "error", prompt_tokens, tokens, f"the server ended it by {reason}")
    text, cut = _cut(whole(text), request)
    return Answer(request.id, text, "stop" if cut else finish, prompt_tokens, tokens)


def _cut(text: str, request: Request) -> tuple[str, bool]:
    """The text without a repeated prefill and before the first stop string; and whether there was one."""
    for opening in (whole(request.prefill), whole(request.prefill).strip()):
        if opening and text.startswith(opening):
            text = text.removeprefix(opening)
            break
    places = [text.find(whole(stop)) for stop in request.stop if stop]
    found = [place for place in places if place >= 0]
    return (text[: min(found)], True) if found else (text, False)


def _count(usage: Any, name: str) -> int:
    found = usage.get(name) if isinstance(usage, dict) else None
    return found if type(found) is int and 0 <= found < _MOST_TOKENS else 0


def too_long(status: int, words: str) -> bool:
    """Whether a refusal says that prompt and answer do not fit."""
    return status in (400, 413, 422) and bool(_LONG.search(words))


def unknown_fields(words: str, sent: Mapping[str, Any]) -> set[str]:
    """The fields that a refusal calls unknown, of those that may be left out where they ask for nothing."""
    if not _UNKNOWN.search(words):
        return set()
    spared = {*_NEUTRAL, *_PENALTY, *_CONTINUE, "seed", "max_tokens"}
    return {name for name in spared if name in sent and re.search(rf"\b{name}\b", words)}


def complaint(content: bytes) -> str:
    """What a reply says went wrong: message, type, code and parameter, wherever a server puts them."""
    try:
        reply = parse(content)
    except Rubbish:
        return content[:_WORDS].decode("utf-8", "replace")
    found: list[str] = []
    _gather(reply, found)
    return " ".join(found)[:_WORDS]


def _gather(reply: Any, found: list[str]) -> None:
    """Words by known names only: some servers repeat the whole request in their refusals."""
    if isinstance(reply, str | int):
        found.append(str(reply))
    elif isinstance(reply, list):
        for part in reply[:8]:
            _gather(part, found)
    elif isinstance(reply, dict):
        for name in ("error", "detail", "message", "msg", "loc", "type", "code", "param"):
            if reply.get(name) is not None:
                _gather(reply[name], found)


def read_models(content: bytes, model: str, server: str) -> About:
    """What a reply to /models, and the header `Server` on it, tell. A reply that is no list tells nothing."""
    try:
        reply = parse(content)
    except Rubbish:
        reply = None
    listed = reply.get("data") if isinstance(reply, dict) else None
    entries = [e for e in listed if isinstance(e, dict)] if isinstance(listed, list) else []
    owners = {entry.get("owned_by") for entry in entries if isinstance(entry.get("owned_by"), str)}
    software = LLAMA_SERVER if "llamacpp" in owners or server.startswith("llama.cpp") else ""
    software = software or (VLLM if "vllm" in owners else "")
    # A server of one model (llama-server) answers to any name.
    named = [entry for entry in entries if entry.get("id") == model] or (entries if len(entries) == 1 else [])
    facts = _facts(named[0]) if named else {}
    names = tuple(entry["id"] for entry in entries if isinstance(entry.get("id"), str))
    return About(software, "", facts, names)


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
        Rubbish: it is none.
    """
    try:
        return json.loads(content)
    except (ValueError, RecursionError):
        raise Rubbish("no JSON") from None


def quoted(words: str) -> str:
    """Somebody else's words, fit for one line of ours."""
    plain = "".join(sign if sign.isprintable() else " " for sign in words)
    plain = " ".join(plain.split())
    return plain if len(plain) <= _QUOTE else plain[:_QUOTE] + "…"


def whole(text: str) -> str:
    """Text that can be written as UTF-8: halves of characters, which JSON can hold, become U+FFFD."""
    return _SURROGATES.sub("\ufffd", text)
