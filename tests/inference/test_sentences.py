"""Sentences of a text in pieces: each is given once, as soon as it is over, and nothing is lost."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rectune.inference.sentences import SentenceReader


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("One. Two! Three?", ["One.", "Two!", "Three?"]),
        ('He said "no." Then: 3.5 stars', ['He said "no."', "Then: 3.5 stars"]),
        ("조용한 영화예요. 좋아하실 거예요.", ["조용한 영화예요.", "좋아하실 거예요."]),
        ("静かな映画です。いいですね。", ["静かな映画です。", "いいですね。"]),
        ("1. Alien\n2. Heat", ["1. Alien", "2. Heat"]),
        ("Wait... what", ["Wait...", "what"]),
        ("", []),
        (" \n\n ", []),
    ],
)
def test_sentences_of_a_text_however_it_is_cut(text: str, wanted: list[str]) -> None:
    for size in (1, 2, 5, 100):
        reader, found = SentenceReader(), list[str]()
        for start in range(0, len(text), size):
            found += reader.add(text[start : start + size])
        assert [*found, *filter(None, [reader.rest()])] == wanted


def test_a_sentence_is_given_as_soon_as_what_follows_shows_its_end() -> None:
    reader = SentenceReader()
    assert reader.add("One") == [] and reader.add(".") == []  # of "1.5" as well it could be the beginning
    assert reader.add(" T") == ["One."]
    assert reader.rest() == "T" and reader.rest() == ""


@given(st.lists(st.text(alphabet="ab1 .!?\n\"'가。", max_size=6), max_size=12))
def test_nothing_but_white_space_is_lost_or_given_twice(pieces: list[str]) -> None:
    reader, found = SentenceReader(), list[str]()
    for piece in pieces:
        found += reader.add(piece)
    found.append(reader.rest())
    assert "".join("".join(found).split()) == "".join("".join(pieces).split())
