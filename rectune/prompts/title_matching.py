"""Finding titles in a text, and how certain it is that they are meant.

The scale of certainty, for every part of the parser:

| certainty | what was found |
|---|---|
| 1.0 `WHOLE` | the title alone in a place for one: after the closing words, on its line of a ranking |
| 0.9 `MARKED` | the title in quotation marks, bold or brackets |
| 0.8 `FOLLOWED` | the title in a place for one, with more words after a mark; in a row; by its number |
| 0.7 `SPOKEN` | the title in running text |
| 0.6 `SHORT` | without the title's year; or in a place for one, where the words after may continue it |
| 0.3 `UNSURE` | in running text an ordinary word ("it", "heat") or part of a longer name ("Alien 3") |

From `SURE` on a mention counts as naming the title. A Korean title may carry a particle ("기생충을").
"""

from __future__ import annotations

import functools
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from rectune.prompts.locale_words import one_line
from rectune.prompts.title_index import TitleIndex
from rectune.prompts.titles import MOST_WORDS, YEAR, TitleWord, fold, key_of, split_words, unescape

WHOLE, MARKED, FOLLOWED, SPOKEN, SHORT, UNSURE = 1.0, 0.9, 0.8, 0.7, 0.6, 0.3
SURE = 0.5

QUOTES = "\"'`“”‘’«»*_「」『』《》〈〉<>[]【】"
_JOINTS = "-–'’.&/:"  # between letters and without a space they make one name
# Longest first, so that "으로" is not taken for "로" on a title that ends in "으".
# fmt: off
PARTICLES = (
    "이었습니다", "에서는", "으로는", "입니다", "이라는", "이라고", "이에요", "에게는", "였습니다",
    "으로", "에서", "에게", "라는", "라고", "예요", "처럼", "보다", "까지", "부터", "에는", "과는",
    "와는", "로는", "이나", "이며", "이고", "이랑", "하고", "만은", "이죠", "이다",
    "을", "를", "이", "가", "은", "는", "의", "와", "과", "도", "로", "에", "만", "나", "랑",
)
# fmt: on
_YEAR = re.compile(YEAR)
_MARK = re.compile(r"[,;!?()\[\]（）「『《〈<|→=≻>—–…。、]|[.:：](?=\s|$)|[-~/](?=\s)")
_SUBTITLE = re.compile(r"[:：]\s+[^\W\d_a-z]")  # a colon and a capital: it may be another title that goes on
_NEXT = re.compile(r" (\w{1,12})")
_LAST = re.compile(r"(\w{1,30}) $")
# Particles behind which no title goes on, as "살인의 추억" and "괴물은 살아 있다" do.
_ENDING = re.compile(r"(?:을|를|입니다|이며|이고|이?라고)[\s,.]")
_REASON = frozenset(("because", "since", "due"))
_SIGNS_BEFORE, _SIGNS_BEHIND = 4, 8  # signs around a title's words that are looked at to tell titles apart
_SHORT_WORD = 4  # letters of a word that may be any word at the beginning of a sentence
_SHORT_SYLLABLES = 2  # the same for scripts without capitals


@dataclass(frozen=True, slots=True)
class TitleMention:
    """A title found in a text: its index, its characters, and its certainty (0 to 1, see above)."""

    index: int
    start: int
    end: int
    certainty: float


@dataclass(frozen=True, slots=True)
class _Match:
    """A title found at a word: `count` words, `end` without particle."""

    index: int
    short: bool
    count: int
    start: int
    end: int


def find(titles: TitleIndex, text: str) -> list[TitleMention]:
    """All titles named in the text, in its order; of overlapping ones the longest that begins first."""
    words, found, place = split_words(text), list[TitleMention](), 0
    while place < len(words):
        match = _longest(titles, text, words, place)
        if match is None:
            place += 1
            continue
        title = titles.titles[match.index]
        start, end = _with_signs(text, match, title)
        found.append(TitleMention(match.index, start, end, _certainty(text, match, (start, end), title)))
        place += match.count
    return found


