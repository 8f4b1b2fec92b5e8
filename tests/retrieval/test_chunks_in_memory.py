"""A small catalogue's chunks in memory give what the table gives; and a request looks for a text once."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import replace
from typing import Any
from zlib import crc32

import lancedb
import numpy as np
import pytest

from rectune.core.types import Item
from rectune.retrieval import chunks_in_memory
from rectune.retrieval.chunks import ChunkConfig
from rectune.retrieval.embedding import Vectors, query_vectors_kept, register
from rectune.retrieval.index import IndexConfig, build_index
from rectune.retrieval.search import CatalogueIndex, SearchHit

WORDS = [f"{a}{b}{c}" for a in "bdfghk" for b in "aeio" for c in "lmnc"]


def embedded(texts: Sequence[str]) -> Vectors:
    """[n, 32] sums of random vectors of the words, of unit length: no two texts are equally near."""
    rows = [
        sum(
            np.random.default_rng(crc32(word.encode())).standard_normal(32) for word in (text.split() or [""])
        )
        for text in texts
    ]
    made = np.array(rows, np.float32).reshape(-1, 32)
    return np.asarray(made / np.linalg.norm(made, axis=1, keepdims=True), np.float32)


register("random words", 32, embedded)


def some_text(rng: random.Random, words: int) -> str:
    return " ".join(rng.choices(WORDS, k=words)).capitalize() + "."


def items(count: int = 80) -> list[Item]:
    """Items of two domains, of one chunk or of several."""
    rng = random.Random(3)
    return [
        Item(
            "it's" if at % 4 == 0 else "films", f"{at}", some_text(rng, 3), (rng.choice(WORDS),),
            " ".join(some_text(rng, 9) for _ in range(rng.randrange(5))),
        )
        for at in range(count)
    ]  # fmt: skip


@pytest.fixture(scope="module")
def index(tmp_path_factory: pytest.TempPathFactory) -> CatalogueIndex:
    folder = tmp_path_factory.mktemp("index")
    return build_index(items(), folder, "random words", IndexConfig(ChunkConfig(100, 0)))


class Counted:
    """A table, which counts how often it is searched by a vector."""

    def __init__(self, table: Any) -> None:
        self._table, self.searches = table, 0

    def search(self, *asked: Any, **more: Any) -> Any:
        self.searches += bool(asked) and not more
        return self._table.search(*asked, **more)


@pytest.fixture(scope="module")
def table(index: CatalogueIndex) -> Counted:
    assert index.folder
    return Counted(lancedb.connect(index.folder).open_table("chunks"))


@pytest.fixture(scope="module")
def asked(index: CatalogueIndex, table: Counted) -> CatalogueIndex:
    """The same index, of which is said that it is too large for memory."""
    made: Any = table
    return CatalogueIndex(made, "random words", index.items, chunks=chunks_in_memory.MOST + 1)


def assert_same(own: Sequence[SearchHit], other: Sequence[SearchHit]) -> None:
    """The same hits in the same order; cosines to so many digits as sums in another order have."""
    plain = [[replace(hit, similarity=0.0, mean=0.0) for hit in hits] for hits in (own, other)]
    assert plain[0] == plain[1]
    for one, two in zip(own, other, strict=True):
        assert (one.similarity, one.mean) == pytest.approx((two.similarity, two.mean), abs=1e-5)


@pytest.mark.parametrize("domain", ["films", "it's", None])
@pytest.mark.parametrize("k", [1, 10, 200])
def test_memory_and_table_find_the_same(
    index: CatalogueIndex, asked: CatalogueIndex, domain: str | None, k: int
):
    rng = random.Random(k)
    for _ in range(2):
        texts = [some_text(rng, 4) for _ in range(rng.randint(1, 3))]
        without = frozenset(rng.sample([str(at) for at in range(80)], rng.choice([0, 20])))
        within = frozenset(rng.sample([*(str(at) for at in range(80)), "none"], 30))
        near = [one.near(texts[0], domain, k, without) for one in (index, asked)]
        assert_same(*near)
        for ids in (None, within):
            own, other = (one.find(texts, domain, k, without, within=ids) for one in (index, asked))
            assert_same(own, other)
            assert own


def test_nothing_is_found_of_another_domain_or_within_strange_ids(index: CatalogueIndex):
    assert index.near("bal", "books", 3) == []
    assert index.find(["bal"], "films", 3, within=frozenset(["none"])) == []


def test_while_a_request_is_answered_a_text_is_looked_for_once(
    index: CatalogueIndex, asked: CatalogueIndex, table: Counted
):
    rng = random.Random(9)
    for _ in range(5):
        text, gone = some_text(rng, 4), frozenset(rng.sample([str(at) for at in range(80)], 30))
        alone = [asked.near(text, "films", 1), asked.near(text, "films", 3, gone), index.near(text, None, 5)]
        before = table.searches
        with query_vectors_kept():
            found = asked.find([text], "films", 40)
            assert_same(found, index.find([text], "films", 40))
            first = [asked.near(text, "films", 1), asked.near(text, "films", 3, gone)]
            assert table.searches == before + 1
            for own, other in zip([*first, asked.near(text, None, 5)], alone, strict=True):
                assert_same(own, other)
            assert table.searches == before + 2  # of all domains is another question
        asked.near(text, "films", 1)
        assert table.searches == before + 3  # nothing is kept of a request that is answered


def test_more_is_looked_for_where_what_is_kept_is_not_enough(asked: CatalogueIndex):
    with query_vectors_kept():
        few = asked.near("bal dem", "films", 3)
        all_of_them = asked.near("bal dem", "films", 99)
    assert_same(all_of_them[:3], few)
    assert len(all_of_them) == len({hit.item_id for hit in all_of_them}) == 60
