"""One turn of a conversation: a message is read, answered from the catalogue, and what it says is remembered.

Rules decide; a model, where there is one that is trusted in the language, words what was found. A turn gets
the values of one person and gives values; it keeps nothing and knows nobody else.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field

from rectune.dialogue.chat_answers import Answering
from rectune.dialogue.chat_catalogue import ChatCatalogue
from rectune.dialogue.chat_model import ChatModel
from rectune.dialogue.chat_turn import ChatMessage, ChatTurn, Emit, TurnResult
from rectune.dialogue.knowledge import SESSION_KINDS, ChatFact
from rectune.dialogue.memory import MemoryChange, forget, remember
from rectune.dialogue.message_text import plain_message
from rectune.dialogue.model_reading import read_by_model
from rectune.dialogue.named_items import foreign_in
from rectune.dialogue.understanding import Spoken, Understood, understand
from rectune.recommender.answering import CatalogueAnswers
from rectune.retrieval.embedding import query_vectors_kept

_BEFORE = 4  # turns in which `that game` may have been named


@query_vectors_kept()
def take_turn(
    message: ChatMessage,
    recommender: CatalogueAnswers,
    catalogue: ChatCatalogue,
    emit: Emit,
    model: ChatModel | None = None,
) -> TurnResult:
    """Answer a message.

    Args:
        message: with all that is known of the person, and the turns before.
        recommender: ranks and searches.
        catalogue: the same items, as the rules know them; made once, and shared by all.
        emit: hears, in the calling thread, of `status` {state: reading, searching, writing}, `facts` {added,
            removed}, `items` {items}, `sentence` {text, items}, and `done` {ask, by}.
        model: words what is recommended, in languages in which it is trusted; template sentences without one.

    Raises:
        UserError: what the recommender refuses.
        EngineBusy, EngineClosed, CallCancelled: as asking the model does; what was emitted is not kept then.
    """
    emit("status", {"state": "reading"})
    reading = _Reading(message, catalogue, model)
    understood = reading.understood()
    change = _remembered(message, understood, catalogue)
    emit("facts", {"added": _rows(change.added), "removed": _rows(change.removed)})
    answering = Answering(message, understood, change, recommender, catalogue, emit, model)
    answering.answer()
    emit("done", {"ask": understood.ask, "by": answering.by})
    turn = ChatTurn(
        message.text,
        " ".join(one.text for one in answering.said),
        message.id,
        answering.item_ids,
        answering.focus,
        understood.ask,
        answering.query,
        answering.question,
        understood.locale,
    )
    return TurnResult(
        turn, change.facts, change.added, change.removed,
        reading.prompt_tokens + answering.prompt_tokens, reading.written_tokens + answering.written_tokens,
        answering.dropped, answering.by, tuple(answering.said),
    )  # fmt: skip


def _rows(facts: Sequence[ChatFact]) -> list[dict[str, object]]:
    return [asdict(one) for one in facts]


@dataclass
class _Reading:
    """Reads one message: by rules, then by the model where they find nothing."""

    message: ChatMessage
    catalogue: ChatCatalogue
    model: ChatModel | None
    prompt_tokens: int = field(default=0, init=False)
    written_tokens: int = field(default=0, init=False)

    def understood(self) -> Understood:
        """What it says."""
        message, model = self.message, self.model
        found = understand(message.text, self.catalogue, self._spoken(), message.id, message.now)
        if found.ask == "nothing" and not found.facts and model and found.locale in model.trusted:
            found, self.prompt_tokens, self.written_tokens = read_by_model(
                found, message.text, message.id, message.now, self.catalogue, model
            )
        return found

    def _spoken(self) -> Spoken:
        """What the turns before spoke of."""
        earlier = self.message.earlier
        shown = next((turn.item_ids for turn in reversed(earlier) if turn.item_ids), ())
        first = next((turn.item_ids[0] for turn in earlier if turn.item_ids), "")
        focus = next((turn.focus for turn in reversed(earlier) if turn.focus), "")
        return Spoken(
            [id for id in shown if id in self.catalogue.items],
            focus if focus in self.catalogue.items else "",
            earlier[-1].locale if earlier else self.message.locale,
            [item for turn in earlier[-_BEFORE:] for item in foreign_in(turn.said, self.catalogue)],
            first if first in self.catalogue.items else "",
        )


def _remembered(message: ChatMessage, understood: Understood, catalogue: ChatCatalogue) -> MemoryChange:
    """What becomes of the facts: forgotten on request, else added."""
    known = message.knowledge.facts
    if understood.ask == "forget":
        return forget(known, understood.forget, understood.forget_all)
    facts = list(understood.facts)
    if understood.ask == "not_that" and understood.items:
        said = {fact.item_id for fact in facts}
        quote = plain_message(message.text)
        facts += [
            ChatFact("not_now", catalogue.items[id].title, quote, message.id, message.now, id)
            for id in understood.items
            if id not in said
        ]
    if not _asks_anew(understood):
        return remember(known, facts)
    old = [
        fact
        for fact in known
        if fact.kind in SESSION_KINDS and fact.kind not in ("not_now", "company", "time")
    ]
    change = remember([fact for fact in known if fact not in old], facts)
    return MemoryChange(change.facts, change.added, (*old, *change.removed))


def _asks_anew(understood: Understood) -> bool:
    """Whether wishes of before have been answered: something is asked for without saying what, or to be like
    an item, or something new is said to be liked.
    """
    if understood.ask == "like_that":
        return True
    if understood.ask == "tell":
        return any(fact.kind == "like" for fact in understood.facts)
    kinds = {fact.kind for fact in understood.facts}
    wishes = kinds & set(SESSION_KINDS) or understood.query or understood.order
    return understood.ask == "recommend" and not wishes
