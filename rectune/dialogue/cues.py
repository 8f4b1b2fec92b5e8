"""Words that say what somebody thinks of the things named beside them, in English and Korean.

A cue governs the words behind it (English) or before it (Korean), up to the next cue. Texts are in lower
case, with one kind of apostrophe. What must not be taken for a cue is said where it is left out: `not bad`,
`I used to like`, `친구가 좋아해`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from rectune.core.types import Locale

Stance = Literal["like", "avoid", "want", "seen", "not", "void", "none"]
"""`not` is what somebody leaves out, for now or for ever, as what else they say tells. `void` is said of no
taste of theirs (`I used to like`, `my wife loves`), and its words are not searched with. `none` only ends
the reach of another cue."""


@dataclass(frozen=True, slots=True)
class Cue:
    """A cue in a text: what it says, where it stands, and whether it governs the words behind it."""

    stance: Stance
    start: int
    end: int
    behind: bool


_ADVERBS = (
    r"(?:(?:really|also|absolutely|just|still|do|always|quite|so|truly|usually|generally|kind of|never"
    r"|especially|only|mostly|particularly|very much|actually|both|have|already|recently|'ve|all) )*"
)
_LEAD = (
    r"(?:^|(?<=[,;:.!?(-])|(?<=[,;:.!?(-] )|(?<= and)|(?<= but)|(?<= because)|(?<= since)|(?<= so)"
    r"|(?<= although)|(?<= though)|(?<= while)|(?<= that's why)|(?<= i think)|(?<= i guess)|(?<= honestly)"
    r"|(?<= actually)|(?<= well)|(?<= sorry)|(?<= yes)|(?<= no)|(?<= oh)|(?<= as)"
    r"|(?<=remember that)|(?<=forget that)|(?<=remember)|(?<=^and)|(?<=^but)"
    r"|(?<=^because)|(?<=^since)|(?<=^so)|(?<=^although)|(?<=^that's why)|(?<=^i think)|(?<=^i guess)"
    r"|(?<=^honestly)|(?<=^actually)|(?<=^well)|(?<=^sorry)|(?<=^yes)|(?<=^no)|(?<=^oh)|(?<=^hi)"
    r"|(?<=^hello)|(?<=^hey)|(?<=^as))\s*"
)
_I = r"(?:i|we|my (?:wife|husband|partner|girlfriend|boyfriend) and i)"
_ITEM_VERBS = r"(?:watch|see|read|play|listen to|hear|buy|try)"
_HOW = r"(?:(?:so|really|very|rather|quite|just|always|a bit|a little|pretty|kind of) )*"
_MORE = r"(?: (?:really|particularly|much|at all|ever|actually|even|especially|want to))*"

_ENGLISH: Sequence[tuple[Stance, str, bool]] = (
    (
        "avoid",
        rf"{_LEAD}{_I} (?:really |absolutely |just |truly |do |also |still |always )*(?:hate"
        r"|hated|dislike|disliked"
        r"|loathe|detest|despise|avoid)\b",
        True,
    ),
    (
        "avoid",
        rf"{_LEAD}{_I}(?: really| just| still)? (?:do not|don't|dont|didn't|did not|never){_MORE}"
        rf" (?:like|liked|enjoy|enjoyed|love|loved|care for|{_ITEM_VERBS})\b",
        True,
    ),
    (
        "avoid",
        rf"{_LEAD}{_I}(?: really| just| still)? (?:can't|cannot|can not|couldn't|could not|cant){_MORE}"
        r" (?:stand|bear|take|handle|deal with|stomach|watch|read)\b",
        True,
    ),
    (
        "avoid",
        rf"{_LEAD}(?:i'm|i am|im|we're|we are) (?:(?:really|just|so) )*(?:not|no)(?: "
        r"(?:really|much|such|that|so))*"
        r" (?:into|(?:a |much of a )?(?:big |huge |great )?(?:fan of|friend of)|fond of"
        r"|keen on|interested in)\b",
        True,
    ),
    ("avoid", rf"{_LEAD}(?:i'm|i am|im|we're) (?:(?:so|really|just) )*(?:sick|bored|tired) of\b", True),
    ("avoid", rf"{_LEAD}(?:not|never been)(?: really)? (?:into|a (?:big |huge )?fan of|fond of"
        r"|keen on)\b", True),
    ("avoid", r"(?:\bis|\bare|'s)(?: not|n't)(?: really)? (?:my thing|for me|my cup of tea|my "
        r"taste)\b", False),
    ("avoid", rf"(?:\bis|\bare|\bwas|\bwere|'s) {_HOW}(?:boring|terrible|awful|dull|bad|disappointing"
        rf"|overrated"
        r"|a (?:disappointment|letdown|bore))\b", False),
    ("avoid", r"\b(?:bores?|scares?|annoys?|disgusts?|puts?) (?:me|us)(?: off)?\b", False),
    ("avoid", r"\b(?:hated|didn't like|did not like|disliked) (?=it\b|them\b|that\b|both\b)", True),
    (
        "like",
        rf"{_LEAD}{_I} {_ADVERBS}(?:love|loved|like|liked|enjoy|enjoyed|adore|adored"
        rf"|prefer)\b(?! to (?!{_ITEM_VERBS}))",
        True,
    ),
    (
        "like",
        rf"{_LEAD}(?:i'm|i am|im|we're) (?:(?:really|just|so|also|very|much) )*(?:into|(?:a "
        r")?(?:big |huge |great )?fan of"
        r"|fond of|crazy about|keen on|in love with)\b(?! you)",
        True,
    ),
    (
        "like",
        r"\bmy (?:all-time |all time )?(?:favou?rites?)(?: (?:genres?|films?|movies?|books?"
        r"|games?|songs?|albums?"
        r"|directors?|authors?|writers?|actors?|actress(?:es)?|artists?|bands?|shows?|one|ones|thing"
        r"|things))?(?: "
        r"of all time)? (?:is|are|was)\b",
        True,
    ),
    ("like", r"(?:\bis|\bare|'s) (?:always )?(?:my (?:thing|cup of tea)"
        r"|my (?:all-time )?favou?rite(?: (?:genre|film|movie"
        r"|book|game|song|album|director|author|writer|actor|actress|artist|band|show|kind|one"
        r"|of all))?)\b", False),
    ("like", rf"(?:\bis|\bare|\bwas|\bwere|'s) {_HOW}(?:great|wonderful|brilliant|amazing|fantastic"
        rf"|excellent)\b", False),
    ("like", r"\b(?:loved|liked|enjoyed|adored) (?=it\b|them\b|that\b|both\b)", True),
    (
        "seen",
        rf"{_LEAD}{_I}(?:'ve| have)? (?:already |just |recently |all )*(?:seen|watched|read"
        r"|played|heard|finished|saw"
        r"|listened to|been to|bought)\b",
        True,
    ),
    ("seen", rf"{_LEAD}(?:already |just )?(?:seen|watched|finished|played)\b(?! by)", True),
    (
        "not",
        rf"{_LEAD}{_I} (?:do not|don't|dont)(?: really)? (?:want|need|feel like|fancy)\b(?: "
        rf"to (?:{_ITEM_VERBS}))?",
        True,
    ),
    ("want", r"\bwhy not\b", True),
    ("not", r"\bnot(?: really)? in the mood for\b", True),
    ("not", r"\b(?:anything|everything|all) (?:but|except|apart from)\b", True),
    ("not", r"\b(?:do not|don't|dont|please don't) (?:give|show|recommend|suggest|bring)(?: me)?\b", True),
    ("not", r"\b(?:leave out|skip|without|except(?: for)?|excluding|other than|instead of"
        r"|rather than|no more)\b", True),
    ("not", r"\bnothing (?:with|about|by|from|too|like)\b", True),
    ("not", r"\btoo (?=(?:scary|frightening|creepy|violent|bloody|gory|romantic)\b)", True),
    (
        "not",
        r"\b(?:not|no)\b(?! (?:only|just|bad|sure|idea|ideas|problem|thanks|thank|yet|too "
        r"long|longer|that\b(?! (?:scary"
        r"|violent|sad))|this|these|those|matter|one|way|worries|need|it|in the mood|really"
        r"|the|at all|i|we|you"
        r"|my|because|what|please|doubt|rush|interest))(?=[ ])",
        True,
    ),
    ("want", rf"{_LEAD}{_I} (?:really |just |also |would )?(?:want|need|wanted|crave|fancy)\b(?: "
        rf"to {_ITEM_VERBS})?", True),
    ("want", r"\b(?:i'd|i would|we'd|we would)(?: really| rather| also)? (?:like|love|prefer"
        r"|enjoy)\b(?: to \w+)?", True),
    ("want", r"\b(?:i'd|i would|we'd|we would) rather(?: (?:have|see|watch|read|play|hear|try))?\b", True),
    ("want", rf"(?:\b(?:i'm|i am|im|we're|we are) |{_LEAD})(?:looking for|searching for|craving"
        r"|in the mood for)\b", True),
    ("want", rf"{_LEAD}{_I} feel like\b(?: {_ITEM_VERBS}ing)?", True),
    (
        "want",
        r"\b(?:recommend|suggest|show|give|find|get|pick)(?: (?:me|us))?\b(?! (?:that|it"
        r"|those|these|up|out|the \w+ one)\b)",
        True,
    ),
    ("want", r"\b(?:do you have|have you got|got any|is there|are there|how about|what about|maybe)\b", True),
    ("want", r"\blet(?:'s|s| us) (?:watch|see|read|play|hear|try|have)\b", True),
    ("want", r"\b(?:something|anything)\b(?! else| new| other)", True),
    ("void", r"\b(?:i|we) (?:haven't|have not|have never|never|hadn't)(?: yet| ever)? (?:seen"
        r"|watched|read|played|heard)\b", True),
    ("void", r"\b(?:he|she|they|wife|husband|girlfriend|boyfriend|partner|kids|children|friends?"
        r"|parents) would (?:also |really )?"
        r"(?:like|love|enjoy|want)(?: too| it)?\b", True),
    ("void", r"\b(?:i|we) used to (?:like|love|enjoy|hate|watch|read)\b", True),
    ("void", r"\b(?:if|when|whether|wish|wished|do|did|does|would|should|unless) (?:that )?(?:i"
        r"|we) (?:\w+ )?(?:like|liked|love|hate|hated|want|wanted)\b", True),
    (
        "void",
        r"\b(?:he|she|they|everyone|everybody|people|friends?|brother|sister|wife|husband"
        r"|mother|mom|mum|dad|father|son"
        r"|daughter|kids|children|boyfriend|girlfriend|partner|parents|you|who)(?: (?:really"
        r"|also|just|all|don't|doesn't))*"
        r" (?:likes?|loves?|hates?|enjoys?|wants?|prefers?|liked|loved|hated)\b",
        True,
    ),
    (
        "none",
        r"(?:,| and| but| because| so| since| while| when| if|;)+ (?:i|you|he|she|we|they|my"
        r"|his|her|their|what|can|could"
        r"|do|does|please|would|today|tonight|tomorrow|maybe|thanks|show|tell|why|also)\b(?!-)",
        True,
    ),
)  # fmt: skip

_VERY = (
    r"(?:(?:너무|정말|진짜|별로|절대|잘|아주|제일|가장|다|원래|전혀|그다지|엄청|완전|꽤"
    r"|늘|항상|많이|좀|더) )*"
)
_PAST_LIKE = r"(?:재밌게|재미있게|인상 깊게|좋게|감명 깊게|즐겁게) (?:봤|읽었|들었|했)"
_KOREAN: Sequence[tuple[Stance, str, bool]] = (
    (
        "avoid",
        rf"{_VERY}(?:싫어(?!하(?:지|진|지는)\s?않|하는 (?:사람|편은 아))|싫다|싫음|싫네|싫습"
        r"|싫더|싫거든|싫은데|싫고|질색|질려|질렸|지겨"
        r"|꺼려|꺼립|혐오|못 견디|못 참)",
        False,
    ),
    ("avoid", r"(?:(?:무서워서|잔인해서|징그러워서) )?(?:잘 |절대 |도저히 )?못 ?(?:보겠|봐(?!서 "
        r"아쉽|도)|봅니다|보는 편|읽겠|듣겠|먹)", False),
    ("avoid", r"(?:별로 |잘 |전혀 )?(?:안 ?좋아(?:해|하|합)|안 ?즐겨|안 ?봐(?:요|\b)|안 ?봅니다"
        r"|안 ?봄\b|안 ?맞(?:아|더|는)|안 ?끌려)", False),
    ("avoid", r"(?:별로 |그다지 |썩 |전혀 )?(?:좋아하(?:지|진|지는|지도) ?(?:않|못)|즐기(?:지|진) "
        r"?않|선호하(?:지|진) ?않)", False),
    ("avoid", r"(?:좀 |너무 |정말 |진짜 )*(?:지루했|지루해|재미없었|노잼|실망했|실망이|별로였)", False),
    ("avoid", r"별로(?:예요|야|에요|다|임|였어|였음|네|더라|입니다|인데)", False),
    ("avoid", r"(?:제|내) (?:취향은|취향이|스타일이|스타일은) (?:전혀 )?(?:아니|아닌|아님)", False),
    ("void", r"싫지 ?(?:않|는 않)|싫어하(?:지|진|지는) ?않|좋아하세요|좋아하나요|좋아하니"
        r"|좋아할까|좋아했었|좋아하던|좋아할지", False),
    ("void", r"나쁘지 ?않\S*|재미없\S*|(?:본 |읽은 )?적(?:이|은|도)? ?없\S*|(?:아직 )?(?:안|못) "
        r"?(?:봤|읽|들었)\S*|봤으면\S*|보지 ?(?:못|않)\S*|봐야 할", False),
    ("like", rf"{_VERY}{_PAST_LIKE}", False),
    (
        "like",
        rf"{_VERY}(?:좋아해|좋아합니다|좋아하는데|좋아하고|좋아하지만|좋아하며|좋아하거든"
        r"|좋아하죠|좋아하네|좋아하니까|좋아하는 편|좋아함"
        r"|좋아했(?:어|습|고|는데)|좋아한(?:다|답)|좋아져|좋아졌|좋아(?:요|서|\b)|좋았(?:어"
        r"|습|고|는데|음)|좋더라|재밌었|재미있었)",
        False,
    ),
    ("like", rf"{_VERY}(?:즐겨 (?:봐|봅|보는|읽|들|해|하)|사랑해|사랑합|최애|팬(?:이야|이에요"
        r"|입니다|이라|인데)|빠져 있|취향이(?:야|에요|라|고))", False),
    ("like", r"(?:제가|내가|나는|난|저는|전)? ?(?:제일|가장|정말)? ?좋아하는 (?:장르|감독|작가"
        r"|배우|가수|건|것은|거는|게|영화|책|게임|노래|작품)(?:는|은|이|가|로는)?", True),
    (
        "seen",
        r"(?:이미 |벌써 |다 |전에 |어제 |예전에 |몇 번 )*(?:봤(?:어|는데|고|음|습니다|지|다"
        r"|던|거든|네)|본 적(?:이|은|도)? ?있|본 ?(?:거야|거예요|거라|건데|영화|책)"
        r"|읽었(?:어|는데|고|습|음)|읽은 적(?:이)? ?있|해 ?봤|들었(?:어|는데|고|습)|들어 ?봤|가 ?봤)",
        False,
    ),
    ("not", r"(?:은|는|이|가|만)? ?(?:말고|말구|빼고|빼 ?줘|빼 ?주|빼면|제외하고|제외하면|제외해"
        r"|제외|대신(?!할)|없이)", False),
    ("not", r"(?:이|가|은|는|도)? ?(?:안 나오는|안 나오고|없는|없고|아닌|아니고)(?=[\s,.!?]|$)", False),
    ("not", r"(?:^|(?<=\s))(?:너무 |그렇게 |많이 )?(?=[가-힣]+지 ?(?:않은|않고|않게)(?:\s|$))", True),
    ("not", r"(?:^|(?<=\s))안 (?=\S*(?:운|은|한|인|는) ?(?:거|것|걸|영화|책|게임|작품|소설|음악"
        r"|노래|애니))", True),
    ("not", r"(?:보고|읽고|듣고|하고) 싶(?:지|진|지는) ?않|안 ?(?:땡겨|당겨|땡기|당기)|(?:땡기"
        r"|당기|끌리)지 ?않|추천하지 ?(?:마|말)|그만", False),
    ("want", r"(?:영화|책|게임|작품|소설|물)?인데(?=[\s,])", False),
    ("want", r"(?:이|가|도)? ?(?:좋겠|낫겠)", False),
    ("want", r"(?:이|가) ?(?:들어간|들어 ?있는|나오는|있는) ?(?:거|걸|것|영화|책|게임"
        r"|작품)(?=[로요은는으\s.!?]|$)", False),
    ("want", r"(?: ?(?:걸|것|거)|(?<=[가-힣])으?)로(?:요)?(?=[.!~ ]*$|,? (?:부탁|할|줘|주|보여|추천|골라"
        r"|바꿔))", False),
    (
        "want",
        r"추천 ?(?:해|좀|부탁|받|바라)|추천$|추천\?|(?:보고|읽고|듣고|하고|해 보고|찾고) "
        r"?(?:싶|있)|찾아 ?줘|찾아 ?주|찾는(?:데|중|다)|찾습니다"
        r"|있어\?|있나|있을까|있습니까|있어요\?|없어\?|없나|없을까|볼까|읽을까|볼 ?만한|땡겨"
        r"|땡기네|당겨|당기네|끌려|원해|원합|필요해|골라 ?[줘주]|보여 ?[줘주]|소개해"
        r"|어때|어떨까|부탁해|부탁드|알려 ?[줘주]|주세요|줘(?:요)?$|줘\b|볼래|읽을래|들을래|듣자|보자|읽자",
        False,
    ),
)  # fmt: skip
# Somebody else is the subject of the Korean sentence.
_OTHERS = re.compile(
    r"(?:친구|동생|언니|누나|오빠|형|남편|아내|와이프|엄마|아빠|어머니|아버지|아들|딸|애"
    r"|애들|아이|아이들|남자 ?친구|여자 ?친구|남친|여친"
    r"|부모님|사람들|다들|동료|선배|후배|할머니|할아버지|조카|그 ?사람|모두)(?:이|가|은"
    r"|는|들이|들은|도)? ?(?!랑|하고|와|과)(?=[^,.]*$)"
)


def cues_of(text: str, locale: Locale) -> list[Cue]:
    """The cues of a sentence in lower case, in order; of overlapping ones the first in the table stands."""
    taken = list[Cue]()
    for stance, pattern, behind in _compiled(locale):
        for found in pattern.finditer(text):
            cue = Cue(stance, found.start(), found.end(), behind)
            if cue.end > cue.start and not any(cue.start < one.end and one.start < cue.end for one in taken):
                taken.append(cue)
    return sorted(taken, key=lambda one: one.start)


def of_somebody_else(text: str) -> bool:
    """Whether the words before a Korean cue name somebody else as its subject: 친구가 공포를 (좋아해)."""
    return any(
        found.group().strip().endswith(("이", "가", "은", "는", "도")) for found in _OTHERS.finditer(text)
    )


def _compiled(locale: Locale) -> Iterator[tuple[Stance, re.Pattern[str], bool]]:
    return iter(_PATTERNS[locale])


_PATTERNS: dict[Locale, list[tuple[Stance, re.Pattern[str], bool]]] = {
    "en": [(stance, re.compile(pattern), behind) for stance, pattern, behind in _ENGLISH],
    "ko": [(stance, re.compile(pattern), behind) for stance, pattern, behind in _KOREAN],
}
