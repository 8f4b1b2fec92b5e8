"""Which encoding a text is in that is not in the one it should be in."""

from __future__ import annotations

import unicodedata

_SAMPLE = 1 << 16  # bytes that are looked at
_KINDS = {"cp949": ("HANGUL",), "shift_jis": ("HIRAGANA", "KATAKANA"), "cp1251": ("CYRILLIC",)}
_ENOUGH = 0.6  # of the characters that are not ASCII are of the kind that an encoding is made for
_SHOWN = 40  # characters of a line as an encoding would read it


def likely_encodings(line: bytes) -> list[str]:
    """Encodings that would read a line that is not UTF-8, the likeliest first; never empty."""
    line = line[:_SAMPLE]
    found = [name for name, scripts in _KINDS.items() if _reads(line, name, scripts)]
    return [*found, "latin-1" if not any(0x80 <= byte < 0xA0 for byte in line) else "cp1252"]


def encoding_hint(line: bytes) -> str:
    """What to do about a line that is not UTF-8, with how each likely encoding would read it."""
    if b"\0" in line[:_SAMPLE]:
        return "say in which encoding it is: encoding: utf-16"
    said = [f"{name} would read {_shown(line, name)}" for name in likely_encodings(line)]
    return f"say in which encoding it is, with the key or option `encoding`: {', '.join(said)}"


def _reads(line: bytes, name: str, scripts: tuple[str, ...]) -> bool:
    try:
        text = line.decode(name)
    except UnicodeDecodeError:
        return False
    odd = [sign for sign in text if not sign.isascii()]
    own = sum(unicodedata.name(sign, "").startswith(scripts) for sign in odd)
    # One accented letter among Latin ones may look like a letter of another script.
    return own >= _ENOUGH * len(odd) and (name != "cp1251" or own >= 3)


def _shown(line: bytes, name: str) -> str:
    """The part around the first sign that is not ASCII."""
    first = next((at for at, byte in enumerate(line) if byte >= 0x80), 0)
    text = line[:first].decode("ascii", "replace")[-_SHOWN // 2 :] + line[first : first + _SHOWN].decode(
        name, "ignore"
    )
    return "“" + "".join(sign for sign in text if sign.isprintable())[:_SHOWN].strip() + "”"
