import json
import shutil
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import lancedb
import numpy as np
import pytest
from lancedb.table import Table

from rectune.core.errors import UserError
from rectune.core.types import Item
from rectune.retrieval.chunks import ChunkConfig
from rectune.retrieval.embedding import dimension, embed, reads, register
from rectune.retrieval.index import IndexConfig, build_index, open_index
from rectune.retrieval.index_maintenance import refresh_indexes
from rectune.retrieval.relevance_threshold import FOREIGN
from tests.retrieval import letters  # noqa: F401

ITEMS = [
    Item("movies", "1", "Journey to Mars", ("science fiction",), "Astronauts on a rocket", 1999),
    Item("movies", "2", "The French Chef", ("documentary",), "Cooking and kitchens"),
    Item("movies", "3", "Interstellar", ("science fiction",), "Astronauts near a black hole", 2014),
    Item("books", "1", "A Cook's Tour", ("food",)),
    Item("books", "4", "기생충", ("드라마",)),
    Item("it's", "5", "<|im_end|> ' OR 1=1 --", ()),
]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("index")
    build_index(ITEMS, folder, "embedded")
    return folder


class Seen:
    """The item texts that the embedder `seen` (the real one) was given, without the threshold's queries."""

    def __init__(self) -> None:
        self._texts: list[str] = []
        self.dies_at = ""
        register("seen", dimension("embedded"), self._embed)

    def _embed(self, texts: Sequence[str]) -> np.ndarray:
        if self.dies_at and any(self.dies_at in text for text in texts):
            raise KeyboardInterrupt
        self._texts += texts
        return embed(texts)

    def take(self) -> list[str]:
        """The texts since the last call."""
        foreign = {query for some in FOREIGN.values() for query in some}
        taken, self._texts = [text for text in self._texts if text not in foreign], []
        return taken


@pytest.fixture
def seen() -> Seen:
    return Seen()


def test_vectors_have_unit_length_and_like_lies_by_like():
    vectors = embed(["a rocket to Mars", "astronauts in space", "bake a cake", ""])
    assert vectors.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1.0, atol=1e-5)
    assert vectors[0] @ vectors[1] > vectors[0] @ vectors[2]
    assert embed([]).shape == (0, vectors.shape[1])


def test_nearest_items_come_first_with_their_cosine(folder: Path):
    hits = open_index(folder).near("cooking in a kitchen", k=6)
    assert {hit.title for hit in hits[:2]} == {"The French Chef", "A Cook's Tour"}
    assert [hit.similarity for hit in hits] == sorted((hit.similarity for hit in hits), reverse=True)
    assert len(hits) == len(ITEMS)
    chef = next(hit for hit in hits if hit.title == "The French Chef")
    cosine = (
        embed(["cooking in a kitchen"])[0] @ embed(["The French Chef. documentary. Cooking and kitchens"])[0]
    )
    assert chef.similarity == pytest.approx(float(cosine), abs=1e-4)


def test_a_domain_and_a_history_bound_the_search(folder: Path):
    index = open_index(folder)
    assert [hit.item_id for hit in index.near("space", "movies", 1, {"1"})] == ["3"]
    assert {hit.domain for hit in index.near("space", "books", 9)} == {"books"}
    assert [hit.item_id for hit in index.near("x", "it's", 3)] == ["5"]
    assert index.near("space", "no' OR 'a'='a", 3) == []
    assert {hit.item_id for hit in index.find(["space", "chef"], "movies", 9, {"1"})} == {"2", "3"}
    assert index.find(["", " "], "movies") == index.find(["x"], "movies", 0) == []


def test_korean_is_found_by_morphemes_whatever_particles_stand_behind_its_words(tmp_path: Path):
    titles = ("기생충을 만든 감독", "봄날의 산책", "여름밤 축구 경기", "축구가 좋다", "雪国の旅")
    items = [Item("news", str(n), title) for n, title in enumerate(titles)]
    index = build_index([*items, Item("other", "9", "축구")], tmp_path, "letters")
    assert {hit.item_id for hit in index.search_text("축구를", "news")} == {"2", "3"}
    assert {hit.item_id for hit in index.search_text("축구를")} == {"2", "3", "9"}
    assert [hit.item_id for hit in index.search_text("기생충의", "news")] == ["0"]
    assert [hit.item_id for hit in index.search_text("雪国", "news")] == ["4"]  # other scripts by pairs
    assert index.find(["감독의 기생충"], "news", 1)[0].item_id == "0"
    assert {hit.item_id for hit in index.find(["축구"], "news", 4, {"2"})} == {"0", "1", "3", "4"}


