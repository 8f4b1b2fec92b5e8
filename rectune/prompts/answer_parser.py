"""Which items an answer chooses: its labels, lists and sentences, matched with the titles in them."""

from __future__ import annotations

import bisect
import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

from rectune.prompts import title_matching as scale
from rectune.prompts.list_parsing import (
    AnswerLabel,
    ListLine,
    advice_in,
    lines_of,
    number_in,
    numbers_in,
    runs_of,
)
from rectune.prompts.title_index import TitleIndex
from rectune.prompts.title_matching import TitleMention, in_place

AnswerForm = Literal["direct", "listwise", "none"]

MARKUP = " \t*_#`"
_SENTENCE_END = re.compile(r"[.!?。]\s+|\n+")
_BETWEEN = re.compile(r"[\s\d>,;.:()\[\]→=≻/&|#*_\"'“”‘’「」『』–—-]+")
_LINKS = frozenset(("", "and", "then", "or", "그리고", "및", "다음", "위", "번", "순위", *scale.PARTICLES))
_SIGNS = ">→≻"  # of a ranking on one line


def choose(
    text: str,
    names: TitleIndex,
    shown: Sequence[int],
    found: Sequence[TitleMention],
    labels: Sequence[AnswerLabel],
) -> ParsedChoice:
    """The choice of an answer; see `rectune.prompts.answers.read_answer`.

    Args:
        text: the answer without HTML entities.
        names: the titles.
        shown: the candidates that numbers refer to.
        found: all mentions of titles in the text, in its order.
        labels: the labels of the text, in its order.
    """
    reader = _Reader(text, names, shown, found, [mention.start for mention in found])
    return reader.choice(reader.outside_titles(labels))


@dataclass
class ParsedChoice:
    """Items and their certainty in the order of preference; `first`: whether the first place was read."""

    form: AnswerForm = "none"
    items: dict[int, float] = field(default_factory=dict)
    first: bool = True
    words: str = ""

    def add(self, found: Sequence[TitleMention], words: str) -> None:
        """Add the items of the next place; nothing if it could not be read."""
        if not self.items and self.first:
            self.first, self.words = bool(found), words
        for mention in found:
            self.items.setdefault(mention.index, mention.certainty)

    def counted(self) -> ParsedChoice:
        """The choice as a list of items if there are several, whatever label announced it."""
        if len(self.items) > 1:
            self.form = "listwise"
        return self


