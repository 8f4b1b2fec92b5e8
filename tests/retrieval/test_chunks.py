from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st

from rectune.core.text.plain import is_unsegmented
from rectune.core.types import Item
from rectune.retrieval.chunks import MOST, ChunkConfig, chunks_of, sentences, windows
from rectune.retrieval.rank_fusion import reciprocal_rank_fusion

LONG = " ".join(f"Sentence number {n} says a little." for n in range(60))


def test_a_short_item_is_one_chunk_with_all_that_is_known_of_it():
    item = Item("movies", "1", "Heat", ("crime", "drama"), "A thief and a policeman.", 1995)
    (chunk,) = chunks_of(item)
    assert chunk.part == 0
    assert chunk.text == chunk.embedded == "Heat (1995). crime, drama. A thief and a policeman."


def test_of_a_long_one_title_and_categories_stay_whole_and_every_sentence_of_the_body_is_in_some_chunk():
    title = "A title " * 200
    head, *body = chunks_of(Item("books", "1", title, ("history",), LONG), ChunkConfig(300, 1))
    assert head.text == f"{title}. history"
    assert all(len(chunk.text) <= 300 for chunk in body)
    assert all(any(f"number {n} says" in chunk.text for chunk in body) for n in range(60))
    assert [chunk.part for chunk in body] == list(range(1, len(body) + 1))
    assert all(chunk.embedded == f"{title[:80]}. {chunk.text}" for chunk in body)


def test_neighbouring_chunks_share_a_sentence():
    parts = [f"s{n} {'x' * 40}" for n in range(10)]
    found = windows(parts, ChunkConfig(140, 1))
    for before, after in pairwise(found):
        assert after.split()[0] == before.split()[-2]
    assert windows(parts, ChunkConfig(140, 0)) == [" ".join(parts[n : n + 3]) for n in range(0, 10, 3)]


def test_sentences_end_where_english_and_korean_ones_do():
    english = 'Mr. Smith paid 3.5 pounds. He left! "Why?" Nobody knows… e.g. she does not'
    assert sentences(english, 700) == [
        "Mr. Smith paid 3.5 pounds.",
        "He left!",
        '"Why?"',
        "Nobody knows… e.g. she does not",
    ]
    korean = "그는 떠났다.그녀도 떠났다. 왜 그랬을까? 아무도 모른다\n끝"
    assert sentences(korean, 700) == ["그는 떠났다.", "그녀도 떠났다.", "왜 그랬을까?", "아무도 모른다", "끝"]


def test_a_sentence_without_end_is_cut_at_spaces_and_a_word_without_end_anywhere():
    assert all(len(piece) <= 100 for piece in sentences("word " * 300, 100))
    assert "".join(sentences("x" * 1000, 100)) == "x" * 1000


def test_a_huge_body_has_bounded_chunks():
    assert len(chunks_of(Item("books", "1", "Endless", (), LONG * 500))) == MOST


@settings(max_examples=60, deadline=None)
@given(st.text(max_size=400), st.integers(100, 300), st.integers(0, 3))
def test_no_word_of_a_body_is_lost_and_no_chunk_is_too_long(text: str, longest: int, overlap: int):
    body = f"{text} {LONG}"
    chunks = chunks_of(Item("books", "1", "T", (), body), ChunkConfig(longest, overlap))
    assert all(len(chunk.text) <= longest for chunk in chunks[1:])
    kept = "".join("".join(chunk.text.split()) for chunk in chunks)
    assert all(word in kept for word in body.encode("utf-8", "replace").decode().split() if len(word) < 50)


def test_what_two_rankings_have_high_comes_first_and_what_one_lacks_gains_nothing():
    scores = reciprocal_rank_fusion({"a": ["x", "y", "z"], "b": ["y", "x"], "c": ["y"]})
    assert sorted(scores, key=lambda key: -scores[key]) == ["y", "x", "z"]
    assert scores["z"] == 1 / 63 and abs(scores["x"] - (1 / 61 + 1 / 62)) < 1e-12
    assert reciprocal_rank_fusion({}) == {}
    weighed = reciprocal_rank_fusion({"a": ["x", "y"], "b": ["y", "x"]}, {"a": 2.0, "b": 1.0})
    assert weighed["x"] > weighed["y"]


def test_scripts_whose_words_do_not_stand_alone_are_searched_by_letters():
    assert is_unsegmented("기생충") and is_unsegmented("『雪国』") and is_unsegmented("영화 Parasite 를 보다")
    assert not is_unsegmented("Heat") and not is_unsegmented("") and not is_unsegmented("12 3!")