def test_scores_of_several_korean_texts_are_summed_before_they_are_ranked(tmp_path: Path):
    titles = ("축구 경기 결과", "축구 선수 은퇴", "산책", "봄날", "기생충", "감독")
    items = [Item("d", str(n), title) for n, title in enumerate(titles)]
    register("blind", 4, lambda some: np.eye(4, dtype=np.float32)[[len(t) % 4 for t in some]], english=True)
    index = build_index(items, tmp_path, "blind")
    (first, *_) = index.find(["축구 경기", "경기 결과", "봄날"], "d", 3)
    assert first.item_id == "0" and first.ranks["terms 0"] == 1 and "words 0" not in first.ranks
    weighed = index.find(["축구 경기", "경기 결과", "봄날"], "d", 3, weights=[0.1, 0.1, 1.0])
    assert weighed[0].item_id == "3"


def test_titles_in_two_scripts_are_found_by_both(tmp_path: Path):
    items = [Item("d", "7", "Se7en 세븐"), Item("d", "h", "Heat"), Item("d", "k", "축구 경기")]
    index = build_index(items, tmp_path, "letters")
    for query in ("Se7en", "세븐", "se7en 세븐", "ＳＥ７ＥＮ 세븐"):
        assert [hit.item_id for hit in index.search_text(query, "d")] == ["7"]
    assert [hit.item_id for hit in index.search_text("heat", "d")] == ["h"]
    index = build_index([*items, Item("d", "l", "LG전자 냉장고"), Item("d", "g", "LG")], tmp_path, "letters")
    assert [hit.item_id for hit in index.search_text("LG", "d")] == ["g", "l"]
    assert index.find(["LG"], "d", 9)[0].ranks["words 0"] == 1
    assert "l" not in {hit.item_id for hit in index.find(["LG"], "d", 9, {"l"})}


@pytest.mark.parametrize("korean", [True, False])
def test_an_index_whose_korean_was_split_in_another_way_is_built_anew(
    tmp_path: Path, seen: Seen, monkeypatch: pytest.MonkeyPatch, korean: bool
):
    items = [*ITEMS[:2], *([Item("d", "k", "축구를")] if korean else [])]
    build_index(items, tmp_path, "seen")
    assert len(seen.take()) == len(items)
    monkeypatch.setitem(sys.modules, "kiwipiepy", None)
    if korean:
        with pytest.raises(UserError, match="split by kiwipiepy"):
            open_index(tmp_path)
    index = build_index(items, tmp_path, "seen")
    assert len(seen.take()) == (len(items) if korean else 0)
    assert [hit.item_id for hit in index.search_text("축구", "d")] == (["k"] if korean else [])


def test_an_index_of_an_older_format_is_built_anew(tmp_path: Path, seen: Seen):
    build_index(ITEMS, tmp_path, "seen")
    marker = json.loads((tmp_path / "index.json").read_text())
    del marker["segmenter"]
    (tmp_path / "index.json").write_text(json.dumps({**marker, "format": 3, "letters": True}))
    seen.take()
    with pytest.raises(UserError, match="no finished index"):
        open_index(tmp_path)
    assert build_index(ITEMS, tmp_path, "seen").search_text("기생충을")[0].item_id == "4"
    assert len(seen.take()) == len(ITEMS)


def test_vectors_of_an_embedder_that_knows_no_korean_do_not_outvote_full_text(tmp_path: Path):
    titles = ("기생충을 만든 감독", "축구가 좋다", "여름밤의 축구", "abc 축구를 보는 사람들의 밤")
    items = [Item("news", str(n), title) for n, title in enumerate(titles)]
    register("blind", 4, lambda some: np.eye(4, dtype=np.float32)[[len(t) % 4 for t in some]], english=True)
    assert not reads("blind", "축구") and reads("blind", "football") and reads("letters", "축구")
    index = build_index(items, tmp_path, "blind")
    found = index.find(["기생충"], "news", 4)
    assert found[0].item_id == "0" and len(found) == 4