@dataclass
class _Reader:
    """Reads one answer."""

    text: str
    names: TitleIndex
    shown: Sequence[int]
    found: Sequence[TitleMention]
    starts: Sequence[int]

    def choice(self, labels: Sequence[AnswerLabel]) -> ParsedChoice:
        """By the last label with a title behind it or of our format, else a list, else the last sentence."""
        for number in range(len(labels) - 1, -1, -1):
            choice = self._behind(labels[number])
            if choice.items and choice.form == "direct":
                return self._with_ranking(choice, labels[:number])
            if choice.items or labels[number].ours:
                return choice
        return self._in_row() or self._listed() or self._ended()

    def outside_titles(self, labels: Sequence[AnswerLabel]) -> list[AnswerLabel]:
        """The labels that are not part of a title in a list entry or after another label."""
        kept, done = list[AnswerLabel](), 0
        for label in labels:
            begin, end = self.text.rfind("\n", 0, label.start) + 1, self._line_end(label.end)
            line = lines_of(self.text[begin:end])[0]
            if label.start < done or (line.listed and self._whole(begin + line.begin, end)):
                continue
            kept.append(label)
            if self._whole(label.end, end):
                done = end
        return kept

    def _whole(self, begin: int, end: int) -> bool:
        mention = in_place(self.names, self.text, begin, end)
        return mention is not None and mention.certainty == scale.WHOLE

    def _line_end(self, start: int) -> int:
        end = self.text.find("\n", start)
        return len(self.text) if end < 0 else end

    def _behind(self, label: AnswerLabel) -> ParsedChoice:
        """What a label announces: the rest of its line, or the list or line below it."""
        end = self._line_end(label.end)
        rest = self.text[label.end : end].strip()
        choice = ParsedChoice("listwise" if label.kind == "ranking" else "direct")
        if rest.strip(MARKUP) or self._whole(label.end, end):
            choice.add(self._rest(label, end), rest)
            if choice.items:
                return choice.counted()
        below = self._below(label, end)
        return below if below.items or not choice.words else choice

    def _rest(self, label: AnswerLabel, end: int) -> Sequence[TitleMention]:
        if label.kind == "ranking":
            return self._row(label.end, end)
        single = self._entry(label.end, end)
        if single is None:  # "My recommendation: 2. Heat"
            line = lines_of(self.text[label.end : end])[0]
            single = self._entry(label.end + line.begin, end) if line.listed else None
        return [single] if single else ()

    def _below(self, label: AnswerLabel, end: int) -> ParsedChoice:
        """The list that follows a label; after "My ranking:" it may begin on the same line."""
        choice = ParsedChoice("listwise" if label.kind == "ranking" else "direct")
        lines = lines_of(self.text, label.end if label.kind == "ranking" else end)
        runs = runs_of(lines, self.text)
        if label.kind == "ranking":
            self._take(choice, runs[0] if runs else self._bare(lines), loose=True)
        elif runs and runs[0][0] is lines[0]:
            self._take(choice, runs[0], loose=False)
        else:
            self._take(choice, lines[:1], loose=False)
        return choice.counted()

    def _bare(self, lines: Sequence[ListLine]) -> list[ListLine]:
        """The first lines that are each a whole title, without number or bullet."""
        whole = list[ListLine]()
        for line in lines:
            if not self._whole(line.start, line.end):
                break
            whole.append(line)
        return whole

    def _take(self, choice: ParsedChoice, lines: Sequence[ListLine], *, loose: bool) -> None:
        for line in lines:
            choice.add(self._of(line, loose=loose), self.text[line.begin : line.end])

    def _of(self, line: ListLine, *, loose: bool) -> Sequence[TitleMention]:
        """The items of one entry: one, or all if a whole list is on this line.

        Args:
            line: an entry.
            loose: also accept a title anywhere within the entry.
        """
        if line.number is not None and f"{line.number + 1}" in self.text[line.begin : line.end]:
            row = self._row(line.begin, line.end, numbers=False)
            if len(row) > 1:
                return row
        # "2001: A Space Odyssey" looks like an entry 2001.
        single = self._entry(line.begin, line.end) or in_place(self.names, self.text, line.start, line.end)
        if single:
            return [single]
        within = [m for m in self._within(line.begin, line.end) if m.certainty >= scale.SURE] if loose else []
        return [max(within, key=lambda mention: mention.certainty == scale.MARKED)] if within else ()

    def _entry(self, begin: int, end: int) -> TitleMention | None:
        mention = in_place(self.names, self.text, begin, end)
        number = None if mention or not self.shown else number_in(self.text[begin:end], len(self.shown))
        return mention or (
            TitleMention(self.shown[number - 1], begin, end, scale.FOLLOWED) if number else None
        )

    def _row(self, begin: int, end: int, *, numbers: bool = True) -> Sequence[TitleMention]:
        """The items of a ranking on one line: titles or candidates' numbers, with only signs between them."""
        single = in_place(self.names, self.text, begin, end)
        if single and single.certainty == scale.WHOLE:
            return [single]
        order = numbers_in(self.text[begin:end], len(self.shown)) if numbers else []
        if order:
            return [TitleMention(self.shown[number - 1], begin, end, scale.FOLLOWED) for number in order]
        row = self._within(begin, end)
        edges = [begin, *(place for mention in row for place in (mention.start, mention.end)), end]
        gaps = [self.text[a:b] for a, b in zip(edges[::2], edges[1::2], strict=True)]
        if all(_BETWEEN.sub("", gap).casefold() in _LINKS for gap in gaps):
            return [
                replace(m, certainty=scale.SHORT if m.certainty == scale.SHORT else scale.FOLLOWED)
                for m in row
            ]
        return [single] if single else ()

    def _within(self, begin: int, end: int) -> list[TitleMention]:
        first, last = bisect.bisect_left(self.starts, begin), bisect.bisect_left(self.starts, end)
        return [mention for mention in self.found[first:last] if mention.end <= end]

    def _with_ranking(self, choice: ParsedChoice, labels: Sequence[AnswerLabel]) -> ParsedChoice:
        """The choice, followed by the other items of a ranking before it."""
        ranking = next((label for label in reversed(labels) if label.kind == "ranking"), None)
        if ranking:
            for item, certainty in self._behind(ranking).items.items():
                choice.items.setdefault(item, certainty)
        return choice.counted()

    def _in_row(self) -> ParsedChoice | None:
        """The last line that ranks several items, without a label: "Heat > Up", or "3 > 1 > 2"."""
        for line in reversed(lines_of(self.text)):
            written = self.text[line.start : line.end]
            if not (self.shown or any(sign in written for sign in _SIGNS)):
                continue
            # In "1. 3" only the second is a candidate, in "[3] > [1]" both are.
            plain = not line.listed or written[line.begin - line.start :].startswith(tuple(_SIGNS + ","))
            row = self._row(line.start, line.end, numbers=plain)
            if len(row) > 1:
                choice = ParsedChoice("listwise")
                choice.add(row, written)
                return choice
        return None

    def _listed(self) -> ParsedChoice | None:
        """The last unannounced list of titles; None if the sentence after it recommends something else."""
        for run in reversed(runs_of(lines_of(self.text), self.text)):
            choice = ParsedChoice("listwise")
            self._take(choice, run, loose=False)
            if len(choice.items) > 1 or (choice.items and run[0].number is not None):
                advised = self._advised(after=run[-1].end)
                return choice if advised is None or advised.index in choice.items else None
        return None

    def _ended(self) -> ParsedChoice:
        """The title that is the last sentence, else the advised one, else the last one of that sentence."""
        choice, (last, end) = ParsedChoice(), self._sentences()[-1]
        if self._whole(last, end):
            found = in_place(self.names, self.text, last, end)
        else:
            found = self._advised() or next(reversed(self._sure(last, end)), None)
        if found:
            choice.add([found], "")
        return choice

    def _advised(self, after: int = 0) -> TitleMention | None:
        """The title in the last recommending sentence: the first after its verb, else the last before it."""
        for begin, end in reversed(self._sentences()):
            word = advice_in(self.text[begin:end]) if begin >= after else None
            sure = self._sure(begin, end) if word is not None else []
            if word is not None and sure:
                return next((m for m in sure if m.start > begin + word), sure[-1])
        return None

    def _sure(self, begin: int, end: int) -> list[TitleMention]:
        return [mention for mention in self._within(begin, end) if mention.certainty >= scale.SURE]

    def _sentences(self) -> list[tuple[int, int]]:
        """Where the sentences begin and end; a full stop within a title ends none ("Dr. Strangelove")."""
        stops = [match.end() for match in _SENTENCE_END.finditer(self.text.rstrip())]
        kept = [stop for stop in stops if not self._inside(stop)]
        return list(zip([0, *kept], [*kept, len(self.text)], strict=True))

    def _inside(self, place: int) -> bool:
        at = bisect.bisect_left(self.starts, place) - 1
        return at >= 0 and self.found[at].end >= place
