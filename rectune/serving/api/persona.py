"""/api/v1/users/{id}/persona: what the service thinks a user likes, and what they decide about it."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Request
from pydantic import BaseModel, ConfigDict, Field, model_validator

from rectune.dialogue.knowledge import Claim, ClaimState, Persona, Stance, WordedBy
from rectune.serving.api.bodies import PROBLEMS, Body
from rectune.serving.api.users import Id
from rectune.serving.catalogue import ServedCatalogue
from rectune.serving.personas import LONGEST, Decision, added, decided
from rectune.serving.state import state_of

router = APIRouter(prefix="/api/v1/users", tags=["users"], responses=PROBLEMS)

_SHOWN = 50  # items of the evidence that are named

Words = Annotated[str, Field(min_length=1, max_length=LONGEST)]


class EvidenceItem(BaseModel):
    """An item that a claim rests on."""

    item_id: str
    title: str


class ClaimBody(BaseModel):
    """Something that is thought of a user's taste."""

    id: str
    stance: Stance
    aspect: str
    """`category`, `maker`, `decade`, `word`, the name of a fact, or `taste` for what was said in words."""
    value: str
    text: str
    worded_by: WordedBy
    state: ClaimState
    """A `removed` claim counts for nothing; `keep` brings it back."""
    recent: bool
    quote: str
    evidence: list[EvidenceItem]
    """At most the latest 50 of `count`."""
    count: int
    of: int
    """So many of so many items of theirs have it."""
    lift: float
    """How many times as frequent it is among theirs as in the catalogue; 0 for what was said."""

    @classmethod
    def of_claim(cls, claim: Claim, served: ServedCatalogue) -> ClaimBody:
        """A claim for clients."""
        known = [item for item in claim.item_ids if item in served.items][:_SHOWN]
        evidence = [EvidenceItem(item_id=item, title=served.items[item].title) for item in known]
        told = {name: getattr(claim, name) for name in cls.model_fields if name != "evidence"}
        return cls(**told, evidence=evidence)


class PersonaBody(BaseModel):
    """A persona: what was removed comes last among the claims."""

    user: str
    version: int
    portrait: list[str]
    worded_by: WordedBy
    claims: list[ClaimBody]


class AddClaim(Body):
    """What a user likes or avoids, in their words."""

    text: Words

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"examples": [{"text": "science fiction, but no horror"}]}
    )


class DecideClaim(Body):
    """What a user decides about a claim: `edit` needs their words."""

    claim: Annotated[str, Field(min_length=1, max_length=64)]
    action: Decision
    text: Annotated[str, Field(max_length=LONGEST)] = ""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [
                {"claim": "141bb02ebfa999b5236a", "action": "remove"},
                {"claim": "141bb02ebfa999b5236a", "action": "edit", "text": "only old westerns"},
            ]
        },
    )

    @model_validator(mode="after")
    def _has_words(self) -> DecideClaim:
        if (self.action == "edit") != bool(self.text.strip()):
            raise ValueError("give text to edit a claim, and only then")
        return self


@router.get("/{user_id}/persona", response_model=PersonaBody)
def get_persona(request: Request, user_id: Id) -> PersonaBody:
    """What the service thinks a user likes, up to date, each claim with the items that it rests on."""
    return _body(request, user_id, state_of(request).service.persona_of(user_id))


@router.post("/{user_id}/persona", response_model=PersonaBody)
def add_claim(request: Request, user_id: Id, body: AddClaim) -> PersonaBody:
    """Add what a user likes or avoids; it counts at the next recommendation."""
    service = state_of(request).service
    return _body(request, user_id, service.change_persona(user_id, added(body.text)))


@router.patch("/{user_id}/persona", response_model=PersonaBody)
def decide_claim(request: Request, user_id: Id, body: DecideClaim) -> PersonaBody:
    """Keep, edit or remove a claim; what a user decides outranks what is inferred."""
    change = decided(body.claim, body.action, body.text)
    return _body(request, user_id, state_of(request).service.change_persona(user_id, change))


def _body(request: Request, user: str, persona: Persona) -> PersonaBody:
    served = state_of(request).service.catalogue.current
    claims = [ClaimBody.of_claim(claim, served) for claim in persona.claims]
    return PersonaBody(
        user=user, version=persona.version, portrait=list(persona.portrait), worded_by=persona.worded_by,
        claims=claims,
    )  # fmt: skip
