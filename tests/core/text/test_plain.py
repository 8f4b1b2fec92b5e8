"""In which language a text is."""

import pytest

from rectune.core.text.plain import locale_of


@pytest.mark.parametrize(
    ("text", "locale"),
    [
        ("비 오는 날 볼 영화", "ko"), ("Netflix에서 볼 만한 영화", "ko"), ("기생충; Oldboy; 곡성", "ko"),
        ("a film for a rainy day", "en"), ("something like 살인의 추억", "en"), ("1987", "en"), ("", "en"),
    ],
)  # fmt: skip
def test_a_text_with_some_latin_in_it_is_still_korean(text: str, locale: str) -> None:
    assert locale_of(text) == locale
