"""IdMap for ids, and repeats found a few users at a time."""

import polars as pl
from hypothesis import given
from hypothesis import strategies as st

from rectune.datagen.datasets import dedup
from rectune.datagen.datasets.id_map import IdMap


@given(st.lists(st.lists(st.one_of(st.none(), st.text(max_size=3)), max_size=20), max_size=4))
def test_codes_count_texts_in_the_order_they_are_met(batches: list[list[str | None]]) -> None:
    codes = IdMap()
    found = [codes.of(pl.Series(batch, dtype=pl.String)).to_list() for batch in batches]
    first = list(dict.fromkeys(text for batch in batches for text in batch if text is not None))
    assert found == [[None if text is None else first.index(text) for text in batch] for batch in batches]
    assert codes.texts().to_list() == first and len(codes) == len(first)


@given(st.lists(st.tuples(st.booleans(), st.lists(st.integers(0, 2**32 - 1), max_size=20)), max_size=5))
def test_a_number_is_the_same_id_as_its_text(batches: list[tuple[bool, list[int]]]) -> None:
    codes, plain = IdMap(), IdMap()
    for as_text, numbers in batches:
        texts = pl.Series(list(map(str, numbers)), dtype=pl.String)
        ids = texts if as_text else pl.Series(numbers, dtype=pl.UInt32)
        assert codes.of(ids).to_list() == plain.of(texts).to_list()
        assert codes.texts().to_list() == plain.texts().to_list() and len(codes) == len(plain)


def test_two_sets_of_codes_do_not_mix() -> None:
    one, other = IdMap(), IdMap()
    one.of(pl.Series(["a", "b"]))
    assert other.of(pl.Series(["b"])).to_list() == [0]


rows = st.lists(
    st.tuples(st.integers(0, 3), st.integers(0, 3), st.sampled_from([None, 1.0, 2.0])), max_size=40
)


@given(rows, st.integers(1, 10))
def test_repeats_go_and_the_first_of_each_stays(
    events: list[tuple[int, int, float | None]], size: int
) -> None:
    events = sorted(events, key=lambda row: row[0])
    schema = {"user": pl.UInt32(), "item": pl.UInt32(), "value": pl.Float32()}
    frame = pl.DataFrame(events, schema=schema, orient="row").with_row_index("order")
    kept, again = dedup.distinct(frame, ("user", "item", "value"), size)
    first = {row: place for place, row in reversed(list(enumerate(events)))}
    assert kept["order"].to_list() == sorted(first.values())
    assert again == (len({row[:2] for row in events}) < len(events))