def in_place(titles: TitleIndex, text: str, begin: int, end: int) -> TitleMention | None:
    """The title in a place for one: the rest of a line after closing words, or an entry of a list.

    The title must begin the place. A particle, a year, or an explanation may follow.
    """
    segment = text[begin:end]
    bare = segment.strip(QUOTES + " \t")
    ways = (one_line(segment), one_line(bare), one_line(bare.rstrip(".,!? ")))
    hit = titles.resolve(key_of(segment), lambda: ways)
    if hit:
        return TitleMention(hit.index, begin, end, SHORT if hit.short else WHOLE)
    words = split_words(segment[:_READ])
    match = _longest(titles, segment, words, 0) if words else None
    if match is None or _joined(segment, match.start, match.end):
        return None
    title = titles.titles[match.index]
    start, stop = _with_signs(segment, match, title)
    following = words[match.count].text if match.count < len(words) else ""
    certainty = _behind(segment[stop:_READ], match, _quoted(segment, start, stop), following)
    return TitleMention(match.index, begin + start, begin + stop, certainty) if certainty else None


_READ = 2000  # characters of a place that are looked at: more than any title has


def _behind(rest: str, match: _Match, quoted: bool, following: str) -> float:
    """The certainty of a title that begins a place, by the text after it; 0 if part of a longer name."""
    rest = rest.lstrip(QUOTES)
    words = fold(rest).strip(" \t()" + QUOTES).rstrip(".!?,。").rstrip(" " + QUOTES)
    if not words or words in PARTICLES:
        return SHORT if match.short else WHOLE
    if _YEAR.match(rest.lstrip()):
        return 0.0 if match.short else FOLLOWED  # a title that bears a year is another one with another year
    if _MARK.match(rest.lstrip()):
        unclear = match.short or (not quoted and _SUBTITLE.match(rest))
        return SHORT if unclear else MARKED if quoted else FOLLOWED
    if (
        quoted
        or following in _REASON
        or _ENDING.match(rest)
        or (match.count > 1 and rest.lstrip()[:1].islower())
    ):
        return SHORT
    return 0.0


def _longest(titles: TitleIndex, text: str, words: Sequence[TitleWord], place: int) -> _Match | None:
    """The longest title that begins at this word."""
    first, left = words[place], len(words) - place
    lengths = titles.lengths(first.text)
    for count in range(min(left, lengths.bit_length(), MOST_WORDS), 1, -1):
        if lengths >> count - 1 & 1:
            head = " ".join(word.text for word in words[place : place + count - 1])
            match = _resolved(titles, text, head + " ", (first.start, words[place + count - 1]), count)
            if match:
                return match
    return _resolved(titles, text, "", (first.start, first), 1)


def _resolved(
    titles: TitleIndex, text: str, head: str, span: tuple[int, TitleWord], count: int
) -> _Match | None:
    start, last = span
    for form in without_particle(last.text):
        if not head and not titles.lengths(form) & 1:
            continue
        end = last.end - (len(last.text) - len(form)) if form != last.text else last.end
        hit = titles.resolve(head + form, functools.partial(_spellings, text, start, end))
        if hit:
            return _Match(hit.index, hit.short, count, start, max(end, start + 1))
    return None


def _spellings(text: str, start: int, end: int) -> Iterator[str]:
    """The text there with the signs around it, longest first: "C++" for a "C" followed by two signs."""
    left, right = start, end
    while left and start - left < _SIGNS_BEFORE and _is_sign(text[left - 1]):
        left -= 1
    while right < len(text) and right - end < _SIGNS_BEHIND and _is_sign(text[right]):
        right += 1
    for stop in range(right, end - 1, -1):
        for begin in range(left, start + 1):
            yield text[begin:stop]


def _is_sign(char: str) -> bool:
    return not char.isalnum() and not char.isspace()


