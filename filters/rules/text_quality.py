"""Rules on text quality: the prompt's language, valid Unicode, no template markers."""

from __future__ import annotations

import re

from rectune.core.text.hinted_patterns import count_matches, hinted_patterns
from rectune.core.types import Locale
from rectune.filters.rules.base import CountRule, LocaleShareRule

_LETTERS = re.compile(r"[^\W\d_]+")
_OTHERS: dict[Locale, re.Pattern[str]] = {  # what is not of the locale's script
    "en": re.compile(r"[^A-Za-zÀ-ɏḀ-ỿ]+"),
    "ko": re.compile(r"[^가-힣ㄱ-ㆎᄀ-ᇿ]+"),
}
# Replacement characters, surrogates, private use, non-characters, and controls but tab and line ends.
_BROKEN = re.compile(
    "[\ufffd\ud800-\udfff\ue000-\uf8ff\ufdd0-\ufdef\ufffe\uffff\U000f0000-\U0010ffff"
    "\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]"
)
_ROLES = "user|assistant|system|human|ai|bot|사용자|이용자|어시스턴트|시스템|사람|질문|답변|인공지능"
_HEADINGS = (
    "instruction|response|input|output|question|answer|system|user|assistant|지시|응답|입력|출력|질문|답변"
)
_FIELDS = "items?|title|name|movie|film|book|game|album|product|place|제목|상품|상품명|항목|이름|영화|책"
_MARKERS = hinted_patterns(
    ("{{|}}|{%|%}", r"\{\{|\}\}|\{%|%\}"),  # Jinja
    ("<|", r"<\|[a-z0-9_ ]{1,30}\|>"),  # chat templates, here and below
    ("inst]|sys>|s>|think", r"\[/?inst\]|<</?sys>>|</?s>|</?think(?:ing)?>"),
    ("##", rf"^[ \t]{{0,8}}#{{2,4}} ?(?:{_HEADINGS})"),
    (":|：", rf"^[ \t]{{0,8}}(?:\*\*)?(?:{_ROLES})(?:\*\*)? ?[:：]"),
    ("[", rf"\[(?:{_FIELDS})(?: ?\d{{1,2}}| name| 이름)?\]|\[(?:your|insert) [a-z ]{{1,20}}\]"),
    ("<", rf"<(?:{_FIELDS})>"),
    (" ai| artificial", r"\bas an? (?:ai|artificial intelligence)\b|\b(?:i am|i['’]m) an? ai\b"),
    ("language model", r"\b(?:as a|i am a|i['’]m a) (?:large )?language model\b"),
    ("모델", r"(?:인공지능|ai|대규모) ?(?:언어 ?)?모델(?:로서|로써|이라|이기|입니다|이므로)|언어 ?모델로서"),
)
# Letters that UTF-8 turns into when it is read as one of the old encodings; without them ftfy need not look.
_FOREIGN = re.compile("[\x80-\u05ff\u2500-\u25ff]")


class WrongLanguage(LocaleShareRule):
    """The share of letters, titles left out, in the script of the prompt's locale; NaN without letters."""

    name, reason, counts = "language", "wrong language", "share of letters in the locale's script"

    def share(self, masked: str, locale: Locale) -> float:
        letters = "".join(_LETTERS.findall(masked))
        return len(_OTHERS[locale].sub("", letters)) / len(letters) if letters else float("nan")


class BrokenText(CountRule):
    """Characters that no writer types, and letters read in the wrong encoding (as ftfy knows them)."""

    name, reason, counts = "broken_text", "broken text", "broken characters"

    def hits(self, masked: str) -> int:
        from ftfy.badness import badness

        broken = len(_BROKEN.findall(masked))
        return broken + int(badness(masked)) if _FOREIGN.search(masked) else broken


class LeftoverMarkers(CountRule):
    """Markers of templates, roles and prompts, unfilled placeholders, and a model that speaks of itself."""

    name, reason, counts = "markers", "template leftovers", "leftovers"

    def hits(self, masked: str) -> int:
        return count_matches(_MARKERS, masked)
