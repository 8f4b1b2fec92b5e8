"""Rules against advertising and personal data, on text with masked titles.

Every pattern takes linear time, also on hostile text; when in doubt a row is kept.
"""

from __future__ import annotations

from rectune.core.text.hinted_patterns import count_matches, hinted_patterns
from rectune.core.text.personal_data import personal_data
from rectune.filters.rules.base import CountRule

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


class Advertising(CountRule):
    """Advertising phrases: a call to buy or click, a discount, a code."""

    name, reason, counts = "advertising", "advertising", "phrases"

    def hits(self, masked: str) -> int:
        return count_matches(_ADVERTISING, masked)


class PersonalData(CountRule):
    """Mail and web addresses, telephone numbers, card numbers, Korean resident registration numbers."""

    name, reason, counts = "personal_data", "contact or personal data", "places"

    def hits(self, masked: str) -> int:
        return personal_data(masked)
