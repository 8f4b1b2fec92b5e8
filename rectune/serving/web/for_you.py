"""The page of what is recommended: wishes, the answer as it comes, and what a person says of each item."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Annotated, Any

from anyio.to_thread import run_sync
from fastapi import APIRouter, Form, Request
from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import Response

from rectune.core.errors import UserError
from rectune.recommender.selection import allowed_ids
from rectune.serving.answers import Answer, Emit, NotFound, RecommendQuestion
from rectune.serving.catalogue import ServedCatalogue
from rectune.serving.conditions import Range, conditions
from rectune.serving.state import ServerState, state_of
from rectune.serving.store import feedback, recommendations
from rectune.serving.store.columns import check_text
from rectune.serving.streams import streamed, watched
from rectune.serving.turn import Turn
from rectune.serving.web.answer_events import AnswerParts
from rectune.serving.web.answer_view import MARKS, AnswerView, Card, brief
from rectune.serving.web.item_marks import Mark, press
from rectune.serving.web.judge_view import PROMPT, JudgeView
from rectune.serving.web.render import go_to, language, page, part, pictures, wants_part
from rectune.serving.web.visitor import Visitor, the_visitor

router = APIRouter(prefix="/for-you", include_in_schema=False)

ITEMS = 8  # of an answer
MOODS = ("light", "serious", "calm", "exciting", "touching", "unusual")
EXPLORE = (0, 25, 50, 75, 100)  # per cent of the places
_OFFERED = 18  # categories to tick


class WishForm(BaseModel):
    """The form; all of it may stay empty."""

    wish: Annotated[str, Field(max_length=1000)] = ""
    mood: Annotated[str, Field(max_length=20)] = ""
    categories: Annotated[list[Annotated[str, Field(max_length=200)]], Field(max_length=50)] = []
    decade: Annotated[str, Field(max_length=5, pattern=r"^-?\d{0,4}$")] = ""
    explore: Annotated[int, Field(ge=0, le=100)] = 0

    model_config = ConfigDict(extra="forbid")

    def question(self, visitor: Visitor, words_of: Callable[[str], str]) -> RecommendQuestion:
        """What is asked.

        Args:
            visitor: who asks.
            words_of: gives the words of a mood in their language.

        Raises:
            UserError: there is no such mood, or the text is none.
        """
        if self.mood and self.mood not in MOODS:
            raise UserError("this is none of the moods of the form")
        year = int(self.decade) if self.decade.strip("-") else None
        where = {} if year is None else {"year": Range(year, year + 9)}
        return RecommendQuestion(
            visitor.user.external_id, query=check_text(self.wish.strip()), n=ITEMS,
            categories=tuple(map(check_text, self.categories)), where=where, explore=self.explore / 100,
            mood=words_of(self.mood) if self.mood else "", prompt=PROMPT,
        )  # fmt: skip

    @classmethod
    def of(cls, question: RecommendQuestion, mood_of: Mapping[str, str]) -> WishForm:
        """The form as it was filled in."""
        year = question.where.get("year")
        return cls.model_construct(
            wish=question.query, mood=mood_of.get(question.mood, ""), categories=list(question.categories),
            decade=f"{year.first:.0f}" if isinstance(year, Range) and year.first is not None else "",
            explore=round(question.explore * 100),
        )  # fmt: skip


@router.get("")
def for_you(request: Request) -> Response:
    """The form; where scripts run, it asks at once."""
    the_visitor(request)
    return _page(request, WishForm())


@router.post("")
async def recommend(request: Request, form: Annotated[WishForm, Form()]) -> Response:
    """An answer to the form: as a stream for the page, else on a page of its own."""
    visitor, state = the_visitor(request), state_of(request)
    locale = language(request, visitor)
    question = replace(form.question(visitor, _mood_words(locale)), locale=locale)
    if not _met(state.service.catalogue.current, question):
        return await run_sync(_nothing_met, request, form)

    def work(turn: Turn, emit: Emit) -> Answer:
        return state.service.recommend(question, turn=turn, emit=emit)

    return await _answered(request, state, visitor, work)


@router.post("/again")
async def again(request: Request, id: Annotated[str, Form(max_length=64)]) -> Response:
    """Others: the same question once more, without what was shown to it so far."""
    visitor, state = the_visitor(request), state_of(request)
    locale = language(request, visitor)

    def work(turn: Turn, emit: Emit) -> Answer:
        question = state.service.question_of(id, visitor.user.external_id)
        asked = replace(question, n=ITEMS, locale=locale)
        return state.service.recommend(asked, turn=turn, emit=emit, previous=id)

    return await _answered(request, state, visitor, work)


@router.post("/mark")
def mark(
    request: Request,
    item: Annotated[str, Form(max_length=200)],
    place: Annotated[int, Form(ge=0, le=1000)],
    answer: Annotated[str, Form(max_length=64)] = "",
    mark: Annotated[Mark, Form()] = "",
    take_back: Annotated[Mark, Form()] = "",
) -> Response:
    """Keep what a person says of an item, or take it back."""
    visitor, database = the_visitor(request), state_of(request).service.database
    with database.writing() as session:
        said = press(session, visitor.user.id, item, mark, take_back, answer or None)
    if not wants_part(request):
        return go_to(request, f"/for-you/{answer}#card-{place}" if answer else "/for-you")
    card = Card(place, item, "", marks=said)
    return part(request, "card_marks.html", card=card, answer=answer, marks=MARKS)


@router.get("/{id}")
def stored(request: Request, id: str) -> Response:
    """An answer that was given before, to whom it was given."""
    visitor, state = the_visitor(request), state_of(request)
    items = state.service.catalogue.current.items
    with state.service.database.reading() as session:
        found = recommendations.find(session, id[:64])
        if found is None or found[0].user_id != visitor.user.id:
            raise NotFound("there is no such answer of yours")
        marks = feedback.types_of(session, visitor.user.id, [one.item_id for one in found[1]])
    judge = JudgeView.of(state.service.verdict, language(request, visitor))
    view = AnswerView.of_row(*found, items, marks, state.service.search_url, judge)
    question = RecommendQuestion.of_record(visitor.user.external_id, found[0].request)
    mood_of = {_mood_words(name)(mood): mood for name in ("en", "ko") for mood in MOODS}
    return _page(request, WishForm.of(question, mood_of), view)


async def _answered(
    request: Request, state: ServerState, visitor: Visitor, work: Callable[[Turn, Emit], Answer]
) -> Response:
    turn = Turn()

    def viewed(emit: Emit) -> Mapping[str, Any]:
        answer = work(turn, emit)
        state.metrics.answer(answer.strategy, [item.reasons_by for item in answer.items])
        with state.service.database.reading() as session:
            marks = feedback.types_of(session, visitor.user.id, [one.item_id for one in answer.items])
        judge = JudgeView.of(state.service.verdict, language(request, visitor))
        return {"view": AnswerView.of(answer, marks, judge)}

    if wants_part(request):
        parts = AnswerParts(language(request, visitor), pictures(request), request.url.path)
        return await streamed(request, turn, viewed, state.threads, parts)
    told = await watched(request, turn, lambda: viewed(lambda name, what: None), state.threads)
    return go_to(request, f"/for-you/{told['view'].id}")


def _page(request: Request, form: WishForm, view: AnswerView | None = None, unmet: bool = False) -> Response:
    """The page; `unmet` is whether no item of the catalogue is what the form wants."""
    catalogue = state_of(request).service.catalogue.current
    offered = catalogue.frequent_categories[:_OFFERED]
    own = [name for name in form.categories if name not in offered]
    return page(
        request, "for_you.html", form=form, view=view, unmet=unmet, marks=MARKS, moods=MOODS, shares=EXPLORE,
        categories=[(name, brief(name, 40)) for name in (*offered, *own) if len(name) <= 200],
        decades=catalogue.decades, at_once=view is None and not unmet,
    )  # fmt: skip


def _nothing_met(request: Request, form: WishForm) -> Response:
    if wants_part(request):
        return part(request, "answer_unmet.html")
    return _page(request, form, unmet=True)


def _met(catalogue: ServedCatalogue, question: RecommendQuestion) -> bool:
    """Whether any item of the catalogue meets the conditions of a question."""
    try:
        allowed_ids(list(catalogue.items.values()), conditions(
            catalogue.items, question.categories, question.where
        ).where)  # fmt: skip
    except UserError:
        return False
    return True


def _mood_words(locale: Any) -> Callable[[str], str]:
    from rectune.serving.web.texts import translation

    return lambda mood: translation(locale)(mood)
