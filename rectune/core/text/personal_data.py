"""Personal data in a text: mail and web addresses, telephone, card and Korean resident registration numbers.

Every pattern takes linear time, also on hostile text.
"""

from __future__ import annotations

import re

from rectune.core.text.hinted_patterns import count_matches, hinted_patterns

_CONTACT = hinted_patterns(
    ("@", r"[\w.+-]{1,64}@[\w-]{1,63}(?:\.[\w-]{2,63}){1,4}"),
    ("://", r"\b(?:https?|ftp)://\S"),
    ("www.", r"\bwww\.[a-z0-9-]{1,63}\.[a-z]{2}"),
    (".com/|.net/|.org/|.io/|.kr/", r"\b[a-z0-9-]{1,63}\.(?:com|net|org|io|kr)/[\w%-]"),
    ("bit.ly|t.me|kakao.com", r"\b(?:bit\.ly|t\.me|open\.kakao\.com|pf\.kakao\.com)\b"),
)
_PHONE = re.compile(
    "|".join(
        (
            # Korean: mobile and area codes with separators, mobile ones without.
            r"(?<![\d-])(?:\+82[- ]?\(?0?\)?|\(?0)(?:1[016789]|2|[3-6][1-5]|70|50\d)\)?"
            r"[-. ]{1,2}\d{3,4}[-. ]\d{4}(?![\d-])",
            r"(?<![\d-])01[016789]\d{7,8}(?![\d-])",
            # Service numbers only where a word announces them: 1588-1598 may as well be years.
            r"(?:☎|☏|전화|문의|tel\.?|call|phone)[ :]{0,3}1[568]\d{2}-\d{4}(?![\d-])",
            # With a country code, and the North American form.
            r"(?<![\w+])\+\d{1,3}(?:[ .-]?\(?\d{2,4}\)?){2,4}(?!\d)",
            r"(?<![\d-])(?:1[- .])?(?:\(\d{3}\) ?|\d{3}[-.])\d{3}[-.]\d{4}(?![\d-])",
        )
    ),
    re.ASCII,
)
_CARD = re.compile(
    r"(?<![\d.,-])[2-6]\d{3}(?:[ -]?\d{4}){2}[ -]?\d{2,4}(?![\d-])"
    r"|(?<![\d-])3[47]\d{2}[ -]?\d{6}[ -]?\d{5}(?![\d-])",
    re.ASCII,
)
_RESIDENT = re.compile(
    r"(?<![\d-])(\d{2}(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01]))([- ]?)([1-8]\d{6})(?![\d-])", re.ASCII
)
_DIGITS = re.compile(r"[0-9]")
_FEWEST = 8  # digits of the shortest number that is looked for
_WEIGHTS = (2, 3, 4, 5, 6, 7, 8, 9, 2, 3, 4, 5)  # of the check digit of a resident registration number
_HANDLE = re.compile(r"(?<![\w@.])@[A-Za-z][\w.]{2,30}")


def personal_data(text: str) -> int:
    """The number of places with personal data."""
    folded = text.lower()
    found = count_matches(_CONTACT, text)
    if len(_DIGITS.findall(folded)) >= _FEWEST:
        found += sum(1 for _ in _PHONE.finditer(folded))
        found += sum(luhn(match.group()) for match in _CARD.finditer(folded))
        found += sum(_resident(*match.groups()) for match in _RESIDENT.finditer(folded))
    return found


def handles(text: str) -> int:
    """The number of names of accounts (`@somebody`); a shop of that name counts as well."""
    return sum(1 for _ in _HANDLE.finditer(text)) if "@" in text else 0


def luhn(text: str) -> bool:
    """Whether the digits of a text are a valid card number (ISO/IEC 7812-1, annex B) and not all equal."""
    digits = [int(letter) for letter in text if letter.isdecimal()]
    doubled = [sum(divmod(2 * digit, 10)) for digit in digits[-2::-2]]
    return len(set(digits)) > 1 and (sum(digits[-1::-2]) + sum(doubled)) % 10 == 0


def _resident(birth: str, separator: str, rest: str) -> bool:
    """With a hyphen the form is enough (no check digit since October 2020); else the check digit decides."""
    if separator == "-":
        return True
    digits = [int(digit) for digit in birth + rest]
    weighed = sum(weight * digit for weight, digit in zip(_WEIGHTS, digits, strict=False))
    return (11 - weighed % 11) % 10 == digits[-1]
