"""The simulated annotator: a fixed rule instead of a person's tags. It is no measure of quality.

The rule gives each answer four figures. Answers are compared by the first figure, if that is equal by the
second, and so on; the larger is the better:

1. item: 3 if the item that the answer recommends (`rectune.prompts.answers.read_answer`, over the titles of
   the prompt's domain: the first of a ranking, else what the closing line or the last sentence names) is the
   true next item; 2 if it is another item of the catalogue that is not in the prompt's history and, for a
   listwise prompt, is among its candidates; 1 if it is any other item of the catalogue; 0 if the answer
   recommends none.
2. ending: 2 if the answer ends as its prompt asks: to a direct one with our closing line (`closing`) and that
   item, to a listwise one with our ranking (`ranking`), that item first and every candidate in it once; 1 if
   its last character ends a sentence (one of . ! ? 。 or a closing quotation mark or bracket); 0 else.
3. length: 1 if the reasons, which is what stands before that line or ranking, have 15 to 120 words, else 0.
4. repetition: minus the response score ln(L) * L / C, with L the number of its words and C the number of
   distinct ones (words are runs of letters, digits and underscores, lower-cased), rounded to two decimals;
   minus infinity for no words.

If all four are equal, the smaller hash of the answer's text is first. The first answer of this order is
the best, the last the worst. A prompt of whose answers all have the same four figures is left out. Nothing is
random.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from collections.abc import Set as AbstractSet

from rectune.align.decisions import SIMULATED, Decision
from rectune.align.tasks import AnnotationTask
from rectune.core.types import Prompt
from rectune.filters.score import response_score
from rectune.prompts.answers import ParsedAnswer, closing, ranking, read_answer, reasons
from rectune.prompts.title_index import TitleIndex

RULE = (
    "the answer that recommends the true next item, else another catalogue item the user has not had; then "
    "one that ends in a closing line, or in a whole ranking where one is asked for; then reasons of 15 to "
    "120 words; then the lower response score in words; ties by hash"
)
LENGTH = (15, 120)  # words

Figures = tuple[int, int, int, float]

_WORD = re.compile(r"\w+")
_SENTENCE_ENDS = tuple(".!?。\"'”’»)」』")


class SimulatedAnnotator:
    """Applies the rule above, given the titles of every domain."""

    def __init__(self, titles: Mapping[str, TitleIndex]) -> None:
        self._catalogues = titles

    def tag(self, task: AnnotationTask) -> Decision | None:
        """Best and worst of a task's answers; None where all figures are equal."""
        figures = {
            key: self.figures(task.prompt, text) for key, text in zip(task.hashes, task.answers, strict=True)
        }
        if len(set(figures.values())) < 2:
            return None
        ordered = sorted(figures, key=lambda key: (tuple(-figure for figure in figures[key]), key))
        # No time is recorded, since equal inputs must give an equal file.
        return Decision(
            "tag", task.key, task.hashes, ordered[0], ordered[-1], SIMULATED, time=0.0, seconds=0.0
        )

    def figures(self, prompt: Prompt, answer: str) -> Figures:
        """The four figures of one answer: item, ending, length, repetition; larger is better."""
        known = self._catalogues[prompt.domain]
        reading = read_answer(answer, known, known.places(prompt.candidates))
        words = [word.lower() for word in _WORD.findall(answer)]
        repetition = -round(response_score(words), 2) if words else -math.inf
        length = int(LENGTH[0] <= len(_WORD.findall(reasons(answer))) <= LENGTH[1])
        return (
            _item(prompt, known.ids(reading.recommended)),
            _ending(prompt, answer.rstrip(), known, reading),
            length,
            repetition,
        )


def _item(prompt: Prompt, named: AbstractSet[str]) -> int:
    """The first figure, from the items that an answer may mean."""
    if prompt.target in named:
        return 3
    fresh = named - set(prompt.history)
    allowed = fresh & set(prompt.candidates) if prompt.candidates else fresh
    return 2 if allowed else int(bool(named))


def _ending(prompt: Prompt, answer: str, known: TitleIndex, reading: ParsedAnswer) -> int:
    """The second figure."""
    titles = [known.titles[place] for place in reading.items]
    if titles and reading.recommended is not None:
        if prompt.form == "listwise":
            whole = sorted(titles) == sorted(known.titles[place] for place in known.places(prompt.candidates))
            asked = ranking(prompt.locale, titles) if whole else ""
        else:
            asked = closing(prompt.locale, titles[0])
        if asked and answer.rstrip(".").endswith(asked.rstrip(".")):
            return 2
    return int(answer.endswith(_SENTENCE_ENDS))
