"""Mood, occasion, company and time at hand, as a message says them; all of them hold for the session only."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from rectune.core.types import Locale
from rectune.dialogue.knowledge import FactKind

HOUR = 60  # minutes
_LEAST, _MOST = 5, 24 * HOUR  # minutes that somebody may have for one thing


@dataclass(frozen=True, slots=True)
class Circumstance:
    """What was said, and where: for `time` the value is at most so many minutes, as `120 min`."""

    kind: FactKind
    value: str
    start: int
    end: int


_NUMBERS = {
    "one": 1, "two": 2, "three": 3, "four": 4, "five": 5, "a": 1, "an": 1, "half an": 0.5,
    "한": 1, "두": 2, "세": 3, "네": 4, "다섯": 5,
}  # fmt: skip
_NUMBER = r"(?P<{name}>\d{{1,3}}(?:\.5)?|one|two|three|four|five|an?|half an)"
_HOURS = rf"(?:{_NUMBER.format(name='hours')} ?(?:hours?|hrs?|h)\b(?: and a (?P<half>half))?)"
_MINUTES = rf"(?:{_NUMBER.format(name='minutes')} ?(?:minutes?|mins?|min)\b)"
_MY = r"(?:my |our |the |some |a few |two |three |small |little |old |best |whole )*"
_PEOPLE = (
    r"kids|children|child|kid|son|daughter|toddler|grandchildren|nephew|niece|family"
    r"|parents|mum|mom|mother|dad"
    r"|father|grandma|grandpa|grandmother|grandfather|wife|husband|girlfriend|boyfriend|partner"
    r"|date(?! night)|friends?"
    r"|colleagues|class|students|brother|sister|roommates?"
)
_FEELINGS_EN = (
    r"sad|down|tired|exhausted|stressed|happy|lonely|bored|anxious|angry|heartbroken"
    r"|nostalgic|romantic|cheerful"
    r"|depressed|blue|melancholic|homesick|excited|sick|restless|gloomy"
)
_FEASTS = r"christmas|halloween|birthday|valentine's day|valentine's|thanksgiving|new year's eve|anniversary"

_ENGLISH: tuple[tuple[FactKind, str], ...] = (
    (
        "time",
        r"(?:under|less than|below|at most|no longer than|no more than|max(?:imum)?|within"
        r"|up to|shorter than"
        r"|not longer than|only have|have only|i have|i've got|we have|got|in|about) "
        r"(?:about |only |around |just )?"
        rf"(?:{_HOURS}(?: and {_MINUTES})?|{_MINUTES.replace('minutes>', 'alone>')})(?: or "
        r"less| at most| max)?",
    ),
    ("company", rf"\b(?:with|for) {_MY}(?P<value>{_PEOPLE})\b(?! of)"),
    (
        "company",
        r"\b(?:my|our) (?:little )?(?P<value>kids|children|child|kid|son|daughter|toddler)"
        r"(?: (?:is|are)|'s) (?:only )?(?:\d|one\b|two\b|three|four|five|six|seven|eight|nine|ten)",
    ),
    ("company", r"\b(?P<value>on my own|by myself|alone)\b(?! in)"),
    (
        "occasion",
        r"\b(?:(?:for|on|at|during|before|after) (?:a |the |my |our )?)?(?P<value>tonight"
        r"|this evening|this weekend"
        rf"|the weekend|date night|movie night|game night|{_FEASTS}|bedtime|bed|the plane"
        r"|the train|a flight|flight"
        r"|long flight|commute|road trip|holidays?|vacation|sleepover|party|tomorrow|this afternoon)\b",
    ),
    (
        "mood",
        rf"\b(?:i'm|i am|im|i feel|i'm feeling|i am feeling|feeling|we're|been|and|but)"
        r" (?:(?:a bit|a little|so|really|very|rather|quite|pretty|kind of|feeling) "
        rf")*(?P<value>{_FEELINGS_EN})\b(?=\s*$|[,.!?;]| (?:and|but|so|because|today|tonight|now"
        rf"|right now|lately|at the)\b)",
    ),
    ("mood", r"\bin an? (?P<value>\w+) mood\b"),
)

_HOURS_KO = r"(?P<hours>\d{1,3}(?:\.5)?|한|두|세|네|다섯) ?시간(?: ?(?P<half>반))?"
_COMPANY_KO = (
    r"아이들|아이|애들|애기|아기|아들|딸|조카|가족들|가족|부모님|엄마|아빠|어머니|아버지"
    r"|할머니|할아버지|아내|와이프|남편|여자 ?친구|남자 ?친구"
    r"|여친|남친|애인|연인|친구들|친구|동생|언니|누나|오빠|형|동료들|동료|학생들"
)
_FEELINGS_KO = (
    r"우울|피곤|슬프|슬퍼|외로|외롭|행복|신나|신났|지쳤|지쳐|스트레스|심심|답답|불안"
    r"|설레|울적|센치|꿀꿀|힘들|화나|화났"
)
_FEASTS_KO = r"크리스마스|핼러윈|할로윈|생일|기념일|발렌타인데이|명절|추석|설날|결혼기념일"

_KOREAN: tuple[tuple[FactKind, str], ...] = (
    (
        "time",
        rf"(?:{_HOURS_KO}(?: ?(?P<minutes>\d{{1,3}}) ?분)?|(?P<alone>\d{{1,3}}) ?분) ?(?:짜리 ?)?"
        r"(?:안에|안으로|이내|이하|안 넘는|넘지 않는|미만|밖에 없|정도(?: 시간이)? 있|쯤 있"
        r"|안쪽|있어|있는데|남았|보다 짧은)",
    ),
    (
        "company",
        rf"(?:우리 |제 |내 )?(?P<value>{_COMPANY_KO}) ?(?:이랑|랑|하고|과|와)(?: 함께| 같이)?(?= |$|[,.!?])",
    ),
    (
        "company",
        r"(?:우리 |제 |내 )?(?P<value>아이들|아이|애들|애|아들|딸|조카)(?:은|는|이"
        r"|가)? (?:이제 )?(?:\d{1,2}|한|두|세|네|다섯"
        r"|여섯|일곱|여덟|아홉|열) ?(?:살|세)",
    ),
    ("company", r"(?P<value>혼자(?:서)?)(?= |$|[,.!?])"),
    (
        "occasion",
        r"(?P<value>오늘 ?밤|오늘 ?저녁|이번 ?주말|주말|데이트|자기 ?전|비행기|기차|출퇴근길"
        rf"|출근길|퇴근길|휴가|여행|파티|{_FEASTS_KO})"
        r"(?:에서|에|때|할 때|용|용으로)?(?= |$|[,.!?])",
    ),
    (
        "mood",
        rf"(?:기분이 |마음이 |오늘 |요즘 |좀 |너무 |조금 )*(?P<value>{_FEELINGS_KO})"
        r"(?:해요|해서|해|하네|한데|합니다|어요|어서|어|고|네|네요|ㅂ니다|은데|운데|워|워요"
        r"|를 받|받|요)?(?= |$|[,.!?])",
    ),
)


def circumstances_in(text: str, locale: Locale) -> list[Circumstance]:
    """The circumstances that a text in lower case speaks of, in its order."""
    found = list[Circumstance]()
    for kind, pattern in _COMPILED[locale]:
        for match in pattern.finditer(text):
            one = _minutes(match) if kind == "time" else _said(kind, match)
            if one and not any(one.start < other.end and other.start < one.end for other in found):
                found.append(one)
    return sorted(found, key=lambda one: one.start)


def minutes_of(value: str) -> int | None:
    """The minutes of a `time`; None for other values."""
    match = re.fullmatch(r"(\d+) min", value)
    return int(match[1]) if match else None


def is_feeling(value: str) -> bool:
    """Whether a mood is how somebody feels, which does not say what they want."""
    return any(re.fullmatch(pattern, value) for pattern in (_FEELINGS_EN, _FEELINGS_KO))


def _said(kind: FactKind, match: re.Match[str]) -> Circumstance:
    value = " ".join(match["value"].removeprefix("the ").split())
    return Circumstance(kind, value, match.start(), match.end())


def _minutes(match: re.Match[str]) -> Circumstance | None:
    hours, minutes = match["hours"], match["minutes"] or match["alone"]
    total = HOUR * _number(hours) + _number(minutes) + (HOUR / 2 if match["half"] else 0)
    if not _LEAST <= total <= _MOST:
        return None
    return Circumstance("time", f"{total:.0f} min", match.start(), match.end())


def _number(text: str | None) -> float:
    return 0.0 if text is None else _NUMBERS[text] if text in _NUMBERS else float(text)


def _compiled(table: tuple[tuple[FactKind, str], ...]) -> Iterator[tuple[FactKind, re.Pattern[str]]]:
    return ((kind, re.compile(pattern)) for kind, pattern in table)


_COMPILED: dict[Locale, list[tuple[FactKind, re.Pattern[str]]]] = {
    "en": list(_compiled(_ENGLISH)),
    "ko": list(_compiled(_KOREAN)),
}