def _with_signs(text: str, match: _Match, title: str) -> tuple[int, int]:
    """The place of a mention with the signs that its title begins and ends with."""
    words = split_words(title)
    if match.short or not words:
        return match.start, match.end
    before, behind = title[: words[0].start], title[words[-1].end :]
    start = match.start - len(before) if before and text[: match.start].endswith(before) else match.start
    end = match.end + len(behind) if behind and text.startswith(behind, match.end) else match.end
    return start, end


def _certainty(text: str, match: _Match, place: tuple[int, int], title: str) -> float:
    """The certainty of a mention in running text."""
    start, end = place
    if _quoted(text, start, end):
        return SHORT if match.short else MARKED
    if match.short and _YEAR.match(text, end + (text[end : end + 1] == " ")):
        return UNSURE  # another year: another work
    if _joined(text, match.start, match.end) or _goes_on(text, match.start, end):
        return UNSURE
    if match.count == 1 and _ordinary(text, match, title):
        return UNSURE
    return SHORT if match.short else SPOKEN


def _quoted(text: str, start: int, end: int) -> bool:
    if not start or end >= len(text) or text[start - 1] not in QUOTES or text[end] not in QUOTES:
        return False
    return not (text[end] in "'’" and _latin(text[end + 1 : end + 2]))  # the apostrophe of "Alien's"


def _joined(text: str, start: int, end: int) -> bool:
    """Part of a compound: "Spider-Man" names no "Spider", "it's" no "It"."""
    if start > 1 and text[start - 1] in _JOINTS and text[start - 2].isalnum():
        return True
    joint, behind = text[end : end + 1], text[end + 1 : end + 2]
    if joint in ("'", "’") and behind in ("s", "S") and end - start > _SHORT_WORD:
        return False  # the genitive of a name that is long enough to be one
    return bool(joint) and joint in _JOINTS and _latin(behind)


def _latin(char: str) -> bool:
    return char.isascii() and char.isalnum()


def _goes_on(text: str, start: int, end: int) -> bool:
    """A capital or a number beside it: part of a longer name ("Alien 3", "Kung Fu Panda")."""
    behind = _NEXT.match(text, end)
    if behind and behind[1].isdigit():
        return len(behind[1]) < 3  # a year or a count is no sequel
    if behind and behind[1][0].isupper() and behind[1] != "I":
        return True
    before = _LAST.search(text[max(0, start - 31) : start])
    if not before or not before[1][0].isupper():
        return False
    return not _opens_sentence(text, start - 1 - len(before[1]))


def _ordinary(text: str, match: _Match, title: str) -> bool:
    """Whether a word may be an ordinary one: other capitals, short at a sentence start, or a number."""
    written = text[match.start : match.end]
    if written.isdigit():
        return True
    if written.lower() == written.upper():
        return len(written) <= _SHORT_SYLLABLES
    own = next((title[word.start : word.end] for word in split_words(title)), "")
    if written != own and not (written.isupper() and len(written) > _SHORT_WORD):
        return True
    return len(written) <= _SHORT_WORD and _opens_sentence(text, match.start)


def _opens_sentence(text: str, start: int) -> bool:
    before = text[max(0, start - 20) : start].rstrip(" \t(" + QUOTES)
    return not before or before[-1] in ".!?…:;\n。"


def without_particle(word: str) -> list[str]:
    """The word itself, and, where it ends in Hangul, the word without a particle."""
    forms = [word]
    if word and "가" <= word[-1] <= "힣":
        forms += [word[: -len(p)] for p in PARTICLES if word.endswith(p) and len(word) > len(p)]
    return forms


def placed(mentions: Sequence[TitleMention], origin: Sequence[int]) -> list[TitleMention]:
    """Mentions of an unescaped text, with their places in the text as it was written (see `unescape`)."""
    if not origin:
        return list(mentions)
    return [TitleMention(m.index, origin[m.start], origin[m.end], m.certainty) for m in mentions]


def find_all(titles: TitleIndex, text: str) -> list[TitleMention]:
    """`find` in a text that may hold HTML entities; places are those of the text as it was written."""
    plain, origin = unescape(text)
    return placed(find(titles, plain), origin)
