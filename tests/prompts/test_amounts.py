"""Prices in sentences: parted thousands, and a unit only where the catalogue states one."""

import pytest

from rectune.core.types import Item
from rectune.prompts.amounts import amount_in_words
from rectune.prompts.template_reasons import template_reason


@pytest.mark.parametrize(
    ("name", "value", "told"),
    [
        ("가격", "39000", ("가격", "39,000")),  # no currency is guessed
        ("가격(원)", "39000", ("가격", "39,000원")),
        ("가격 (원)", "900", ("가격", "900원")),
        ("가격", "39000원", ("가격", "39,000원")),
        ("price (USD)", "1999.99", ("price", "1,999.99 USD")),
        ("price_krw", "1250000", ("price", "1,250,000 KRW")),
        ("price [$]", "12.50", ("price", "$12.50")),
        ("price", "$1299", ("price", "$1,299")),
        ("price", "12.50", ("price", "12.50")),
        ("price", "39,000", ("price", "39,000")),
        ("price", "2000-3000", ("price", "2000-3000")),  # a range is left as it is
        ("year (AD)", "2019", ("year (AD)", "2019")),
        ("isbn", "9788936434267", ("isbn", "9788936434267")),
    ],
)
def test_prices_are_parted_and_other_numbers_are_not(name: str, value: str, told: tuple[str, str]):
    assert amount_in_words(name, value) == told


def test_a_korean_sentence_has_the_unit_of_the_column():
    item = Item("goods", "1", "키보드", (), "", None, ("가격(원): 39000",))
    assert "가격은 39,000원이에요." in template_reason(item, (), "", "ko")
    plain = Item("goods", "1", "키보드", (), "", None, ("가격: 39000",))
    assert "가격은 39,000이에요." in template_reason(plain, (), "", "ko")


def test_an_english_sentence_parts_thousands():
    item = Item("goods", "1", "Camera", (), "", None, ("price: 1999.99",))
    assert "1,999.99" in template_reason(item, (), "", "en")
