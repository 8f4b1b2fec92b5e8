"""OpenAI's shapes of chat completions, as far as they are taken; other keys are ignored."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from rectune.core.settings import SamplingConfig

Text = Annotated[str, Field(max_length=60_000)]


class TextPart(BaseModel):
    """A part of a message; there are texts only."""

    type: Literal["text"]
    text: Text


class ChatMessage(BaseModel):
    """One turn of a conversation."""

    role: Literal["system", "user", "assistant"]
    content: Text | list[TextPart]

    @property
    def text(self) -> str:
        """What it says."""
        if isinstance(self.content, str):
            return self.content
        return "".join(part.text for part in self.content)


class StreamOptions(BaseModel):
    """What a stream tells besides."""

    include_usage: bool = False


class ChatBody(BaseModel):
    """A conversation whose next turn is written."""

    model: str
    messages: Annotated[list[ChatMessage], Field(min_length=1, max_length=200)]
    max_tokens: Annotated[int, Field(ge=1, le=8192)] | None = None
    max_completion_tokens: Annotated[int, Field(ge=1, le=8192)] | None = None
    temperature: Annotated[float, Field(ge=0, le=2)] = 0.7
    top_p: Annotated[float, Field(gt=0, le=1)] = 0.95
    seed: Annotated[int, Field(ge=0, lt=2**32)] | None = None
    stop: Annotated[str, Field(max_length=100)] | Annotated[
        list[Annotated[str, Field(max_length=100)]], Field(max_length=4)
    ] | None = None  # fmt: skip
    stream: bool = False
    stream_options: StreamOptions | None = None
    n: Literal[1] = 1
    user: Annotated[str, Field(max_length=200)] = ""
    """Whose answers are counted together, for the limit of open ones; it is not kept."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "model": "smollm2",
                    "messages": [{"role": "user", "content": "Say hello."}],
                    "max_tokens": 16,
                }
            ]
        }
    )

    @property
    def sampling(self) -> SamplingConfig:
        """How it is sampled; 256 tokens at most unless more are asked for."""
        most = self.max_completion_tokens or self.max_tokens or 256
        return SamplingConfig(max_tokens=most, temperature=self.temperature, top_p=self.top_p)

    @property
    def stops(self) -> tuple[str, ...]:
        """The answer ends before the first of these."""
        given = [self.stop] if isinstance(self.stop, str) else self.stop or []
        return tuple(one for one in given if one)


class ChatAnswerMessage(BaseModel):
    """What was written."""

    role: Literal["assistant"] = "assistant"
    content: str


class ChatChoice(BaseModel):
    """The only choice."""

    index: int = 0
    message: ChatAnswerMessage
    finish_reason: Literal["stop", "length"]
    logprobs: Any | None = None


class ChatUsage(BaseModel):
    """Tokens."""

    prompt_tokens: int
    completion_tokens: int
    total_tokens: int


class ChatAnswer(BaseModel):
    """A whole answer."""

    id: str
    object: Literal["chat.completion"] = "chat.completion"
    created: int
    model: str
    choices: list[ChatChoice]
    usage: ChatUsage


class ModelBody(BaseModel):
    """A model."""

    id: str
    object: Literal["model"] = "model"
    created: int = 0
    owned_by: str = "rectune"


class ModelList(BaseModel):
    """The models of this server."""

    object: Literal["list"] = "list"
    data: list[ModelBody]
