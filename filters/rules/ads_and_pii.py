"""Rules against advertising and personal data, on text with masked titles.

Every pattern takes linear time, also on hostile text; when in doubt a row is kept.
"""

from __future__ import annotations

import re

from rectune.filters.rules.base import CountRule, count_matches, hinted_patterns

_ADVERTISING = hinted_patterns(
    ("click ", r"\bclick (?:here|below|(?:on )?the link)\b"),
    ("now", r"\b(?:buy|order|shop|subscribe|call|act|sign up) (?:it )?now\b"),
    ("today", r"\b(?:buy|order) (?:it|yours) today\b|\bsign up today\b"),
    ("sign up for free", r"\bsign up for free\b"),
    ("to cart|your cart", r"\badd (?:it )?to (?:your )?cart\b"),
    ("shipping", r"\bfree shipping\b"),
    ("limited", r"\blimited[- ]time (?:offer|deal|only)\b"),
    ("while s", r"\bwhile (?:supplies|stocks?) lasts?\b"),
    ("guarantee", r"\bmoney[- ]back guarantee\b"),
    (" code", r"\b(?:promo|coupon|discount|voucher) codes?\b"),
    ("%", r"\b\d{1,2} ?% (?:off|discount)\b|\b(?:save|get) \d{1,2} ?%|\d{1,2} ?% ?(?:할인|세일|적립)"),
    (" off", r"[$€£₩]\d{1,6} off\b"),
    ("special ", r"\bspecial (?:offer|discount)\b"),
    ("visit our ", r"\bvisit our (?:web ?site|store|shop|page)\b"),
    ("sponsored", r"\bsponsored by\b"),
    ("지금", r"지금 ?(?:바로 ?)?(?:구매|구입|주문|클릭|가입|신청|결제)"),
    ("구매", r"구매하기|바로 ?구매"),
    ("장바구니", r"장바구니에 ?(?:담|넣)"),
    ("클릭|눌러", r"(?:여기를?|링크를?|버튼을?) ?(?:클릭|눌러)"),
    ("배송", r"무료 ?배송"),
    ("코드|쿠폰", r"(?:할인|쿠폰|프로모션) ?코드|쿠폰 ?(?:받|증정|발급|사용)"),
    ("한정", r"한정 ?(?:수량|판매|특가)|수량 ?한정"),
    ("특가", r"(?:오늘만|단독) ?특가|특가 ?(?:판매|상품|행사|할인)"),
    ("최저가|품절", r"최저가 ?(?:보장|판매)|품절 ?임박"),
    (
        "방문|문의|상담",
        r"(?:홈페이지|사이트|매장)(?:를|을|에|로) ?(?:방문|문의)"
        r"|(?:카톡|카카오톡|전화|댓글|광고) ?(?:문의|상담)",
    ),
    ("좋아요", r"구독과? ?좋아요"),
)

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


class Advertising(CountRule):
    """Advertising phrases: a call to buy or click, a discount, a code."""

    name, reason, counts = "advertising", "advertising", "phrases"

    def hits(self, masked: str) -> int:
        return count_matches(_ADVERTISING, masked)


class PersonalData(CountRule):
    """Mail and web addresses, telephone numbers, card numbers, Korean resident registration numbers."""

    name, reason, counts = "personal_data", "contact or personal data", "places"

    def hits(self, masked: str) -> int:
        folded = masked.lower()
        found = count_matches(_CONTACT, masked)
        if len(_DIGITS.findall(folded)) >= _FEWEST:
            found += sum(1 for _ in _PHONE.finditer(folded))
            found += sum(luhn(match.group()) for match in _CARD.finditer(folded))
            found += sum(_resident(*match.groups()) for match in _RESIDENT.finditer(folded))
        return found


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
