"""The simulated annotator: a published rule that stands in where no person tags. It is no measure of quality.

The rule looks at each answer by itself and gives it four figures. Answers are compared by the first figure,
where that is equal by the second, and so on; the larger is the better:

1. item: 3 if the item that the answer ends on (`prompts.answers.TitleIndex.recommended`, over the titles of
   the prompt's domain) is the true next item; 2 if it is another item of the catalogue that is not in the
   prompt's history and, for a listwise prompt, is among its candidates; 1 if it is any other item of the
   catalogue; 0 if the answer ends on none.
2. ending: 2 if the answer ends in our closing sentence (`prompts.answers.closing`) with that item; 1 if its
   last character ends a sentence (one of . ! ? 。 or a closing quotation mark or bracket); 0 else.
3. length: 1 if it has 15 to 120 words, else 0.
4. repetition: minus the response score ln(L) * L / C, with L the number of its words and C the number of
   distinct ones (words are runs of letters, digits and underscores, lower-cased), rounded to two decimals;
   minus infinity for no words.

Where all four are equal, the smaller hash of the answer's text goes first. The first answer of this order is
the best, the last the worst. A prompt of whose answers all have the same four figures is left out. Nothing is
random.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence

from align.tags import SIMULATED
from align.tasks import Task
from filters.score import response_score
from prompts.answers import TitleIndex, closing
from rectune.types import Item, Prompt, Tag

RULE = (
    "the answer that ends on the true next item, else on another catalogue item the user has not had; then "
    "a closing sentence; then 15 to 120 words; then the lower response score in words; ties by hash"
)
LENGTH = (15, 120)  # words

Figures = tuple[int, int, int, float]

_WORD = re.compile(r"\w+")
_SENTENCE_ENDS = tuple(".!?。\"'”’»)」』")


class SimulatedAnnotator:
    """Applies the rule above; holds an index of the titles of every domain."""

    def __init__(self, items: Mapping[str, Sequence[Item]]) -> None:
        self._items = {domain: list(rows) for domain, rows in items.items()}
        self._titles = {d: TitleIndex([item.title for item in rows]) for d, rows in self._items.items()}

    def tag(self, task: Task) -> Tag | None:
        """Best and worst of a task's answers; None where all figures are equal."""
        figures = {
            key: self.figures(task.prompt, text) for key, text in zip(task.hashes, task.answers, strict=True)
        }
        if len(set(figures.values())) < 2:
            return None
        ordered = sorted(figures, key=lambda key: (tuple(-figure for figure in figures[key]), key))
        # A published rule takes no time, and equal inputs must give an equal file.
        return Tag(task.key, task.hashes, ordered[0], ordered[-1], annotator=SIMULATED, time=0.0, seconds=0.0)

    def figures(self, prompt: Prompt, answer: str) -> Figures:
        """The four figures of one answer: item, ending, length, repetition; larger is better."""
        words = [word.lower() for word in _WORD.findall(answer)]
        item, title = self._item(prompt, answer)
        repetition = -round(response_score(words), 2) if words else -math.inf
        length = int(LENGTH[0] <= len(words) <= LENGTH[1])
        return item, _ending(prompt, answer.rstrip(), title), length, repetition

    def _item(self, prompt: Prompt, answer: str) -> tuple[int, str]:
        """The first figure, and the title it rests on ("" for none)."""
        mention = self._titles[prompt.domain].recommended(answer)
        if mention is None:
            return 0, ""
        title = self._items[prompt.domain][mention.index].title
        # Several items may bear one title; the answer cannot tell them apart, so any of them counts.
        named = {item.item_id for item in self._items[prompt.domain] if item.title == title}
        if prompt.target in named:
            return 3, title
        fresh = named - set(prompt.history)
        allowed = fresh & set(prompt.candidates) if prompt.candidates else fresh
        return (2 if allowed else 1), title


def _ending(prompt: Prompt, answer: str, title: str) -> int:
    if title and answer.rstrip(".").endswith(closing(prompt.locale, title).rstrip(".")):
        return 2
    return int(answer.endswith(_SENTENCE_ENDS))
