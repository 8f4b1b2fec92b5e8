"""The sentences of the chat without a model: from templates, in both languages."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from rectune.core.item_values import categories_of
from rectune.core.text.plain import printable, shortened
from rectune.core.types import Item, Locale
from rectune.dialogue.chat_turn import SaidSentence
from rectune.dialogue.knowledge import ChatFact, Persona, UserKnowledge
from rectune.prompts.genre_names import as_said
from rectune.prompts.locale_words import fill, load_words, one_line
from rectune.prompts.template_reasons import quoted, template_reason
from rectune.prompts.titles import fold
from rectune.recommender.evidence import Evidence, people_in_words
from rectune.recommender.explanation_request import ExplanationRequest
from rectune.recommender.explanations import plain_sentence

FILE = "chat.{locale}.yaml"
_VALUE, _QUOTES, _NAMED, _KINDS = 60, 5, 3, 3
_TOLD = 600  # characters of a paragraph on one item


@dataclass(frozen=True)
class Sentences:
    """Makes sentences of a language about things of a domain."""

    locale: Locale
    domain: str

    def say(self, part: str, **values: Any) -> SaidSentence:
        """The sentence of this name; see `chat.en.yaml`."""
        return SaidSentence(self._filled(part, **values))

    def item(self, item: Item, evidence: Evidence | None) -> SaidSentence:
        """An item, with its categories and what speaks for it."""
        named = list(categories_of(item).values())[:_KINDS]
        kinds = ", ".join(map(shown_value, named))
        told = {fold(one) for one in named}
        new = evidence and not (evidence.kind == "query" and told.issuperset(map(fold, evidence.words)))
        why = shortened(printable(evidence.text), 2 * _VALUE) if evidence and new else ""
        text = self._filled("item", name=title_of(item), year=item.year, kinds=kinds, why=why)
        return SaidSentence(text, (item.item_id,))

    def brief(self, items: Sequence[Item]) -> SaidSentence:
        """The titles alone."""
        names = ", ".join(map(title_of, items))
        return SaidSentence(self._filled("brief", names=names), tuple(item.item_id for item in items))

    def named(self, part: str, items: Sequence[Item]) -> SaidSentence:
        """A sentence with the titles of some items."""
        names = self._row([title_of(item) for item in items[:_NAMED]])
        return SaidSentence(self._filled(part, names=names), tuple(item.item_id for item in items[:_NAMED]))

    def reason(
        self, item: Item, liked: Sequence[Item], query: str, evidence: Evidence | None
    ) -> SaidSentence:
        """Why an item is recommended, from the catalogue, in a paragraph."""
        people = people_in_words(evidence)
        asked = ExplanationRequest(item, tuple(liked), query, self.locale, people=people)
        return SaidSentence(shortened(printable(plain_sentence(asked)), _TOLD), (item.item_id,))

    def about(self, item: Item) -> SaidSentence:
        """What the catalogue says of an item."""
        text = template_reason(item, (), "", self.locale)
        return SaidSentence(shortened(printable(text), _TOLD), (item.item_id,))

    def noted(self, facts: Sequence[ChatFact]) -> list[SaidSentence]:
        """What was understood of a message, so that it can be put right at once."""
        found = list[SaidSentence]()
        for part, kind, of_items in (
            ("noted_like", "like", None), ("noted_avoid", "avoid", False),
            ("noted_avoid_item", "avoid", True), ("noted_not_now", "not_now", None),
            ("noted_seen", "seen", True),
        ):  # fmt: skip
            some = [fact for fact in facts if fact.kind == kind and of_items in (None, bool(fact.item_id))]
            if some:
                names = [
                    quoted(printable(one.value))
                    if one.item_id
                    else shown_value(as_said(one.value, one.quote))
                    for one in some
                ]
                ids = tuple(one.item_id for one in some if one.item_id)
                found.append(SaidSentence(self._filled(part, names=self._row(names[:_QUOTES])), ids))
        return found

    def quotes(self, part: str, facts: Iterable[ChatFact]) -> SaidSentence:
        """A sentence with what was said, literally."""
        said = list(dict.fromkeys(quote_of(fact.quote) for fact in facts))[-_QUOTES:]
        return SaidSentence(self._filled(part, quotes=", ".join(said)))

    def kinds(self, kinds: Sequence[str]) -> SaidSentence:
        """The question which of some kinds is wanted; without any, what was liked."""
        if not kinds:
            return self.say("ask_title")
        shown = [shown_value(kind) for kind in kinds]
        last = load_words(self.locale, FILE)["or"]
        return self.say(
            "ask_kinds", kinds=f"{', '.join(shown[:-1])}{last}{shown[-1]}" if shown[1:] else shown[0]
        )

    def of_person(
        self, knowledge: UserKnowledge, persona: Persona, facts: Sequence[ChatFact], liked: Sequence[Item]
    ) -> list[SaidSentence]:
        """What is known of a person: claims, what they marked as liked, and what they said."""
        found = [
            SaidSentence(shortened(printable(one.text), _TOLD), one.item_ids)
            for one in persona.active[:8]
            if one.text
        ]
        if liked:
            names = self._row([title_of(item) for item in liked[-_NAMED:]])
            ids = tuple(item.item_id for item in liked[-_NAMED:])
            found.append(SaidSentence(self._filled("me_likes", count=len(liked), names=names), ids))
        if knowledge.tastes:
            said = ", ".join(quote_of(one) for one in knowledge.tastes[:_QUOTES])
            found.append(self.say("me_tastes", quotes=said))
        said_first = list(dict.fromkeys(quote_of(fact.quote) for fact in facts))
        for at in range(0, len(said_first), _QUOTES):
            found.append(self.say("me_said", quotes=", ".join(said_first[at : at + _QUOTES])))
        return [*found, self.say("me_edit")] if found else [self.say("me_nothing")]

    def _row(self, names: Sequence[str]) -> str:
        return ", ".join(names)

    def _filled(self, part: str, **values: Any) -> str:
        template = load_words(self.locale, FILE)[part]
        return one_line(fill(template, self.domain, load_words(self.locale), values))


def title_of(item: Item) -> str:
    """A title in quotation marks, as a sentence has it: nothing in it can act on a terminal."""
    return quoted(printable(item.title))


def shown_value(value: str) -> str:
    """A category, a maker or words of a person on one line, cut where they are long."""
    return shortened(printable(value), _VALUE)


def quote_of(text: str) -> str:
    """Somebody's words in quotation marks."""
    return f'"{shown_value(text)}"'
