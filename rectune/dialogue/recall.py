"""What of a person and of a chat goes into a prompt: the nearest facts, claims, and the last turns.

Whatever the length of the chat, the prompt stays within its budget. Nothing is summed up: facts have the
person's own words, turns are shown as they were.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from rectune.core.text.plain import cut_line
from rectune.dialogue.chat_turn import ChatTurn
from rectune.dialogue.knowledge import ChatFact, Claim, Persona
from rectune.retrieval.embedding import embed, reads
from rectune.retrieval.rank_fusion import reciprocal_rank_fusion
from rectune.retrieval.terms import terms_of

CLAIMS, FACTS, TURNS = 8, 6, 4
_COMPARED = 32  # facts whose vectors are compared: the best by words, then the latest
_SAID, _TOLD = 300, 400  # characters of a message and of an answer of an earlier turn


@dataclass(frozen=True)
class PromptParts:
    """What a prompt has of a person and of the chat.

    Attributes:
        claims: of the persona, the weightiest first.
        facts: those nearest to the message, oldest first.
        turns: the last ones, oldest first: what was said, and what was answered.
        left_out: how many of all these there was no room for.
    """

    claims: tuple[Claim, ...]
    facts: tuple[ChatFact, ...]
    turns: tuple[tuple[str, str], ...]
    left_out: int = 0


def nearest_facts(
    facts: Sequence[ChatFact], message: str, embedder: str | None = None, count: int = FACTS
) -> list[ChatFact]:
    """The facts nearest to a message, oldest first: by words in common and by meaning, fused by their ranks.

    Args:
        facts: oldest first.
        message: what was said.
        embedder: compares meanings, of languages that it reads; None compares words alone.
        count: how many at most.
    """
    if len(facts) <= count:
        return list(facts)
    asked, *told = (
        set(terms) for terms in terms_of([message, *(f"{one.value} {one.quote}" for one in facts)])
    )
    common = [len(asked & words) for words in told]
    latest = sorted(range(len(facts)), key=lambda at: (-common[at], -at))
    rankings = {"words": [at for at in latest if common[at]] or latest}
    if embedder and reads(embedder, message):
        some = latest[:_COMPARED]
        vectors = embed([message, *(f"{facts[at].value}. {facts[at].quote}" for at in some)], embedder)
        near = vectors[1:] @ vectors[0]
        rankings["meaning"] = [some[place] for place in sorted(range(len(some)), key=lambda one: -near[one])]
    scores = reciprocal_rank_fusion(rankings)
    best = sorted(range(len(facts)), key=lambda at: (-scores.get(at, 0.0), -at))[:count]
    return [facts[at] for at in sorted(best)]


def prompt_parts(
    persona: Persona,
    facts: Sequence[ChatFact],
    turns: Sequence[ChatTurn],
    room: int,
    count: Callable[[str], int],
) -> PromptParts:
    """What fits into the room that a prompt leaves.

    Turns are left out first, the oldest first, then facts, the oldest first, then claims, the lightest first.

    Args:
        persona: eight of its active claims at most.
        facts: those nearest to the message, oldest first.
        turns: of the chat, oldest first; the last four at most.
        room: tokens.
        count: the tokens of a text.
    """
    claims = list(persona.active[:CLAIMS])
    near = list(facts[-FACTS:])
    last = [(cut_line(one.said, _SAID), cut_line(one.answer, _TOLD)) for one in turns[-TURNS:]]
    sizes = [
        *(count(f"{said}\n{answer}\n") for said, answer in last),
        *(count(f"- {one.quote}\n") for one in near),
        *(count(f"- {one.text}\n") for one in reversed(claims)),
    ]
    left = 0
    while left < len(sizes) and sum(sizes[left:]) > room:
        left += 1
    turns_left = min(left, len(last))
    facts_left = min(left - turns_left, len(near))
    claims_left = left - turns_left - facts_left
    return PromptParts(
        tuple(claims[: len(claims) - claims_left]), tuple(near[facts_left:]), tuple(last[turns_left:]), left
    )
