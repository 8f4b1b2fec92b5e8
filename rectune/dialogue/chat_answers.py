"""The answer of a turn: what is asked decides what is said; items come from the recommender alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from rectune.core.text.support import content_words
from rectune.core.types import Item
from rectune.dialogue.asked_aspects import aspect_asked, says
from rectune.dialogue.chat_catalogue import ChatCatalogue
from rectune.dialogue.chat_framing import Framing
from rectune.dialogue.chat_model import ChatModel, chat_messages, worded
from rectune.dialogue.chat_question import kinds_to_ask
from rectune.dialogue.chat_reasons import Reasons
from rectune.dialogue.chat_search import Found, SearchWish, find, item_text, ruled_out, wish_of
from rectune.dialogue.chat_sentences import Sentences, title_of
from rectune.dialogue.chat_turn import ChatMessage, Emit, SaidSentence
from rectune.dialogue.intents import says_farewell, says_thanks
from rectune.dialogue.memory import MemoryChange
from rectune.dialogue.message_text import lowered, plain_message
from rectune.dialogue.named_items import items_in
from rectune.dialogue.pointing import places_of
from rectune.dialogue.recall import nearest_facts, prompt_parts
from rectune.dialogue.understanding import Understood
from rectune.recommender.answering import CatalogueAnswers

_ANSWER = 200  # tokens of the context that are kept for an answer
_EXPLAINED = 3  # items that are explained where none is pointed at
_LATELY = 6  # answers whose items count as shown, unless others are asked for
_TOGETHER = 3  # items that are told of where they are compared


class Answering:
    """Answers one understood message.

    Args:
        message: with all that is known of the person.
        understood: what it says.
        change: what became of the facts.
        recommender, catalogue, emit, model: see `rectune.dialogue.turn.take_turn`.

    Attributes:
        said: the sentences that went out.
        item_ids: what was recommended, in order.
        focus: the id of the item that was spoken of.
        query: what was searched for.
        question: the aspect that was asked for; empty where nothing was.
        by: who worded the answer.
        prompt_tokens, written_tokens, dropped: of the model.
    """

    def __init__(
        self,
        message: ChatMessage,
        understood: Understood,
        change: MemoryChange,
        recommender: CatalogueAnswers,
        catalogue: ChatCatalogue,
        emit: Emit,
        model: ChatModel | None,
    ) -> None:
        self._message, self._understood, self._change = message, understood, change
        self._recommender, self._catalogue, self._emit = recommender, catalogue, emit
        self._model = model if model and understood.locale in model.trusted else None
        self._sentences = Sentences(understood.locale, recommender.domain, catalogue.terms.has)
        self._framing = Framing(
            message, understood, change, catalogue, self._sentences, recommender.likes is not None
        )
        self._reasons = Reasons(
            message, change, recommender, catalogue, self._sentences, understood.locale, self._wish
        )
        self.said: list[SaidSentence] = []
        self.item_ids: tuple[str, ...] = ()
        self.focus = self.query = self.question = ""
        self.by = "template"
        self.prompt_tokens = self.written_tokens = self.dropped = 0

    def answer(self) -> None:
        """Say it; `emit` hears of it."""
        ask = self._understood.ask
        if ask in ("greeting", "able"):
            self._say(self._sentences.say(ask))
        elif ask == "thanks":
            self._thanks()
        elif ask == "about_me":
            self._about_me()
        elif ask == "forget":
            self._forget()
        elif ask in ("why", "best"):
            self._why()
        elif ask == "about_item":
            self._about_item()
        elif ask in ("shorter", "longer"):
            self._length()
        elif ask == "nothing":
            self._nothing()
        else:
            self._recommend()

    def _say(self, *sentences: SaidSentence) -> None:
        for one in sentences:
            self.said.append(one)
            self._emit("sentence", {"text": one.text, "items": list(one.items)})

    def _thanks(self) -> None:
        """An answer to gratitude, a farewell, or approval of one of the items or of all."""
        low = lowered(plain_message(self._message.text))
        if says_farewell(low) or says_thanks(low):
            self._say(self._sentences.say("bye" if says_farewell(low) else "thanks"))
            return
        named = [self._catalogue.items[id] for id in self._understood.items if id in self._catalogue.items]
        one_by_one = bool(places_of(low)) or bool(items_in(self._message.text, self._catalogue))
        name = title_of(named[0]) if named and (one_by_one or not self._several()) else ""
        self._say(self._sentences.say("pleased", name=name))

    def _several(self) -> bool:
        """Whether the answer before spoke of several items."""
        return bool(self._message.earlier) and len(self._message.earlier[-1].item_ids) > 1

    def _about_me(self) -> None:
        knowledge = self._message.knowledge
        liked = [self._catalogue.items[id] for id in knowledge.liked if id in self._catalogue.items]
        self._say(*self._sentences.of_person(knowledge, self._message.persona, self._change.facts, liked))

    def _forget(self) -> None:
        gone = self._change.removed
        if not gone:
            self._say(self._sentences.say("forgotten_none"))
            return
        self._say(*self._sentences.all_quotes("forgotten", gone))
        if self._change.added:
            self._say(*self._sentences.all_quotes("kept", self._change.added))

    def _why(self) -> None:
        """The evidence of the item that is spoken of, and what the person said that led to it."""
        shown = self._shown()
        named = [self._catalogue.items[id] for id in self._understood.items if id in self._catalogue.items]
        best = self._understood.ask == "best"
        items = shown[:1] if best else named[:1] or shown[:_EXPLAINED]
        if not items:
            self._say(self._sentences.say("why_none"))
            return
        self.focus = items[0].item_id
        if best:
            self._say(self._sentences.named("best", items))
        for item in items:
            self._say(*self._reasons.why(item))

    def _about_item(self) -> None:
        items = [self._catalogue.items[id] for id in self._understood.items if id in self._catalogue.items]
        if not items:
            self._say(self._sentences.say("which"))
            return
        self.focus = items[0].item_id
        aspect = aspect_asked(lowered(plain_message(self._message.text)))
        self._say(*(self._sentences.about(item) for item in items[:_TOGETHER]))
        if aspect and not says(items[0], aspect):
            self._say(self._sentences.asked(aspect))

    def _length(self) -> None:
        self._say(self._sentences.say("brief_on" if self._understood.ask == "shorter" else "longer_on"))
        if shown := self._shown():
            self.focus = shown[0].item_id
            self._say(*self._told(shown, [None] * len(shown), None))

    def _nothing(self) -> None:
        """What the rules do not understand is searched for, and counts only where something fits."""
        query = self._understood.query
        if query:
            wish = self._wish(query)
            found = find(self._recommender, self._catalogue, wish, self._understood.locale)
            if found.items and found.fits and _says(found.items[0], query):
                self._answer_with(wish, found, query)
                return
        self._say(self._sentences.say("help"))

    def _recommend(self) -> None:
        if self._understood.ask == "like_that" and not (self._understood.items or self._understood.foreign):
            self._say(self._sentences.say("which"))
            return
        query = self._understood.query or self._query_before()
        wish = self._wish(query)
        if self._asks_back(wish):
            self._say(*self._framing.heard(wish), *self._framing.limits(wish))
            kinds = kinds_to_ask(self._catalogue, frozenset(self._catalogue.items) - wish.allowed)
            self.question = "category" if kinds else "title"
            self._say(self._sentences.kinds(kinds))
            return
        self._emit("status", {"state": "searching"})
        found = find(self._recommender, self._catalogue, wish, self._understood.locale)
        self._say(*self._framing.heard(wish))
        self._answer_with(wish, found, query)

    def _answer_with(self, wish: SearchWish, found: Found, query: str) -> None:
        if not found.items:
            self._say(self._sentences.say("nothing_left"))
            return
        self.item_ids = tuple(item.item_id for item in found.items)
        self.focus, self.query = self.item_ids[0], query
        self._emit(
            "items", {"items": [_row(*pair) for pair in zip(found.items, found.evidence, strict=True)]}
        )
        self._say(*self._framing.notes(wish, found))
        if self._model and self._worded(self._model, wish, found):
            return
        told = self._told(found.items, found.evidence, wish)
        self._say(self._framing.opening(wish, found, query), *told)

    def _worded(self, model: ChatModel, wish: SearchWish, found: Found) -> bool:
        """Let the model word it; False where no sentence of it could go out."""
        self._emit("status", {"state": "writing"})
        message, locale = self._message, self._understood.locale
        near = nearest_facts(self._change.facts, message.text, model.embedder)
        fixed = model.count("\n".join(text for _, text in chat_messages(
            prompt_parts(message.persona, (), (), 0, model.count), message.text, found.items, locale,
            self._recommender.domain,
        )))  # fmt: skip
        room = max(0, model.context - _ANSWER - fixed)
        parts = prompt_parts(message.persona, near, message.earlier, room, model.count)
        liked = [self._catalogue.items[id] for id in wish.history if id in self._catalogue.items]
        written = worded(model, parts, message.text, found.items, liked, wish.query, locale, self._say)
        self.prompt_tokens, self.written_tokens = written.prompt_tokens, written.written_tokens
        self.dropped = written.dropped
        self.by = "model" if written.sentences else "template"
        return bool(written.sentences)

    def _told(
        self, items: Sequence[Item], evidence: Sequence[Any], wish: SearchWish | None
    ) -> list[SaidSentence]:
        """The items in sentences, as short or as long as the person asked for last."""
        asks = [*(turn.ask for turn in self._message.earlier), self._understood.ask]
        length = next((one for one in reversed(asks) if one in ("shorter", "longer")), "")
        if length == "shorter":
            return [self._sentences.brief(items)]
        if length == "longer":
            return [self._sentences.about(item) for item in items]
        met, likened = (wish.met, wish.likened) if wish else ((), ())
        return [
            self._sentences.item(item, why, met, likened) for item, why in zip(items, evidence, strict=True)
        ]

    def _wish(self, query: str) -> SearchWish:
        understood, message = self._understood, self._message
        likes = understood.ask in ("recommend", "like_that")
        answers = [turn.item_ids for turn in message.earlier if turn.item_ids]
        if understood.ask not in ("others", "not_that"):
            answers = answers[-_LATELY:]
        shorter = self._shown()[:1] if understood.shorter_items else []
        return wish_of(
            self._catalogue, message.knowledge, self._change.facts, message.persona, query=query,
            likened=understood.items if likes else (), foreign=understood.foreign,
            shown=frozenset(id for ids in answers for id in ids), liked_now=self._liked_now(),
            shorter_than=shorter[0].item_id if shorter else "",
            others=understood.ask != "recommend", order=understood.order,
        )  # fmt: skip

    def _liked_now(self) -> list[str]:
        """What this message only says that they like, which they may be shown at once."""
        facts = self._understood.facts if self._understood.ask == "tell" else ()
        return [fact.value for fact in facts if fact.kind == "like" and not fact.item_id]

    def _asks_back(self, wish: SearchWish) -> bool:
        """Whether nothing is known that could be gone by, and it was not asked just before."""
        asked = bool(self._message.earlier) and bool(self._message.earlier[-1].question)
        known = wish.query or wish.history or wish.met or wish.order or wish.not_young
        return not (known or asked or self._understood.unknown) and bool(wish.allowed)

    def _query_before(self) -> str:
        """What was searched for before, where this message only wants others."""
        wants = any(fact.kind in ("want", "mood") for fact in self._understood.facts)
        if self._understood.ask not in ("others", "not_that") or wants or not self._message.earlier:
            return ""
        return next((turn.query for turn in reversed(self._message.earlier) if turn.item_ids), "")

    def _shown(self) -> list[Item]:
        """The items of the last answer that had some, but for those that are ruled out since."""
        shown = next((turn.item_ids for turn in reversed(self._message.earlier) if turn.item_ids), ())
        gone = ruled_out(self._catalogue, self._message.knowledge, self._change.facts, self._message.persona)
        return [self._catalogue.items[id] for id in shown if id in self._catalogue.items and id not in gone]


def _says(item: Item, query: str) -> bool:
    """Whether an item has half of the words of a query that say something, at least."""
    asked = content_words(query.casefold())
    told = content_words(item_text(item))
    return 2 * len(asked.standing_in(told)) >= max(1, len(asked.all))


def _row(item: Item, evidence: Any) -> Mapping[str, Any]:
    return {
        "item_id": item.item_id, "title": item.title, "categories": list(item.categories), "year": item.year,
        "evidence": asdict(evidence) if evidence else None,
    }  # fmt: skip
