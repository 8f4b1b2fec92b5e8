"""/v1/chat/completions and /v1/models, as OpenAI's: the service's model, for programs that know these."""

from __future__ import annotations

import secrets
import time
from collections.abc import Mapping
from threading import Timer
from typing import Any

from fastapi import APIRouter, Request
from starlette.responses import Response

from rectune.core.errors import UserError
from rectune.inference.requests import GenerationRequest, GenerationResult
from rectune.inference.service import EngineService
from rectune.inference.service_call import EngineCall
from rectune.inference.service_state import CallCancelled, EngineClosed
from rectune.serving.answers import Emit, GenerationTimeout, NotFound
from rectune.serving.api.bodies import PROBLEMS
from rectune.serving.api.chat_bodies import (
    ChatAnswer,
    ChatAnswerMessage,
    ChatBody,
    ChatChoice,
    ChatUsage,
    ModelBody,
    ModelList,
)
from rectune.serving.api.rerank import PREFIX
from rectune.serving.state import ServerState, state_of
from rectune.serving.streams import MEDIA_TYPE, Told, as_json, streamed, watched
from rectune.serving.turn import Turn

router = APIRouter(prefix="/v1", tags=["models"], responses=PROBLEMS)
_STREAM: dict[int | str, dict[str, Any]] = {
    200: {"content": {MEDIA_TYPE: {"schema": {"type": "string"}}}, "description": "the answer"}
}


@router.get("/models", response_model=ModelList)
def models(request: Request) -> ModelList:
    """The model that writes, where there is one, and the embedder that `rerank` asks."""
    service = state_of(request).service
    names = [service.engine.name] if service.engine else []
    names.append(PREFIX + service.recommender.retrieval.embedder)
    return ModelList(data=[ModelBody(id=name) for name in names])


@router.post("/chat/completions", response_model=ChatAnswer, responses=_STREAM)
async def chat_completions(request: Request, body: ChatBody) -> Response | ChatAnswer:
    """The next turn of a conversation, whole or in pieces. The model gets the messages and nothing else."""
    state, turn = state_of(request), Turn()
    engine = state.service.engine
    if engine is None or body.model != engine.name:
        there = f"give {engine.name}" if engine else "this server runs no model that writes"
        raise NotFound("there is no such model", hint=there)
    head: dict[str, Any] = {
        "id": f"chatcmpl-{secrets.token_hex(12)}",
        "created": int(time.time()),
        "model": body.model,
    }
    if body.stream:
        chunks = _Chunks(head, bool(body.stream_options and body.stream_options.include_usage))

        def work(emit: Emit) -> Mapping[str, Any]:
            return _told(_written(state, engine, body, turn, emit))

        return await streamed(request, turn, work, state.threads, chunks, with_status=False)
    answer = await watched(request, turn, lambda: _written(state, engine, body, turn, None), state.threads)
    told = _told(answer)
    choice = ChatChoice(message=ChatAnswerMessage(content=answer.text), finish_reason=told["finish_reason"])
    return ChatAnswer(**head, choices=[choice], usage=ChatUsage(**told["usage"]))


def _written(
    state: ServerState, engine: EngineService, body: ChatBody, turn: Turn, emit: Emit | None
) -> GenerationResult:
    """The answer; `emit` hears of its pieces."""
    seed = secrets.randbits(31) if body.seed is None else body.seed
    messages = tuple((one.role, one.text) for one in body.messages)
    asked = GenerationRequest("chat", messages, body.sampling, seed, stop=body.stops)
    timer = Timer(state.config.limits.answer_seconds, turn.expire)
    timer.daemon = True
    with state.service.open_generation(body.user), EngineCall(engine) as call:
        turn.opened(call)
        timer.start()
        try:
            stream = call.submit(asked)
            if emit:
                emit("begin", {})
            for piece in stream:
                if emit:
                    emit("piece", {"text": piece})
            answer = stream.result()
            if answer.finish == "cancelled":
                call.check()
        except CallCancelled:
            if turn.expired and not turn.cancelled:
                raise GenerationTimeout("the answer took too long") from None
            raise
        finally:
            timer.cancel()
    if answer.finish in ("error", "cancelled"):
        if engine.snapshot().closed:
            raise EngineClosed("the engine ended before its answer")
        raise UserError(f"the model cannot answer this: {answer.error}", hint="make the conversation shorter")
    return answer


def _told(answer: GenerationResult) -> dict[str, Any]:
    usage = {
        "prompt_tokens": answer.prompt_tokens,
        "completion_tokens": answer.tokens,
        "total_tokens": answer.prompt_tokens + answer.tokens,
    }
    return {"finish_reason": answer.finish, "usage": usage}


class _Chunks:
    """Events of the work as OpenAI's chunks.

    Args:
        head: id, time and model of the answer.
        usage: whether tokens are told at the end.
    """

    def __init__(self, head: Mapping[str, Any], usage: bool) -> None:
        self._head = {**head, "object": "chat.completion.chunk"}
        self._usage = usage

    def __call__(self, told: Told) -> bytes:
        """The bytes of an event."""
        name, data = told
        if name == "error":
            return _data({"error": data})
        if name == "begin":
            return _data(self._chunk({"role": "assistant", "content": ""}))
        if name == "piece":
            return _data(self._chunk({"content": data["text"]}))
        last = _data(self._chunk({}, data["finish_reason"]))
        if self._usage:
            last += _data({**self._head, "choices": [], "usage": data["usage"]})
        return last + b"data: [DONE]\n\n"

    def _chunk(self, delta: Mapping[str, str], finish: str | None = None) -> dict[str, Any]:
        return {**self._head, "choices": [{"index": 0, "delta": dict(delta), "finish_reason": finish}]}


def _data(told: object) -> bytes:
    return f"data: {as_json(told)}\n\n".encode()
