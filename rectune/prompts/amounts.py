"""Amounts of money in sentences: thousands are parted, and the unit is said where the catalogue has one.

No currency is guessed: `가격: 39000` reads 39,000, and `가격(원): 39000` reads 39,000원.
"""

from __future__ import annotations

import re

_PRICES = frozenset("price cost fee fare msrp 가격 판매가 판매가격 정가 할인가 금액 요금 비용 입장료".split())
_NAME = re.compile(
    r"(?P<name>.+?)\s*(?:\((?P<round>[^()]{1,8})\)|\[(?P<square>[^\[\]]{1,8})\]|_(?P<code>[a-z]{3}))$"
)
_AMOUNT = re.compile(
    r"(?P<before>[^\d\s.,-]{0,3}\s?)(?P<number>\d{4,12})(?P<rest>(?:\.\d{1,2})?)(?P<behind>\s?[^\d\s.,]{0,5})"
)
_BEFORE = frozenset("$€£¥₩")  # signs that stand before a number
_ASCII = re.compile(r"[A-Za-z]+$")


def amount_in_words(name: str, value: str) -> tuple[str, str]:
    """The name of a fact and its value as sentences have them; both unchanged where it is no price.

    Args:
        name: of the fact, perhaps with its unit: `가격(원)`, `price (USD)`, `price_krw`.
        value: as the catalogue has it.
    """
    found = _NAME.fullmatch(name.strip())
    bare = found["name"] if found else name.strip()
    if bare.casefold().removesuffix("s") not in _PRICES:
        return name, value
    unit = (found["round"] or found["square"] or found["code"].upper()).strip() if found else ""
    amount = _AMOUNT.fullmatch(value.strip())
    if amount is None:
        plain = re.fullmatch(r"\d{1,3}(?:\.\d{1,2})?", value.strip())
        return (bare, _with_unit(value.strip(), unit)) if plain and unit else (name, value)
    number = f"{int(amount['number']):,}{amount['rest']}"
    if amount["before"] or amount["behind"]:
        return bare, f"{amount['before']}{number}{amount['behind']}"
    return bare, _with_unit(number, unit)


def _with_unit(number: str, unit: str) -> str:
    if not unit:
        return number
    if unit in _BEFORE:
        return f"{unit}{number}"
    return f"{number} {unit}" if _ASCII.match(unit) else f"{number}{unit}"
