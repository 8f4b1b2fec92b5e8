"""The page "What I think you like": claims with their evidence, and what a person decides about them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated

from fastapi import APIRouter, Form, Request
from starlette.responses import Response

from rectune.core.types import Item
from rectune.dialogue.knowledge import Claim, Persona
from rectune.serving.personas import LONGEST, Change, added, decided
from rectune.serving.state import state_of
from rectune.serving.web.answer_view import brief
from rectune.serving.web.judge_view import JudgeView
from rectune.serving.web.render import go_to, language, page
from rectune.serving.web.visitor import the_visitor

router = APIRouter(prefix="/persona", include_in_schema=False)

_NAMED = 5  # titles of the evidence that are shown at once
_MORE = 50  # further ones
_TITLE, _TEXT = 160, 600  # characters

ClaimId = Annotated[str, Form(max_length=64)]
Words = Annotated[str, Form(max_length=LONGEST)]


@dataclass(frozen=True)
class ShownClaim:
    """A claim, ready to be shown.

    Attributes:
        words: what the field to edit it holds.
        titles, more: of the items that it rests on, the latest first; those behind the first few.
        hidden: how many further ones there are.
    """

    id: str
    stance: str
    text: str
    words: str
    worded_by: str
    state: str
    recent: bool
    said: bool
    titles: tuple[str, ...]
    more: tuple[str, ...]
    hidden: int

    @classmethod
    def of(cls, claim: Claim, items: Mapping[str, Item]) -> ShownClaim:
        """A claim; titles are those of the catalogue now."""
        known = [brief(items[item].title, _TITLE) for item in claim.item_ids if item in items]
        shown = known[: _NAMED + _MORE]
        text = brief(claim.text or claim.value, _TEXT)
        words = claim.quote if claim.state == "edited" else claim.value
        return cls(
            claim.id, claim.stance, text, brief(words, LONGEST), claim.worded_by, claim.state, claim.recent,
            bool(claim.quote), tuple(shown[:_NAMED]), tuple(shown[_NAMED:]), len(known) - len(shown),
        )  # fmt: skip


@router.get("")
def persona(request: Request) -> Response:
    """All claims, the portrait, and who judges."""
    visitor, service = the_visitor(request), state_of(request).service
    return _page(request, service.persona_of(visitor.user.external_id))


@router.post("/keep")
def keep(request: Request, claim: ClaimId) -> Response:
    """The person says that a claim is right, perhaps one that they removed."""
    return _changed(request, decided(claim, "keep"), f"#claim-{claim}" if claim.isalnum() else "")


@router.post("/remove")
def remove(request: Request, claim: ClaimId) -> Response:
    """The person says that a claim is wrong."""
    return _changed(request, decided(claim, "remove"), "#claims")


@router.post("/edit")
def edit(request: Request, claim: ClaimId, text: Words) -> Response:
    """The person words a claim anew."""
    return _changed(request, decided(claim, "edit", text), "#claims")


@router.post("/add")
def add(request: Request, text: Words) -> Response:
    """The person adds what they like or avoid."""
    return _changed(request, added(text), "#claims")


def _changed(request: Request, change: Change, place: str) -> Response:
    visitor = the_visitor(request)
    state_of(request).service.change_persona(visitor.user.external_id, change)
    return go_to(request, f"/persona{place}")


def _page(request: Request, found: Persona) -> Response:
    service = state_of(request).service
    items = service.catalogue.current.items
    claims = [ShownClaim.of(claim, items) for claim in found.claims]
    return page(
        request, "persona.html", portrait=[brief(one, _TEXT) for one in found.portrait],
        worded_by=found.worded_by, version=found.version, longest=LONGEST,
        likes=[one for one in claims if one.stance == "likes" and one.state != "removed"],
        avoids=[one for one in claims if one.stance == "avoids" and one.state != "removed"],
        removed=[one for one in claims if one.state == "removed"],
        judge=JudgeView.of(service.verdict, language(request, the_visitor(request))),
    )  # fmt: skip
