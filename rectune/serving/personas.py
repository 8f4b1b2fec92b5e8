"""The personas of a service's users: inferred anew when something new is known, and changed by the users."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import astuple, replace
from threading import Lock
from typing import Literal

from rectune.core.errors import UserError
from rectune.core.types import content_id
from rectune.dialogue.knowledge import Persona, UserKnowledge
from rectune.dialogue.persona import PersonaMaker
from rectune.serving.answers import Conflict, NotFound
from rectune.serving.catalogue import ServedCatalogue
from rectune.serving.store import personas
from rectune.serving.store.columns import check_text
from rectune.serving.store.database import Database
from rectune.serving.store.personas import StoredPersona
from rectune.serving.tastes import Taste

VERSION = 1  # of how personas are inferred; those of another one are inferred anew
_TRIES = 5  # of a change, while others change the same persona

MOST = 200
"""Claims of a persona, removed ones too: what a user may add is bounded."""
LONGEST = 200
"""Characters that a user may write in a claim."""

Decision = Literal["keep", "edit", "remove"]
Change = Callable[[PersonaMaker, Persona, UserKnowledge], Persona]


class Personas:
    """Makes, keeps and changes personas. Any thread may use it; nothing of a user is held.

    Args:
        database: keeps them.
        lock: held while one is inferred; see `rectune.serving.ranking_lock`.
    """

    def __init__(self, database: Database, lock: Lock) -> None:
        self.database, self._lock = database, lock
        self.on_new: Callable[[int], None] = lambda user_id: None
        """Hears of every user whose persona has another version; must be quick."""

    def of(self, served: ServedCatalogue, taste: Taste) -> Persona:
        """The persona of a user, up to date with all that is known of them.

        Args:
            served: the catalogue that is served.
            taste: what is known of the user, who is somebody.

        Raises:
            UserError: the user is not there any more.
        """
        stored = self._stored(taste)
        if stored.basis == basis_of(served, taste):
            return stored.persona
        return self._changed(served, taste, PersonaMaker.infer, stored)

    def change(self, served: ServedCatalogue, taste: Taste, change: Change) -> Persona:
        """Change a persona; what a user decides stays until they decide otherwise.

        Args:
            served, taste: see `of`.
            change: gives the new persona.

        Raises:
            UserError: see `PersonaMaker`; or the user is not there any more.
            Conflict: others change it all the time.
        """

        def upon_latest(maker: PersonaMaker, before: Persona, knowledge: UserKnowledge) -> Persona:
            latest = maker.infer(before, knowledge)
            changed = change(maker, latest, knowledge)
            if len(changed.claims) > max(MOST, len(latest.claims)):
                hint = "say less, or edit what is there"
                raise UserError(f"a persona has at most {MOST} claims", hint=hint)
            return before if changed is before else replace(changed, version=before.version + 1)

        return self._changed(served, taste, upon_latest, self._stored(taste))

    def word(self, user_id: int, before: Persona, worded: Persona) -> bool:
        """Keep a persona with a model's sentences; False where another version has come meanwhile."""
        with self.database.writing() as session:
            stored = personas.find(session, user_id)
            return personas.put(session, user_id, worded, stored.basis, before.version)

    def _changed(
        self, served: ServedCatalogue, taste: Taste, change: Change, stored: StoredPersona
    ) -> Persona:
        assert taste.user_id is not None  # of somebody
        maker, basis = PersonaMaker(served.traits, taste.locale), basis_of(served, taste)
        for _ in range(_TRIES):
            with self._lock:
                found = change(maker, stored.persona, taste.knowledge)
            with self.database.writing() as session:
                kept = personas.put(session, taste.user_id, found, basis, stored.persona.version)
            if kept:
                if found.version != stored.persona.version:
                    self.on_new(taste.user_id)
                return found
            stored = self._stored(taste)
        raise Conflict("the persona changes all the time", hint="try again")

    def _stored(self, taste: Taste) -> StoredPersona:
        assert taste.user_id is not None  # of somebody
        with self.database.reading() as session:
            return personas.find(session, taste.user_id)


def decided(id: str, what: Decision, text: str = "") -> Change:
    """A user's decision on a claim, as a change.

    Args:
        id: of the claim.
        what: `edit` needs words.
        text: the words.
    """

    def change(maker: PersonaMaker, persona: Persona, knowledge: UserKnowledge) -> Persona:
        if all(one.id != id for one in persona.claims):
            raise NotFound("there is no such claim", hint="reload the persona: it may have changed meanwhile")
        if what == "edit":
            return maker.edit(persona, id, check_text(text), knowledge)
        return (maker.keep if what == "keep" else maker.remove)(persona, id, knowledge)

    return change


def added(text: str) -> Change:
    """What a user adds, in their words, as a change."""
    return lambda maker, persona, knowledge: maker.add(persona, check_text(text), knowledge)


def basis_of(served: ServedCatalogue, taste: Taste) -> str:
    """A hash of all that a persona is inferred from, besides what its user decided."""
    known = taste.knowledge
    against = sorted(known.disliked)
    facts = [astuple(fact) for fact in known.facts]
    return content_id(
        "persona", VERSION, served.digest, taste.locale, list(known.liked), against, list(known.tastes), facts
    )
