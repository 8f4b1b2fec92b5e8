"""Cleaning of published text, which holds HTML, control characters and broken encodings."""

from __future__ import annotations

import html
import json
import re
import unicodedata
from typing import Any

_INLINE = "a|abbr|b|big|cite|code|em|font|i|mark|s|small|span|strike|strong|sub|sup|tt|u"
_BLOCK = "br|center|dd|div|dl|dt|h[1-6]|hr|img|li|ol|p|pre|table|tbody|td|th|thead|tr|ul"
_SCRIPT = re.compile(r"<(script|style)\b.*?</\1\s*>|<!--.*?-->", re.IGNORECASE | re.DOTALL)
# Known tags only: `<harmony/>` is the name of a film and `I <3 You` that of a song.
_TAG = re.compile(rf"</?(?:(?P<inline>{_INLINE})|{_BLOCK})(?:\s[^<>]*)?/?>", re.IGNORECASE)
# With its semicolon only: html.unescape alone turns `Rock&reggae` into `Rock®gae`.
_ENTITY = re.compile(r"&(?:#\d{1,7}|#[xX][0-9a-fA-F]{1,6}|[A-Za-z][A-Za-z0-9]{1,31});")
# Controls, zero-width and direction marks, lone surrogates; joiners (200C, 200D) stay for scripts and emoji.
_CONTROL = re.compile(
    r"[\x00-\x08\x0e-\x1b\x7f-\x84\x86-\x9f\u00ad\u200b\u200e\u200f\u202a-\u202e"
    r"\u2060-\u2064\u2066-\u2069\ufeff\ud800-\udfff]"
)
# Read wrongly twice, ä is Ã, 0x83, Â, ¤; one export wrote a question mark for whatever is 0x80 to 0x9f.
_LOST = re.compile(r"Ã\?Â(?=[\x80-\xbf])")
# What was lost twice is one of À to ß, and ß alone follows a small vowel.
_LOST_SHARP_S = re.compile(r"(?<=[aeiouyäöü])Ã\?Â\?")


def clean_text(text: str | None) -> str:
    """Text without HTML entities, tags, control characters and stray white space, in Unicode's form NFC."""
    if not text:
        return ""
    if _is_clean(text):
        return text
    text = _without_tags(text)
    for _ in range(2):  # some publishers escaped twice
        if "&" in text:
            text = _ENTITY.sub(lambda match: html.unescape(match.group()), text)
    text = _CONTROL.sub("", _without_tags(text))
    return unicodedata.normalize("NFC", " ".join(text.split()))


def _is_clean(text: str) -> bool:
    """Whether nothing needs to be done: true of most texts, and told in a fifth of the time that doing it
    takes.
    """
    if (
        "<" in text
        or "&" in text
        or "  " in text
        or text[0] == " "
        or text[-1] == " "
        or not text.isprintable()
    ):
        return False
    return text.isascii() or unicodedata.is_normalized("NFC", text)


def _without_tags(text: str) -> str:
    if "<" not in text:
        return text
    return _TAG.sub(lambda match: "" if match["inline"] else " ", _SCRIPT.sub(" ", text))


def shorten(text: str, limit: int = 300) -> str:
    """At most `limit` characters, cut between words and marked with an ellipsis."""
    if len(text) <= limit:
        return text
    head = text[: limit - 1]
    return (head.rsplit(" ", 1)[0] if " " in head else head).rstrip(" ,;:-") + "…"


def repair_mojibake(text: str) -> str:
    """Undo UTF-8 that was read as Latin-1 or the like, once or twice; text that makes sense comes back
    unchanged.
    """
    if text.isascii():
        return text
    return _LOST_SHARP_S.sub("ß", _decoded(_LOST.sub("Ã\x83Â", text)))


def _decoded(text: str) -> str:
    import ftfy

    # A sign that lost a byte is beyond repair: `Ã?` says no less than a replacement character.
    return ftfy.fix_encoding(text, replace_lossy_sequences=False)


def json_object(**values: Any) -> str:
    """The values that are not empty, as a JSON object in text."""
    filled = {key: value for key, value in values.items() if value not in (None, "", [])}
    return json.dumps(filled, ensure_ascii=False)


# The beginning of a tag that was cut off, and the end of one whose beginning was.
_CUT_TAG = re.compile(rf"\s*</?(?:{_INLINE}|{_BLOCK}|script|style|body|html)(?:\s[^<>]*)?$", re.IGNORECASE)
_TAIL = re.compile(r"""[^<>]*["']\s*/?>""")


def clean_title(text: str | None) -> str:
    """A title as `clean_text` gives it, without a tag that was cut off; empty where it is the rest of a tag
    alone.
    """
    title = clean_text(text)
    if "<" in title:
        title = _CUT_TAG.sub("", title)
    return "" if title.endswith(">") and _TAIL.fullmatch(title) else title