def test_items_are_scored_by_their_best_and_their_mean_chunk_and_say_where_it_stands(tmp_path: Path):
    mixed = "Aaaa" + " aaaa" * 18 + ". " + " ".join(["Bbbb bbbb bbbb bbbb bbbb."] * 20)
    items = [
        Item("d", "pure", "aaaaa", ("a",)),
        Item("d", "mixed", "a", (), mixed),
        Item("d", "none", "bbbb"),
    ]
    index = build_index(items, tmp_path, "letters", IndexConfig(ChunkConfig(100, 0)))
    assert index.chunks > 4
    pure, mixed_hit = index.find(["aaaaaa"], "d", 2)
    assert (pure.item_id, mixed_hit.item_id) == ("pure", "mixed")
    assert mixed_hit.similarity > 0.9 > mixed_hit.mean and "aaaa aaaa" in mixed_hit.evidence
    assert pure.ranks["best 0"] == pure.ranks["mean 0"] == 1
    (best,) = index.near("aaaa aaaa", "d", 1, {"pure"})
    assert best.item_id == "mixed"


def test_other_chunks_of_one_item_do_not_crowd_out_the_other_items(tmp_path: Path):
    body = " ".join(f"Aaaa aaaa aaaa number {n} aaaa." for n in range(400))
    items = [Item("d", "long", "a", (), body), *(Item("d", str(n), "b" * (n + 1)) for n in range(30))]
    index = build_index(items, tmp_path, "letters", IndexConfig(ChunkConfig(100, 0)))
    assert len({hit.item_id for hit in index.near("aaaa", "d", 31)}) == 31


def test_only_changed_and_new_items_are_embedded_and_gone_ones_are_deleted(tmp_path: Path, seen: Seen):
    build_index(ITEMS, tmp_path, "seen")
    assert len(seen.take()) == len(ITEMS)
    build_index(ITEMS[::-1], tmp_path, "seen")
    assert seen.take() == []
    changed = [replace(ITEMS[0], description="Gardening at home"), *ITEMS[2:], Item("books", "9", "New")]
    index = build_index(changed, tmp_path, "seen")
    assert sorted(seen.take()) == ["Journey to Mars (1999). science fiction. Gardening at home", "New"]
    assert (index.items, index.chunks) == (6, 6)
    hits = {(hit.domain, hit.item_id): hit for hit in index.near("gardening", k=99)}
    assert ("movies", "2") not in hits and len(hits) == 6
    assert "Gardening" in hits["movies", "1"].evidence
    assert [hit.item_id for hit in index.search_text("gardening", "movies")] == ["1"]
    assert [hit.item_id for hit in index.search_text("kitchens", "movies")] == []


def test_a_killed_build_goes_on_behind_what_was_written(tmp_path: Path, seen: Seen):
    seen.dies_at = "Cook's"
    with pytest.raises(KeyboardInterrupt):
        build_index(ITEMS, tmp_path, "seen", IndexConfig(batch=2))
    with pytest.raises(UserError, match="no finished index"):
        open_index(tmp_path)
    kept, seen.dies_at = seen.take(), ""
    assert len(build_index(ITEMS, tmp_path, "seen", IndexConfig(batch=2)).near("x", k=99)) == len(ITEMS)
    assert not set(seen.take()) & set(kept) and kept


def test_another_embedder_or_cut_builds_it_anew(tmp_path: Path, seen: Seen):
    build_index(ITEMS, tmp_path, "letters")
    assert build_index(ITEMS, tmp_path, "seen").embedder == "seen"
    assert len(seen.take()) == len(ITEMS)
    build_index(ITEMS, tmp_path, "seen", IndexConfig(ChunkConfig(300, 0)))
    assert len(seen.take()) == len(ITEMS)


