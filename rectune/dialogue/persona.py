"""The persona: what is concluded of a person; what they kept, edited, removed or added outranks it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from rectune.core.errors import UserError
from rectune.core.text.plain import cut_line, locale_of
from rectune.core.types import Locale
from rectune.dialogue.claim_sentences import template_portrait, worded
from rectune.dialogue.findings import Evidence, claim_id, findings, trait_of, with_evidence
from rectune.dialogue.knowledge import Claim, Persona, Stance, UserKnowledge
from rectune.dialogue.said import TASTE, read_said, said_claims
from rectune.dialogue.traits import CatalogueTraits

_LONGEST = 200  # characters that a person may write in a claim


@dataclass(frozen=True)
class PersonaMaker:
    """Makes personas of a catalogue's users, and changes them; nothing of a user is held.

    Sentences are of templates, so that a change acts at once; `rectune.dialogue.model_wording` lets a model
    word them afterwards. A sentence of the model's stays as long as its claim rests on the same.

    Attributes:
        catalogue: the traits of its items.
        locale: the language of the sentences.
    """

    catalogue: CatalogueTraits
    locale: Locale = "en"

    def infer(self, before: Persona, knowledge: UserKnowledge) -> Persona:
        """What is known now, after what was thought before.

        What a person removed does not come back unless they say it again; what they edited keeps their words,
        and what they kept stays though it would not be found today. What they have said since outranks what
        they decided before. All evidence is brought up to date. What was only concluded, or said and then
        forgotten, and is not found any more is gone.

        Args:
            before: an empty one, or the latest one of the same person.
            knowledge: all that is known of them.

        Returns:
            `before` itself where nothing has changed.
        """
        return self._inferred(before, before.claims, knowledge)

    def keep(self, persona: Persona, id: str, knowledge: UserKnowledge) -> Persona:
        """The person says that a claim is right, perhaps one that they removed.

        Raises:
            UserError: there is no such claim.
        """
        claim = _claim(persona, id)
        by_person = claim.worded_by == "person"
        return self._with(persona, id, [replace(claim, state="edited" if by_person else "kept")], knowledge)

    def remove(self, persona: Persona, id: str, knowledge: UserKnowledge) -> Persona:
        """The person says that a claim is wrong: it counts for nothing, and is not found anew.

        Raises:
            UserError: there is no such claim.
        """
        return self._with(persona, id, [replace(_claim(persona, id), state="removed")], knowledge)

    def edit(self, persona: Persona, id: str, text: str, knowledge: UserKnowledge) -> Persona:
        """The person words a claim anew, and is taken at their word: what they name counts from now on.

        Where their words name other things of the catalogue, the claim itself is removed and they are added;
        where they name nothing of it, the claim goes on to speak of what it spoke of.

        Raises:
            UserError: there is no such claim, or no words.
        """
        claim, words = _claim(persona, id), cut_line(text, _LONGEST)
        said = self._read(words, claim.stance)
        named = [one for one in said if one.aspect != TASTE]
        if not named and claim.aspect != TASTE:
            stance = said[0].stance
            named = [replace(claim, id=claim_id(stance, claim.aspect, claim.value), stance=stance)]
        own = [_by_person(one, words) for one in named] or [
            _by_person(replace(said[0], id=claim_id(said[0].stance, TASTE, words), value=words), words)
        ]
        return self._with(persona, id, own, knowledge)

    def add(self, persona: Persona, text: str, knowledge: UserKnowledge) -> Persona:
        """The person adds what they like or avoid, in their words.

        Raises:
            UserError: there are no words.
        """
        said = self._read(cut_line(text, _LONGEST), "likes")
        return self._with(persona, "", [_by_person(one, one.quote) for one in said], knowledge)

    def _read(self, words: str, stance: Stance) -> list[Claim]:
        if not (said := read_said(words, self.catalogue, stance)):
            raise UserError("there are no words", hint="write what you like, or what you avoid")
        return said

    def _with(self, persona: Persona, id: str, new: Sequence[Claim], knowledge: UserKnowledge) -> Persona:
        """The persona with claims in the place of one, or in front, inferred again.

        The one that they replace, and others on the same thing, are removed ones from now on.
        """
        ids, traits = {one.id for one in new}, {trait_of(one) for one in new if one.counts}
        rest = [
            replace(one, state="removed") if one.id == id or trait_of(one) in traits else one
            for one in persona.claims
            if one.id not in ids
        ]
        at = next((place for place, one in enumerate(persona.claims) if one.id == id), 0)
        before = [one for one in persona.claims[:at] if one.id not in ids]
        return self._inferred(persona, [*rest[: len(before)], *new, *rest[len(before) :]], knowledge)

    def _inferred(self, before: Persona, claims: Sequence[Claim], knowledge: UserKnowledge) -> Persona:
        evidence = Evidence.of(knowledge, self.catalogue)
        said = _heeded(said_claims(knowledge, self.catalogue), {one.id: one for one in claims})
        decided = [with_evidence(one, evidence, self.catalogue) for one in _decided(claims, said)]
        settled = [(one.stance, trait_of(one)) for one in (*decided, *said)]
        found = findings(knowledge, self.catalogue, settled)
        domain = self.catalogue.domain
        active = [one for one in decided if one.counts] + said + found
        plain = [one if one.state == "edited" else worded(one, domain, self.locale) for one in active]
        known = {one.id: one for one in before.claims}
        active = [_as_before(one, known.get(one.id), self.locale) for one in plain]
        portrait = template_portrait(active, evidence, domain, self.locale)
        now = (*active, *(one for one in decided if not one.counts))
        if now == before.claims and (before.worded_by == "model" or portrait == before.portrait):
            return before
        return Persona(now, portrait, "template", before.version + 1)


def _claim(persona: Persona, id: str) -> Claim:
    found = next((one for one in persona.claims if one.id == id), None)
    if found is None:
        raise UserError(f"the persona has no claim {id}", hint="reload it: it may have changed meanwhile")
    return found


def _by_person(claim: Claim, words: str) -> Claim:
    return replace(claim, quote=words, text=words, worded_by="person", state="edited", recent=False)


def _heeded(said: Sequence[Claim], before: Mapping[str, Claim]) -> list[Claim]:
    """What was said, but for what the person decided about after they said it: they removed that statement,
    or keep the same claim already.
    """

    def decided(one: Claim) -> bool:
        old = before.get(one.id)
        if old is None or old.state == "inferred":
            return False
        return old.counts or old.quote == one.quote

    return [one for one in said if not decided(one)]


def _decided(claims: Sequence[Claim], said: Sequence[Claim]) -> list[Claim]:
    """What a person kept, edited or removed; what they have said the contrary of since is a removed one."""
    again, traits = {one.id for one in said}, {trait_of(one) for one in said}
    return [
        replace(one, state="removed") if trait_of(one) in traits else one
        for one in claims
        if one.state != "inferred" and one.id not in again
    ]


def _as_before(claim: Claim, old: Claim | None, locale: Locale) -> Claim:
    """The claim with the model's sentence, where the model wrote one and it rests on the same as then."""
    if old is None or old.worded_by != "model" or claim.state == "edited" or locale_of(old.text) != locale:
        return claim
    same = replace(old, text=claim.text, worded_by=claim.worded_by, state=claim.state) == claim
    return replace(claim, text=old.text, worded_by="model") if same else claim
