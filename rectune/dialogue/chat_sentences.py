"""The sentences of the chat without a model: from templates, in both languages."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from rectune.core.item_values import categories_of
from rectune.core.text.plain import printable, shortened
from rectune.core.types import Item, Locale
from rectune.dialogue.chat_turn import SaidSentence
from rectune.dialogue.item_years import year_of
from rectune.dialogue.knowledge import SESSION_KINDS, ChatFact, Persona, UserKnowledge
from rectune.prompts.genre_names import as_said
from rectune.prompts.locale_words import fill, load_words, one_line
from rectune.prompts.template_reasons import quoted, template_reason
from rectune.prompts.titles import fold, split_words
from rectune.recommender.evidence import Evidence, people_in_words
from rectune.recommender.explanation_request import ExplanationRequest
from rectune.recommender.explanations import plain_sentence
from rectune.retrieval.terms import is_hangul

FILE = "chat.{locale}.yaml"
_VALUE, _QUOTES, _NAMED, _KINDS = 60, 5, 3, 3
_ALIKE = 3  # letters that two names of one thing begin with
_YEARS = re.compile(r"(?P<year>(?:19|20)\d\d)(?P<decade>s?)")
_TOLD = 600  # characters of a paragraph on one item


@dataclass(frozen=True)
class Sentences:
    """Makes sentences of a language about things of a domain.

    Attributes:
        locale: the language.
        domain: of the things.
        is_term: whether a value is one of the catalogue; without it all are taken for such.
    """

    locale: Locale
    domain: str
    is_term: Callable[[str], bool] | None = None

    def say(self, part: str, **values: Any) -> SaidSentence:
        """The sentence of this name; see `chat.en.yaml`."""
        return SaidSentence(self._filled(part, **values))

    def item(
        self, item: Item, evidence: Evidence | None, met: Sequence[str] = (), likened: Sequence[str] = ()
    ) -> SaidSentence:
        """An item, with its categories, the wanted ones first, and what speaks for it that was not said yet.

        Args:
            item: what is recommended.
            evidence: what speaks for it.
            met: what all items have, which was said before.
            likened: ids of the items that it should be like, of which it was said that they are looked for.
        """
        wanted = set(map(fold, met))
        named = sorted(categories_of(item).values(), key=lambda one: fold(one) not in wanted)[:_KINDS]
        kinds = ", ".join(map(shown_value, named))
        why = self._why(evidence, [*named, *met], likened) if evidence else ""
        text = self._filled("item", name=title_of(item), year=year_of(item), kinds=kinds, why=why)
        return SaidSentence(text, (item.item_id,))

    def _why(self, evidence: Evidence, told: Sequence[str], likened: Sequence[str]) -> str:
        if evidence.kind == "query":
            known = {word.text for value in told for word in split_words(value)}
            if known.issuperset(word.text for one in evidence.words for word in split_words(one)):
                return ""
        if evidence.kind == "common" and evidence.item_ids and set(evidence.item_ids) <= set(likened):
            return self._filled("shared", words=", ".join(map(shown_value, evidence.words)))
        return shortened(printable(evidence.text), 2 * _VALUE)

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
                    quoted(printable(one.value)) if one.item_id else self.value(one.value, one.quote)
                    for one in some
                ]
                ids = tuple(one.item_id for one in some if one.item_id)
                found.append(SaidSentence(self._filled(part, names=self._row(names[:_QUOTES])), ids))
        return found

    def value(self, value: str, said: str, role: str = "") -> str:
        """A value of the catalogue as a sentence has it, with the name that was said for it where that is
        another one; words of the person in quotation marks.

        Args:
            value: of a fact.
            said: the words that it was read in.
            role: the name of its fact, which is named with it in Korean; empty for a category.
        """
        if self.is_term is not None and not self.is_term(value):
            return quote_of(_with_thing(value, said))
        if self.locale == "ko" and (found := _YEARS.fullmatch(value)):
            return f"{found['year']}{'년대' if found['decade'] else '년'}"
        if self.locale == "ko" and role and is_hangul(role):
            return self._filled("of_role", value=shown_value(value), role=role)
        told = as_said(value, said)
        name = told.removesuffix(f"({value})")
        return shown_value(value if _alike(name, value) else told)

    def quotes(self, part: str, facts: Iterable[ChatFact]) -> SaidSentence:
        """A sentence with what was said last, literally."""
        return self.all_quotes(part, list(facts)[-_QUOTES:])[0]

    def all_quotes(self, part: str, facts: Iterable[ChatFact]) -> list[SaidSentence]:
        """Sentences with all that was said, literally, a few quotations in each."""
        said = list(dict.fromkeys(quote_of(fact.quote) for fact in facts))
        rows = [said[at : at + _QUOTES] for at in range(0, len(said), _QUOTES)] or [[]]
        return [SaidSentence(self._filled(part, quotes=", ".join(row))) for row in rows]

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
        lasting = [fact for fact in facts if fact.kind not in SESSION_KINDS]
        for part, some in (("me_said", lasting), ("me_now", [one for one in facts if one not in lasting])):
            found += self.all_quotes(part, some) if some else []
        return [*found, self.say("me_edit")] if found else [self.say("me_nothing")]

    def asked(self, aspect: str) -> SaidSentence:
        """That the catalogue does not say what was asked of an item; see `chat.en.yaml`."""
        return self.say("unstated", asked=load_words(self.locale, FILE)["asked"][aspect])

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


def _alike(name: str, value: str) -> bool:
    """Whether a name needs no explanation beside a value: noir and Film-Noir, science fiction and Sci-Fi."""
    one, other = fold(name), fold(value)
    return one in other or other in one or one[:_ALIKE] == other[:_ALIKE]


def _with_thing(value: str, said: str) -> str:
    """Korean words with the noun that stood behind them: 무서운 (거) is no noun."""
    found = re.search(rf"{re.escape(fold(value))}\s(?:거|것|건|걸|게)", fold(said))
    return f"{value} 것" if found or (value.endswith("한") and fold(value) not in fold(said)) else value


def quote_of(text: str) -> str:
    """Somebody's words in quotation marks."""
    return f'"{shown_value(text)}"'
