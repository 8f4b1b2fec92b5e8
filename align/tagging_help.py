"""Help texts on the keys of `rectune tag`, and the same keys on a Korean keyboard."""

from __future__ import annotations

from rectune.align.session import AnnotationSession

MOST_ANSWERS = 9  # that the screen can give a digit to

_ASKED = """\
Which answer helps this person most, and which least? Answers are shuffled
for every request. Pale: words that another answer has too."""
_COMPARED = """\
Which of the two answers helps this person more? Which model wrote which is
shuffled for every request. Pale: words that both have."""
_PICK = """\
  1 2 3 ...  first press: the best; second press: the worst. That saves it.
             The same number again, or Escape, takes the first press back."""
_PICK_LINE = "  3 1        two numbers: the best answer, then the worst"
_BETTER = "  1  2       this answer is the better one"
_REST = """\
  e          equal: they are equally good
  x          all bad: none of them is any good
  s          skip: no fair choice here; all of these count as done
  u          undo the last decision, as often as you like
  f          flag this request, or take its flag away
  t          what the person really took next
  i          the request in full, as the model reads it
  n  p       next and previous, also those done: a new choice replaces
  g  v       go to the next that is not done; visit the next flagged"""
_SCREEN = """\
  c          comment: a line of text about this request
  j          jump to a number
  h          hide the request, for more of the answers
  Space  b   a page down, a page up; Tab: of the answers or of the request
  ?  q       this help; quit: all is saved, the next start goes on here"""
_PLAIN = """\
  c words    comment: a line about this request; c alone takes it away
  j 17       jump to request 17
  r          read the request again
  ?  q       this help; quit: all is saved, the next start goes on here"""

_KEYS = "1-{most} best, worst  e equal  x all bad  s skip  u undo  t truth  ? keys  q quit"
_KEYS_OF_TWO = "1 2 the better  e equal  x both bad  s skip  u undo  t truth  ? keys  q quit"

# The letters where a keyboard that is switched to Hangul (two-set layout) has them.
HANGUL = dict(zip("ㄷㅌㄴㅕㅊㄹㅅㅑㅗㅜㅔㅎㅍㅓㅂㅠㄱ", "exsucftihnpgvjqbr", strict=True))


def screen_help(session: AnnotationSession) -> str:
    """The help of the screen."""
    asked = (_COMPARED, _BETTER) if session.compares else (_ASKED, _PICK)
    return "\n".join([asked[0], "", asked[1], _REST, _SCREEN])


def plain_help(session: AnnotationSession) -> str:
    """The help of the line mode, where a decision is typed as a line."""
    asked = (_COMPARED, _BETTER) if session.compares else (_ASKED, _PICK_LINE)
    return "\n".join([asked[0].rpartition(" Pale")[0], asked[1], _REST, _PLAIN])


def key_line(session: AnnotationSession, most: int) -> str:
    """The keys at the foot of the screen, within 78 cells; `most` answers a request at most."""
    return _KEYS_OF_TWO if session.compares else _KEYS.format(most=most)
