"""One conversation with a simulated person, and what is counted in it; kept as a file, to be held once."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Protocol

from rectune.core.artifacts import write_atomically
from rectune.core.settings import FilterConfig
from rectune.core.text.markdown import escaped
from rectune.core.types import Locale
from rectune.dialogue.chat_catalogue import ChatCatalogue
from rectune.dialogue.chat_model import ChatModel, chat_messages
from rectune.dialogue.chat_search import ruled_out
from rectune.dialogue.chat_turn import ChatMessage, ChatTurn, TurnResult
from rectune.dialogue.knowledge import ChatFact, Persona, UserKnowledge
from rectune.dialogue.model_calls import estimated_tokens
from rectune.dialogue.recall import nearest_facts, prompt_parts
from rectune.dialogue.simulation import BEFORE_END, PLANT_AT, SimulatedUser
from rectune.dialogue.turn import take_turn
from rectune.filters.rules.text_quality import BrokenText
from rectune.prompts.template_reasons import quoted
from rectune.prompts.title_matching import SURE, find_all
from rectune.prompts.titles import fold
from rectune.recommender.recommender import Recommender

_ROOM = 3072 - 400  # tokens of a prompt's changing parts, in the context of the demo
_QUOTED = re.compile(r'"([^"]*)"')
_GARBLED = re.compile(r"\{\{|\}\}|\bNone\b|\bnan\b|<\||\x00|\ufffd|\ufffc|  |\(\)|: \.|–\s*\.")
_SECRET = re.compile(r"zq\d{5}(?:en|ko)")
_BROKEN = BrokenText(FilterConfig())


class Person(Protocol):
    """Who talks: by rules alone, or with sentences of a model (`bench.chat_person`)."""

    user: SimulatedUser
    written: int
    replaced: int

    def says(self, number: int, last: int, turns: Sequence[ChatTurn]) -> str:
        """The message of a turn; see `SimulatedUser.says`."""


@dataclass
class Talk:
    """What was counted in a conversation.

    Attributes:
        locale, seed, hostile: of the person.
        turns, shown: messages answered, and items shown.
        invented: items that the catalogue lacks, and quotations that stand nowhere, each with its turn.
        strayed: sentences of the model that name an item which was not found.
        avoided: items shown that have what is avoided, until the person takes that back.
        withdrawn: the turn in which they named what they avoid again; 0 for none.
        garbled, crossed: broken sentences, and words that only another person said.
        remembered, used: whether the like of `PLANT_AT` was known near the end, and among the items then.
        left: whether any item with it was not seen or refused by then.
        hit: the turn in which the item that they look for was shown; 0 for none.
        chance: share of the items that are not avoided which had been shown by each turn: what a target
            drawn at random would have.
        seconds, tokens: of processor time and of the prompt, by turn; tokens are estimated without a model.
        worded, dropped, written_tokens: turns that the model worded, sentences of it that were refused, and
            what it wrote.
        written, replaced: messages that a model wrote for the person, and those that the rules had to.
        asks: what was asked, by turn.
        text: what was said, as Markdown.
    """

    locale: Locale
    seed: int
    hostile: bool
    turns: int = 0
    shown: int = 0
    invented: list[str] = field(default_factory=list)
    strayed: list[str] = field(default_factory=list)
    avoided: list[str] = field(default_factory=list)
    withdrawn: int = 0
    garbled: list[str] = field(default_factory=list)
    crossed: list[str] = field(default_factory=list)
    remembered: bool = False
    used: bool = False
    left: bool = True
    hit: int = 0
    chance: list[float] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)
    tokens: list[int] = field(default_factory=list)
    worded: int = 0
    dropped: int = 0
    written_tokens: int = 0
    written: int = 0
    replaced: int = 0
    asks: list[str] = field(default_factory=list)
    text: str = ""


def kept_talk(path: Path) -> Talk | None:
    """A conversation that was held before; None for none."""
    return Talk(**json.loads(path.read_text(encoding="utf-8"))) if path.exists() else None


def keep_talk(talk: Talk, path: Path) -> None:
    """Keep a conversation."""
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(path, json.dumps(asdict(talk), ensure_ascii=False, indent=1))


@dataclass(frozen=True)
class Answerer:
    """What people talk with: a recommender, the catalogue as the rules know it, and a model or none."""

    recommender: Recommender
    catalogue: ChatCatalogue
    model: ChatModel | None = None

    @cached_property
    def titles(self) -> frozenset[str]:
        """The titles as sentences have them."""
        return frozenset(quoted(item.title).strip('"') for item in self.catalogue.items.values())

    @cached_property
    def told(self) -> str:
        """All else that the catalogue says."""
        words = " ".join(
            one
            for item in self.catalogue.items.values()
            for one in (item.title, item.description, *item.categories, *item.facts)
        )
        return " ".join(words.split()).casefold()


def hold(person: Person, answerer: Answerer, last: int) -> Talk:
    """One conversation of so many turns."""
    user = person.user
    talk = Talk(user.locale, user.seed, user.hostile)
    turns, facts, shown = list[ChatTurn](), tuple[ChatFact, ...](), set[str]()
    texts, lines = list[str](), list[str]()
    free = frozenset(answerer.catalogue.items) - answerer.catalogue.terms.ids(user.avoid)
    for number in range(1, last + 1):
        text = person.says(number, last, turns)
        texts.append(text)
        message = ChatMessage(
            text, number, UserKnowledge(facts=facts), Persona(), tuple(turns), number, user.locale
        )
        start = time.process_time()
        result = take_turn(
            message, answerer.recommender, answerer.catalogue, lambda name, told: None, answerer.model
        )
        talk.seconds.append(time.process_time() - start)
        talk.tokens.append(result.prompt_tokens or _prompt_tokens(message, result, answerer))
        if number > PLANT_AT and not talk.withdrawn and fold(user.avoid) in fold(text):
            talk.withdrawn = number
        _count(talk, user, number, result, texts, answerer)
        shown |= set(result.turn.item_ids)
        talk.chance.append(len(shown & free) / len(free))
        talk.hit = talk.hit or (number if user.target.item_id in shown else 0)
        if number == last - BEFORE_END:
            has = answerer.catalogue.terms.ids(user.like)
            knowledge = UserKnowledge(facts=result.facts)
            talk.left = bool(has - ruled_out(answerer.catalogue, knowledge, result.facts, Persona()))
            talk.used = any(id in has for id in result.turn.item_ids)
            talk.remembered = any(fact.value == user.like and fact.kind == "like" for fact in result.facts)
        turns.append(result.turn)
        facts = result.facts
        lines.append(f"**{number}.** {escaped(text[:200])}\n")
        lines += [*(f"> {escaped(one.text)}  " for one in result.sentences), ""]
    talk.text, talk.written, talk.replaced = "\n".join(lines), person.written, person.replaced
    return talk


def _count(
    talk: Talk, user: SimulatedUser, number: int, result: TurnResult, texts: Sequence[str], answerer: Answerer
) -> None:
    """Count what is wrong with an answer; every quotation in it must be a title, or stand in the catalogue or
    in what the person said.
    """
    talk.turns += 1
    talk.asks.append(result.turn.ask)
    talk.shown += len(result.turn.item_ids)
    talk.worded += result.by == "model"
    talk.dropped += result.dropped
    talk.written_tokens += result.written_tokens
    ids = [id for one in result.sentences for id in one.items]
    talk.invented += [
        f"{number}: {id}" for id in (*result.turn.item_ids, *ids) if id not in answerer.catalogue.items
    ]
    said = " ".join(" ".join(texts).split()).casefold()
    for sentence in result.sentences:
        where = f"{number}: {sentence.text}"
        for name in _QUOTED.findall(sentence.text):
            bare = name.rstrip("…").strip().casefold()
            if name not in answerer.titles and bare not in answerer.told and bare not in said:
                talk.invented.append(where)
        bare = _QUOTED.sub('"x"', sentence.text)
        if _GARBLED.search(bare) or _BROKEN.hits(bare) or not sentence.text.strip():
            talk.garbled.append(where)
        found = (*result.turn.item_ids, *sentence.items)  # a sentence of the rules may be about what was seen
        if result.by == "model" and _strays(sentence.text, found, said, answerer):
            talk.strayed.append(where)
        talk.crossed += [where for one in _SECRET.findall(sentence.text) if one != user.secret]
    if number >= PLANT_AT and not talk.withdrawn:
        gone = answerer.catalogue.terms.ids(user.avoid)
        talk.avoided += [f"{number}: {id}" for id in result.turn.item_ids if id in gone]


def _strays(sentence: str, found: Sequence[str], said: str, answerer: Answerer) -> bool:
    """Whether a sentence names an item that was not found, and that nobody named."""
    titles = answerer.catalogue.titles
    named = [titles.items[one.index] for one in find_all(titles, sentence) if one.certainty >= SURE]
    return any(
        item.item_id not in found and quoted(item.title).strip('"').casefold() not in said for item in named
    )


def _prompt_tokens(message: ChatMessage, result: TurnResult, answerer: Answerer) -> int:
    """The tokens of the prompt that a model would get at this turn, estimated."""
    near = nearest_facts(result.facts, message.text)
    parts = prompt_parts(message.persona, near, message.earlier, _ROOM, estimated_tokens)
    items = [answerer.catalogue.items[id] for id in result.turn.item_ids]
    told = chat_messages(parts, message.text, items, result.turn.locale, answerer.recommender.domain)
    return sum(estimated_tokens(text) for _, text in told)
