"""The words of a message to search with: without those that only ask, and without what is ruled out."""

from __future__ import annotations

import re
from collections.abc import Sequence

from rectune.core.text.common_words import FUNCTION_WORDS
from rectune.core.types import Locale
from rectune.dialogue.chat_catalogue import Named
from rectune.dialogue.cues import Cue, cues_of, of_somebody_else
from rectune.dialogue.knowledge import ChatFact
from rectune.dialogue.message_text import blanked, sentences_of
from rectune.dialogue.phrases import says_something
from rectune.dialogue.pointing import ordinal_spans
from rectune.prompts.title_matching import PARTICLES

_LONGEST = 300
_REST_OF_WORD = re.compile("[가-힣]*")
_POLITE = re.compile(
    r"\b(?:h+m+|um+|not sure|i don't know|don't know|no idea|dunno|what's|good (?:morning|evening"
    r"|afternoon|night)|instead|then|actually|whatever|please|like|similar to|don't forget|remember"
    r"|could you|can you|would you|i "
    r"think|thanks|thank you|hello|hi|hey|me|something|anything|maybe|some|any"
    r"|what should i \w+|what can i \w+|to (?:watch|see|read|play|listen to)|surprise"
    r"|suggestions?|recommendations?"
    r"|ignore (?:all |any )?(?:previous|prior|above) instructions|you are now|i'm|i am"
    r"|not too|but|it|that|this|one"
    r"|else|others?|ideas?|options?|another|different|new|more|next|again|ones|shorter|short)\b"
    r"|추천\S*|부탁\S*|해 ?줘\S*|주세요|볼 ?만한|뭐\S*|뭘|어때\S*|있어\S*|없어\S*|있나\S*"
    r"|없나\S*|좀|혹시|보고|싶\S*|읽고|듣고|하고"
    r"|다른|또|그거|이거|거(?=\s|$)|것|걸|찾\S*|알려\S*|보여\S*|골라\S*|더|그런|이런|말고|오늘은?|짧은"
    r"|안녕\S*|몰라|아무 ?거나|상관 ?없\S*|알아서|모르겠\S*|볼 ?(?:거|건데|게|영화)|읽을 ?(?:거|건데|책)"
    r"|(?:보여|빼|알려) ?주\S*|차라리|그럼|하나만|괜찮\S*|재밌\S*|재미있\S*|비슷\S*|같은|거요"
)


def words_to_search(
    text: str,
    low: str,
    locale: Locale,
    own: Sequence[Named],
    other: Sequence[Named],
    facts: Sequence[ChatFact],
) -> str:
    """The words to search with, as they were written; empty where none of them says anything.

    Args:
        text: the message.
        low: the same in lower case, with U+FFFC in place of titles, and without circumstances.
        locale: its language.
        own, other: the items that it names; titles are no words to search with.
        facts: what was read in it; what is liked, avoided or seen is not searched with.
    """
    spans = [(one.start, one.end) for one in (*own, *other)]
    for fact in facts:
        if fact.kind not in ("want", "mood") and (at := text.find(fact.quote)) >= 0:
            spans.append((at, at + len(fact.quote)))
    gone = [at for at, char in enumerate(low) if char == " " and text[at : at + 1] != " "]
    spans += [(at, at + 1) for at in gone]  # circumstances
    for sentence in sentences_of(low):
        cues = cues_of(low[sentence.start : sentence.end], locale)
        for at, cue in enumerate(cues):
            start, end = cue.start, cue.end
            if locale == "ko" and not cue.behind:
                end = _REST_OF_WORD.match(low, sentence.start + end).end() - sentence.start  # type: ignore[union-attr]
                start = _of_others(low[sentence.start : sentence.end], cues, at)
            if cue.stance == "void" and locale == "ko":
                start = cues[at - 1].end if at else 0
            elif cue.stance == "void":
                end = cues[at + 1].start if at + 1 < len(cues) else sentence.end - sentence.start
            spans.append((sentence.start + start, sentence.start + end))
    spans += [(start, _REST_OF_WORD.match(low, end).end()) for start, end in ordinal_spans(low)]  # type: ignore[union-attr]
    left = blanked(text, spans)
    left = _POLITE.sub(lambda found: " " * len(found.group()), left.lower() if locale == "en" else left)
    words = re.sub(r"\s+", " ", re.sub(r"[^\w\s'-]", " ", left)).strip(" -'").split()
    while words and words[-1] in PARTICLES:
        words = words[:-1]
    while words and words[0].casefold() in FUNCTION_WORDS:
        words = words[1:]
    while words and words[-1].casefold() in FUNCTION_WORDS:
        words = words[:-1]
    return _cut(" ".join(words))


def _of_others(part: str, cues: Sequence[Cue], at: int) -> int:
    """Where the words begin that belong to a Korean cue: its own, or what somebody else likes."""
    cue, before = cues[at], cues[at - 1].end if at else 0
    others = cue.stance in ("like", "avoid", "seen") and of_somebody_else(part[before : cue.start])
    return before if others else cue.start


def _cut(words: str) -> str:
    return words[:_LONGEST] if says_something(words) else ""