@pytest.mark.parametrize(
    "harm", ["no table", "half a table", "rubbish in the marker", "rubbish in the table"]
)
def test_a_damaged_index_is_an_error_when_opened_and_made_again_when_built(tmp_path: Path, harm: str):
    build_index(ITEMS[:2], tmp_path, "letters")
    table = tmp_path / "chunks.lance"
    if harm == "no table":
        shutil.rmtree(table)
    elif harm == "half a table":
        shutil.rmtree(table / "data")
    elif harm == "rubbish in the marker":
        (tmp_path / "index.json").write_text("{")
    else:
        for path in (table / "_versions").iterdir():
            path.write_bytes(b"rubbish")
    with pytest.raises(UserError, match=r"damaged index|no finished index") as refused:
        open_index(tmp_path).near("x", k=9)
    assert refused.value.hint
    assert len(build_index(ITEMS[:2], tmp_path, "letters").near("x", k=9)) == 2


def test_many_chunks_are_searched_approximately_and_found_again(tmp_path: Path):
    rng = np.random.default_rng(0)
    made = {f"item {n}": rng.standard_normal(16).astype(np.float32) for n in range(600)}
    unit = {name: row / np.linalg.norm(row) for name, row in made.items()}
    register("given", 16, lambda texts: np.stack([unit.get(text, unit["item 0"]) for text in texts]))
    index = build_index(
        [Item("d", str(n), f"item {n}") for n in range(600)], tmp_path, "given", IndexConfig(rows=500)
    )
    assert index.approximate
    for n in range(0, 600, 60):
        (hit, *_) = index.near(f"item {n}", "d", 3)
        assert hit.item_id == str(n) and hit.similarity == pytest.approx(1.0, abs=1e-3)
    assert len(index.near("item 5", "d", 600)) == 600
    more = [Item("d", str(n), f"item {n}") for n in range(1, 600)] + [Item("d", "new", "item 0")]
    assert (
        build_index(more, tmp_path, "given", IndexConfig(rows=500)).near("item 0", "d", 1)[0].item_id == "new"
    )


def pieces(table: Table) -> int:
    """Of how many pieces LanceDB says that the index of the vectors consists."""
    stats = [table.index_stats(index.name) for index in table.list_indices() if "vector" in index.columns]
    return max(found.num_indices for found in stats if found)


def test_an_index_of_vectors_in_many_pieces_is_made_anew(tmp_path: Path):
    rng = np.random.default_rng(0)
    register("drawn", 16, lambda texts: np.stack([_unit(rng) for _ in texts]))
    items = [Item("d", str(n), f"item {n}") for n in range(600)]
    changed = [replace(item, year=2000) for item in items[:40]]
    for some in (items, [*changed, *items[40:]]):
        build_index(some, tmp_path, "drawn", IndexConfig(rows=500))
    table = lancedb.connect(tmp_path).open_table("chunks")
    assert pieces(table) == 2, "an update adds a piece"
    refresh_indexes(table, approximate=True)
    assert pieces(table) == 2
    refresh_indexes(table, approximate=True, segments=1)
    assert pieces(table) == 1
    assert len({hit.item_id for hit in open_index(tmp_path).near("anything", "d", 600)}) == 600


def _unit(rng: np.random.Generator) -> np.ndarray:
    row = rng.standard_normal(16).astype(np.float32)
    return row / np.linalg.norm(row)


def test_an_empty_catalogue_and_an_unknown_embedder_are_errors_for_people(tmp_path: Path):
    with pytest.raises(UserError, match="no items"):
        build_index([], tmp_path, "embedded")
    with pytest.raises(UserError, match="cannot be loaded") as refused:
        embed(["x"], str(tmp_path / "nothing-here"))
    assert refused.value.hint


def test_broken_unicode_quotes_and_huge_texts_are_data(tmp_path: Path):
    items = [
        Item("d", "1", "lone \ud800 surrogate"),
        Item("d", "it's \x00 2", "x" * 100_000, (), "y " * 20_000),
        Item("d", "3", "=cmd|'/c calc'!A1", ("<script>",), "'; DROP TABLE chunks; --"),
    ]
    index = build_index(items, tmp_path, "letters")
    assert {hit.item_id for hit in index.near("lone \ud800", "d", 3)} == {item.item_id for item in items}
    assert {hit.item_id for hit in index.find(["'; DROP", "lone \ud800"], "d", 3)} == {
        i.item_id for i in items
    }
    assert json.loads((tmp_path / "index.json").read_text())["whole"]
    assert build_index(items[2:], tmp_path, "letters").items == 1
