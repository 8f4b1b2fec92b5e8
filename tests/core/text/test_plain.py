"""In which language a text is, and how it is cut."""

import pytest

from rectune.core.text.plain import locale_of, shortened


@pytest.mark.parametrize(
    ("text", "locale"),
    [
        ("비 오는 날 볼 영화", "ko"), ("Netflix에서 볼 만한 영화", "ko"), ("기생충; Oldboy; 곡성", "ko"),
        ("a film for a rainy day", "en"), ("something like 살인의 추억", "en"), ("1987", "en"), ("", "en"),
    ],
)  # fmt: skip
def test_a_text_with_some_latin_in_it_is_still_korean(text: str, locale: str) -> None:
    assert locale_of(text) == locale


@pytest.mark.parametrize(
    ("text", "cut"),
    [
        ("one  two\nthree", "one two three"),
        ("one two three four", "one two…"),
        ("x" * 20, "x" * 12 + "…"),
        ("가나다라마바사 아자차카타파하", "가나다라마바사…"),
        ("", ""),
    ],
)
def test_a_long_text_is_cut_at_a_word_where_it_has_words(text: str, cut: str) -> None:
    assert shortened(text, 13) == cut and len(cut) <= 13
