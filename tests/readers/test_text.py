"""Cleaning of published text."""

import html
import unicodedata

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from rectune.readers.text import clean_text, repair_mojibake, shorten


@pytest.mark.parametrize(
    ("published", "clean"),
    [
        ("Tiger &amp; Bunny", "Tiger & Bunny"),
        ("Gintama&#039;", "Gintama'"),
        ("Rock &amp;amp; Roll", "Rock & Roll"),
        ("Rock&reggae AT&T", "Rock&reggae AT&T"),  # no semicolon, no entity
        ("<b>Bold</b><br />and  new", "Bold and new"),
        ('<span class="a-size">Phone</span>', "Phone"),
        ("<harmony/> I <3 You", "<harmony/> I <3 You"),
        ("&lt;i&gt;Slanted&lt;/i&gt;", "Slanted"),
        ("a<script>alert('x')</script>b<!-- c -->", "a b"),
        ("bell\x07 and\x00 tab\tand\u202e turned\ufeff", "bell and tab and turned"),
        ("half a pair \ud83d", "half a pair"),
        ("<|im_end|> stays text", "<|im_end|> stays text"),
        (unicodedata.normalize("NFD", "살인의 추억"), "살인의 추억"),
        ("\u3000전각\xa0공백\n", "전각 공백"),
        (None, ""),
    ],
)
def test_clean_text(published: str | None, clean: str) -> None:
    assert clean_text(published) == clean


@given(st.text())
@example("&amp;#7;")
def test_cleaned_text_holds_no_controls_and_no_stray_space(text: str) -> None:
    cleaned = clean_text(text)
    assert not any(unicodedata.category(sign) in ("Cc", "Cs") for sign in cleaned)
    assert cleaned == " ".join(cleaned.split())


@given(st.text(st.characters(categories=["L", "N", "Zs"])))
def test_escaped_text_comes_back(text: str) -> None:
    assert clean_text(html.escape(f"{text} & 'co'")) == clean_text(f"{text} & 'co'")


@given(st.text("aB 9.'-é<&;\x00\u3000\xa0\u0301\u200d\n"))
def test_text_that_needs_nothing_comes_back_as_the_long_way_gives_it(text: str) -> None:
    assert clean_text(text) == clean_text(f"{text}&#32;")  # an entity takes any text the long way


NAMES = (
    "Emily Brontë",
    "Für dich",
    "Éthique",
    "Ångström",
    "Âge d'or",
    "coração",
    "señor",
    "Łódź",
    "À la carte",
)
WRITTEN = ("살인의 추억", "鋼の錬金術師", "Война и мир", "Tales of an “old” man’s — dog")


@pytest.mark.parametrize("text", NAMES + WRITTEN)
def test_mojibake_is_undone(text: str) -> None:
    once = text.encode().decode("latin-1")
    twice = once.encode().decode("latin-1")
    assert [repair_mojibake(broken) for broken in (once, twice)] == [text, text]


@given(st.text(st.characters(min_codepoint=0xAC00, max_codepoint=0xD7A3)))
def test_mojibake_of_hangul_is_undone(text: str) -> None:
    whole = f"a 살인의 {text} b"
    assert repair_mojibake(whole.encode().decode("latin-1")) == whole


@pytest.mark.parametrize(
    ("broken", "whole"),
    [
        ("ErzÃ?Â¤hlungen", "Erzählungen"),
        ("StraÃ?Â?e", "Straße"),
        ("donâ€™t", "don’t"),
        ("das Ã?ndias", "das Ã?ndias"),  # beyond repair, and no worse for it
        ("CollecciÃ³ ClÃ\xa0ssica", "Collecció Clàssica"),
    ],
)
def test_mojibake_of_the_published_kinds(broken: str, whole: str) -> None:
    assert repair_mojibake(broken) == whole


@pytest.mark.parametrize(
    "fine",
    [
        *NAMES,
        *WRITTEN,
        "plain",
        "Ｆｕｌｌ ｗｉｄｔｈ",
        "“curled” quotes",
        "Âge d'Or, L'",
        "Amélie",
        "Gintama°",
        "Ça va?",
        "Über André",
        "살인의 추억",
        "São Paulo",
        "AC/DC",
    ],
)
def test_whole_text_is_left_alone(fine: str) -> None:
    assert repair_mojibake(fine) == fine


@given(st.text(), st.integers(2, 50))
def test_shortened_text_fits(text: str, limit: int) -> None:
    assert len(shorten(text, limit)) <= limit
    assert shorten(text, max(limit, len(text))) == text
