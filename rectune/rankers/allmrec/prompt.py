"""The prompts of A-LLMRec and LLM-SRec, as ids with places for vectors (Kim et al. 2024, "Large Language
Models meet Collaborative Filtering", and 2025, "Lost in Sequence").

Templates are in `rectune/prompts/templates/<locale>/soft`. They never see a title: they are rendered around
marks, which are then replaced by ids and by places for vectors. Titles, wishes and the templates' own text
are all plain text, so that nothing in a title passes for a control token.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from rectune.core.text.plain import cut_line
from rectune.core.types import Locale
from rectune.prompts.locale_words import TEMPLATES, fill, load_words
from rectune.rankers.allmrec.language_model import FrozenLanguageModel

USER, ITEM, OUT = -1, -2, -3  # in place of an id: here comes a vector

HISTORY = 10  # titles of a history that are shown: the latest
LISTED = 20  # the same of a list in which every title is a target
TITLE_TOKENS = 24  # of a title, at most
_CHARACTERS = 400  # of a title or wish, at most
_END = "\n"  # what follows a title, in the prompt and in the answer

_MARK = re.compile("\x02(.*?)\x03")


@dataclass(frozen=True)
class SoftPrompt:
    """A prompt of ids and vectors.

    Attributes:
        ids: ids of tokens, and `USER`, `ITEM` or `OUT` where a vector stands.
        items: the item of each `ITEM`, in order.
        histories: whose state each vector at `USER` is, in order.
    """

    ids: tuple[int, ...]
    items: tuple[str, ...] = ()
    histories: tuple[tuple[str, ...], ...] = ()

    def without_vectors(self) -> SoftPrompt:
        """The same text alone."""
        return SoftPrompt(tuple(token for token in self.ids if token >= 0))


class PromptWriter:
    """Words prompts for items of one catalogue.

    Args:
        model: whose tokens they are made of.
        titles: by item id; items without a title are left out of histories.
        domain: of the items; its words are those of all other prompts.
        locale: of the prompts.
    """

    def __init__(
        self, model: FrozenLanguageModel, titles: Mapping[str, str], domain: str, locale: Locale = "en"
    ) -> None:
        self.model, self.titles, self.domain, self.locale = model, titles, domain, locale
        self._ids: dict[str, tuple[int, ...]] = {}

    def choose(self, history: Sequence[str], candidates: Sequence[str], wish: str = "") -> SoftPrompt:
        """Which of the candidates comes next: the prompt as published, up to where the title begins.

        The user's vector, then the last ten titles of the history, then the candidates, each title followed
        by its vector.

        Args:
            history: item ids, oldest first.
            candidates: item ids that have titles.
            wish: what the user asks for in words, or facts of a chat; empty for none.
        """
        shown, items = self._shown(history), list(candidates)
        marks = {
            "user": _mark("user"),
            "history": _marks(range(len(shown))),
            "candidates": _marks(range(len(shown), len(shown) + len(items))),
            "wish": _mark("wish") if wish.strip() else "",
        }
        found = self._written("choose", marks, [*shown, *items], wish)
        return replace(found, ids=(*found.ids, *self._plain(_END)), histories=(tuple(history),))

    def listing(self, history: Sequence[str], wish: str = "") -> SoftPrompt:
        """The history as a list, up to where the next title begins: no candidates are shown.

        Before each title but the first stands the user's vector after the items before it, behind each title
        and its line end that of the item. So every title after the first is one that the model has to tell
        from what came before, and a history of n titles has n - 1 of them.

        Args:
            history, wish: see `choose`; the last 20 titles are shown.
        """
        there = [at for at, item in enumerate(history) if item in self.titles][-LISTED:]
        marks = {"shown": bool(there), "wish": _mark("wish") if wish.strip() else ""}
        ids = [*self._written("list", marks, [], wish).ids, *self._plain(_END)]
        befores = []
        for number, at in enumerate(there):
            if number:
                ids.append(USER)
                befores.append(tuple(history[:at]))
            ids += (*self.answer(history[at]), ITEM)
        befores.append(tuple(history))
        return SoftPrompt((*ids, USER), tuple(history[at] for at in there), tuple(befores))

    def user(self, history: Sequence[str]) -> SoftPrompt:
        """The history with its titles and vectors, and the out-token."""
        shown = self._shown(history)
        return self._written("user", {"history": _marks(range(len(shown))), "out": _mark("out")}, shown)

    def item(self, item_id: str) -> SoftPrompt:
        """An item with its title and vector, and the out-token."""
        return self._written("item", {"item": _mark("0"), "out": _mark("out")}, [item_id])

    def like(self, history: Sequence[str], item_id: str) -> tuple[int, ...]:
        """Whether the user will like an item, which is to be answered by yes or no: text alone, the item
        behind the history.
        """
        shown = self._shown(history)
        marks = {"history": _marks(range(len(shown))), "item": _mark(str(len(shown)))}
        found = self._written("like", marks, [*shown, item_id])
        return (*found.without_vectors().ids, *self._plain(_END))

    def answer(self, item_id: str) -> tuple[int, ...]:
        """The ids that answer `choose`: the title, and the line end that closes it.

        Without the line end "Alien" would be at least as likely as "Alien 3" whatever was asked.
        """
        return (*self._title(item_id), *self._plain(_END))

    @property
    def cut(self) -> int:
        """How many titles are longer than what is shown of them."""
        return sum(len(self._whole(title)) > TITLE_TOKENS for title in self.titles.values())

    def _shown(self, history: Sequence[str]) -> list[str]:
        return [item for item in history if item in self.titles][-HISTORY:]

    def _title(self, item_id: str) -> tuple[int, ...]:
        return self._whole(self.titles[item_id])[:TITLE_TOKENS]

    def _whole(self, title: str) -> tuple[int, ...]:
        return self._plain(cut_line(title, _CHARACTERS))

    def _plain(self, text: str) -> tuple[int, ...]:
        if text not in self._ids:
            self._ids[text] = self.model.plain(text)
        return self._ids[text]

    def _written(
        self, name: str, marks: Mapping[str, object], items: Sequence[str], wish: str = ""
    ) -> SoftPrompt:
        text = fill(_template(self.locale, name), self.domain, load_words(self.locale), marks)
        ids = list(self.model.start)
        for place, part in enumerate(_MARK.split(text)):  # every second part is a mark
            if not place % 2:
                ids += self._plain(part)
            elif part in _VECTORS:
                ids.append(_VECTORS[part])
            elif part == "wish":
                ids += self.model.plain(cut_line(wish, _CHARACTERS))
            else:
                ids += (*self._title(items[int(part)]), ITEM)
        return SoftPrompt(tuple(ids), tuple(items))


_VECTORS = {"user": USER, "out": OUT}


def _mark(what: str) -> str:
    """A place in a rendered template: for a vector, the wish, or the item of a number."""
    return f"\x02{what}\x03"


def _marks(numbers: Iterable[int]) -> list[str]:
    return [_mark(str(number)) for number in numbers]


@functools.cache
def _template(locale: Locale, name: str) -> str:
    return (TEMPLATES / locale / "soft" / f"{name}.jinja").read_text(encoding="utf-8")
