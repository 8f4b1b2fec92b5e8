"""POST /api/v1/recommend, as one answer or as a stream, and `again`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, replace
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Path, Request
from pydantic import BaseModel, ConfigDict, Field, model_validator
from starlette.responses import Response

from rectune.core.errors import UserError
from rectune.core.types import Locale
from rectune.prompts.rerank_prompts import RerankPrompt
from rectune.serving.answers import Answer, Emit, RecommendQuestion
from rectune.serving.api.bodies import PROBLEMS, Body, ItemId, UserId
from rectune.serving.conditions import Range
from rectune.serving.state import ServerState, state_of
from rectune.serving.store.columns import check_text
from rectune.serving.streams import MEDIA_TYPE, streamed, watched
from rectune.serving.turn import Turn

router = APIRouter(prefix="/api/v1/recommend", tags=["recommend"], responses=PROBLEMS)

Text = Annotated[str, Field(max_length=1000)]
Finite = Annotated[float, Field(allow_inf_nan=False)]
Value = Annotated[str, Field(max_length=200)] | int | Finite
Values = Annotated[list[Value], Field(max_length=50)]
Name = Annotated[str, Field(min_length=1, max_length=100)]
Count = Annotated[int, Field(ge=1, le=50)]


class RangeBody(Body):
    """Numbers from one to another, both included; one end may be left out."""

    gte: Finite | None = None
    lte: Finite | None = None

    @model_validator(mode="after")
    def _has_an_end(self) -> RangeBody:
        if self.gte is None and self.lte is None:
            raise ValueError("give gte, lte, or both")
        return self


class RecommendBody(Body):
    """What is asked. Without user, history and query what is popular comes; of a user their likes count, and
    where they have none the tastes of their profile."""

    user: UserId | None = None
    history: list[Text] = Field(default_factory=list, max_length=500)
    """Ids or titles that are liked, oldest first, besides what is known of the user."""
    query: Text = ""
    n: Count = 10
    exclude: list[ItemId] = Field(default_factory=list, max_length=1000)
    categories: list[Name] = Field(default_factory=list, max_length=50)
    """An item has at least one of them."""
    where: dict[Name, Value | Values | RangeBody] = Field(default_factory=dict, max_length=20)
    """`year`, `category` or the name of a fact -> a value, several of which one is enough, or a range."""
    explain: bool | Annotated[int, Field(ge=0, le=50)] = True
    """Whether there are reasons; a number gives them to the first items."""
    explore: Annotated[float, Field(ge=0, le=1)] = 0.0
    """The share of the places that goes to unfamiliar items."""
    locale: Locale | None = None
    """The language of sentences; else that of the words, or of the user where nothing is asked."""
    prompt: RerankPrompt | None = None
    """Check the answer against the user's persona; by which prompt a model judges, where it can."""

    attributes: dict[Name, Value] = Field(default_factory=dict, max_length=20)
    """What the user states, by the names of the training data; only with `--use-profile`."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [
                {"user": "ann", "n": 3},
                {"history": ["Toy Story (1995)"], "n": 3, "where": {"year": {"gte": 1990, "lte": 1999}}},
                {"query": "a film about space", "n": 2, "explain": 1},
                {"user": "ann", "n": 5, "prompt": "short"},
            ]
        },
    )

    def question(self) -> RecommendQuestion:
        """The same for the service.

        Raises:
            UserError: a text holds NUL, or a year is no whole number.
        """
        stated = [one for pair in self.attributes.items() for one in pair if isinstance(one, str)]
        for text in (self.query, *self.history, *stated):
            check_text(text)
        where = {
            name: Range(value.gte, value.lte) if isinstance(value, RangeBody) else _whole_years(name, value)
            for name, value in self.where.items()
        }
        return RecommendQuestion(
            self.user, tuple(self.history), self.query, self.n, tuple(self.exclude), tuple(self.categories),
            where, self.explain, explore=self.explore, locale=self.locale,
            prompt=self.prompt, attributes=self.attributes,
        )  # fmt: skip


def _whole_years(name: str, value: Any) -> Any:
    if name == "year" and not isinstance(value, int):
        raise UserError("year is no whole number", where="where", hint="give a number, or gte and lte")
    return value


class AgainBody(Body):
    """More of an answer. `user` is the one whom it was given to, if anybody."""

    user: UserId | None = None
    n: Count | None = None

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"user": "ann"}]})


class Recommended(BaseModel):
    """An item that is recommended."""

    item_id: str
    title: str
    score: float | None
    categories: list[str]
    year: int | None
    reason: str
    reasons_by: str | None
    """`model`, or `template` for a sentence made of the catalogue's facts."""
    evidence: dict[str, Any] | None
    explored: bool
    """Whether it has one of the places for unfamiliar items."""
    search_url: str
    """Where to look for it; empty where the server was not told."""


class Usage(BaseModel):
    """Tokens that the model read and wrote."""

    prompt_tokens: int
    completion_tokens: int


class CheckBody(BaseModel):
    """A question about the items, answered by the catalogue."""

    claim: str
    """The id of the claim of the persona that it asks about."""
    stance: Literal["likes", "avoids"]
    text: str
    question: str
    item_ids: list[str]
    """The items of the answer that have what the claim speaks of."""
    left_out: list[str]
    """Items that were left out because the user said that they avoid this."""


class AnswerBody(BaseModel):
    """An answer; see docs/serving.md."""

    id: str
    previous: str | None
    strategy: str
    ranked_by: str
    fits: bool
    items: list[Recommended]
    not_found: list[str]
    notes: list[str]
    usage: Usage
    took_ms: int
    persona: int | None
    """The version of the user's persona, where it had a say."""
    checks: list[CheckBody]
    judged_by: Literal["model", "claims"] | None
    why_judge: str


_STREAM: dict[int | str, dict[str, Any]] = {
    200: {"content": {MEDIA_TYPE: {"schema": {"type": "string"}}}, "description": "the answer"}
}


@router.post("", response_model=AnswerBody, responses=_STREAM)
async def recommend(request: Request, body: RecommendBody) -> Response | AnswerBody:
    """Recommend items, with reasons.

    With `Accept: text/event-stream` the answer comes in events: `status` {place}, `item`, `reason`, `done`
    with the whole answer; or `error`.
    """
    state, question = state_of(request), body.question()

    def work(turn: Turn, emit: Emit) -> Answer:
        return state.service.recommend(question, turn=turn, emit=emit)

    return await _answered(request, state, work)


@router.post("/{id}/again", response_model=AnswerBody, responses=_STREAM)
async def again(
    request: Request, id: Annotated[str, Path(max_length=64)], body: AgainBody
) -> Response | AnswerBody:
    """The same question again: what was shown to it so far is left out."""
    state = state_of(request)

    def work(turn: Turn, emit: Emit) -> Answer:
        question = state.service.question_of(id, body.user)
        question = replace(question, n=body.n or question.n)
        return state.service.recommend(question, turn=turn, emit=emit, previous=id)

    return await _answered(request, state, work)


async def _answered(
    request: Request, state: ServerState, work: Callable[[Turn, Emit], Answer]
) -> Response | AnswerBody:
    turn = Turn()

    def counted(emit: Emit) -> Mapping[str, Any]:
        answer = work(turn, emit)
        state.metrics.answer(answer.strategy, [item.reasons_by for item in answer.items])
        return asdict(answer)

    if MEDIA_TYPE in request.headers.get("accept", ""):
        return await streamed(request, turn, counted, state.threads)
    told = await watched(request, turn, lambda: counted(lambda name, what: None), state.threads)
    return AnswerBody.model_validate(told)
