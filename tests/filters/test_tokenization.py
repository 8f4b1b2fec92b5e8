"""Columns of text as token ids: as the tokenizer gives them, in any batches, special tokens as text."""

import itertools
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rectune.filters.score import response_score
from rectune.filters.tokenization import BATCH, encode_batches, score_texts
from tests.filters.small_tokenizer import small_tokenizer

TOKENIZER = small_tokenizer()
TEXTS = ["a good answer </s> about", "", "again " * 300, "조용한 영화\x00", "\n", "one two three"]
printable = st.text(st.characters(exclude_categories=["Cs"]), max_size=80)


def expected(texts: list[str]) -> list[list[int]]:
    """What transformers' own wrapper gives."""
    encoded: list[list[int]] = TOKENIZER(texts, add_special_tokens=False, split_special_tokens=True)[
        "input_ids"
    ]
    return encoded


def ids(texts: Any, **options: Any) -> list[list[int]]:
    return list(itertools.chain.from_iterable(encode_batches(TOKENIZER, texts, **options)))


@given(st.lists(printable, max_size=12), st.integers(1, 5))
def test_any_batches_give_what_the_tokenizer_gives(texts: list[str], batch: int) -> None:
    assert ids(texts, batch=batch) == (expected(texts) if texts else [])


def test_special_tokens_are_plain_text_and_nothing_is_cut_or_padded() -> None:
    rows = ids(TEXTS)
    assert rows == expected(TEXTS)
    assert TOKENIZER.eos_token_id not in rows[0] and rows[1] == [] and len(rows[2]) >= 300


def test_the_tokenizer_is_left_as_it_was() -> None:
    tokenizer = small_tokenizer()
    core = tokenizer.backend_tokenizer
    before = (core.truncation, core.padding, core.encode_special_tokens)
    list(encode_batches(tokenizer, TEXTS))
    assert (core.truncation, core.padding, core.encode_special_tokens) == before


def test_another_tokenizer_is_another_tokenizer() -> None:
    class Letters:
        """A tokenizer written in Python: a letter is a token."""

        def __call__(self, texts: list[str], **options: object) -> dict[str, list[list[int]]]:
            return {"input_ids": [[ord(letter) for letter in text] for text in texts]}

    assert list(next(encode_batches(Letters(), ["ab", ""]))) == [[97, 98], []]
    assert ids(["ab"]) == expected(["ab"])


def test_long_texts_make_small_batches() -> None:
    texts = ["x" * 11, "y", "z" * 9, "z"]
    sizes = [len(tokens) for tokens in encode_batches(TOKENIZER, texts, characters=10)]
    assert sizes == [1, 2, 1]


def test_texts_are_read_no_further_ahead_than_a_batch_and_no_text_is_read_twice() -> None:
    read = list[int]()

    def texts() -> Iterator[str]:
        for number in range(100):
            read.append(number)
            yield str(number)

    running = set(threading.enumerate())
    batches = encode_batches(TOKENIZER, texts(), batch=2)
    next(batches)
    next(batches)
    batches.close()
    assert read == list(range(len(read))) and len(read) <= 6
    assert set(threading.enumerate()) <= running


def test_what_goes_wrong_while_texts_are_read_is_raised() -> None:
    def texts() -> Iterator[str]:
        yield "one"
        raise ValueError("broken off")

    with pytest.raises(ValueError, match="broken off"):
        list(encode_batches(TOKENIZER, texts(), batch=1))


def test_whole_columns_are_scored_as_each_text_is() -> None:
    times = BATCH // len(TEXTS) + 2  # more than a batch
    found = score_texts(TOKENIZER, TEXTS * times)
    for place, row in enumerate(expected(TEXTS) * times):
        assert found["tokens"][place] == len(row)
        assert not row or found["score"][place] == pytest.approx(response_score(row))
    assert len(score_texts(TOKENIZER, [])["score"]) == 0
