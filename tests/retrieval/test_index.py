import shutil
from pathlib import Path

import numpy as np
import pytest

from rectune.errors import UserError
from rectune.types import Item
from retrieval import index as index_module
from retrieval.embedding import embed
from retrieval.index import build_index, open_index

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
    cosine = embed(["cooking in a kitchen"])[0] @ embed([index_module.item_text(ITEMS[1])])[0]
    assert chef.similarity == pytest.approx(float(cosine), abs=1e-4)


def test_a_domain_and_a_history_bound_the_search(folder: Path):
    index = open_index(folder)
    assert [hit.item_id for hit in index.near("space", "movies", 1, {"1"})] == ["3"]
    assert {hit.domain for hit in index.near("space", "books", 9)} == {"books"}
    assert [hit.item_id for hit in index.near("x", "it's", 3)] == ["5"]
    assert index.near("space", "no' OR 'a'='a", 3) == []


def test_misspelt_titles_are_shortlisted_by_their_letters(folder: Path):
    index = open_index(folder)
    assert index.alike("Interstelar", "movies")[0].title == "Interstellar"
    assert index.alike("기생충", "books")[0].item_id == "4"
    assert index.alike('"(*"~^ AND :', "movies") == index.alike("", "movies") == []


def test_the_same_items_are_not_embedded_again_and_others_are(
    folder: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
):
    calls: list[int] = []
    monkeypatch.setattr(
        index_module, "embed", lambda texts, embedder: calls.append(len(texts)) or embed(texts)
    )
    build_index(ITEMS[::-1], folder, "embedded")
    assert calls == []
    build_index(ITEMS[:2], tmp_path / "a", "embedded")
    assert build_index(ITEMS[:3], tmp_path / "a", "embedded").items == 3
    assert calls == [2, 3]


def test_a_half_written_index_is_refused_and_built_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(index_module, "_ROWS", 2)

    def killed(texts, embedder):
        if any("Cook" in text for text in texts):
            raise KeyboardInterrupt
        return embed(texts)

    monkeypatch.setattr(index_module, "embed", killed)
    with pytest.raises(KeyboardInterrupt):
        build_index(ITEMS, tmp_path / "i", "embedded")
    with pytest.raises(UserError, match="no finished index"):
        open_index(tmp_path / "i")
    monkeypatch.setattr(index_module, "embed", embed)
    assert len(build_index(ITEMS, tmp_path / "i", "embedded").near("x", k=99)) == len(ITEMS)


def test_a_damaged_index_is_an_error_for_people(tmp_path: Path):
    build_index(ITEMS[:2], tmp_path / "i", "embedded")
    shutil.rmtree(tmp_path / "i" / "items.lance")
    with pytest.raises(UserError, match="damaged index") as refused:
        build_index(ITEMS[:2], tmp_path / "i", "embedded")
    assert refused.value.mend


def test_an_empty_catalogue_and_an_unknown_embedder_are_errors_for_people(tmp_path: Path):
    with pytest.raises(UserError, match="no items"):
        build_index([], tmp_path, "embedded")
    with pytest.raises(UserError, match="cannot be loaded") as refused:
        embed(["x"], str(tmp_path / "nothing-here"))
    assert refused.value.mend


def test_broken_unicode_is_data(tmp_path: Path):
    index = build_index(
        [Item("d", "1", "lone \ud800 surrogate"), Item("d", "2", "x" * 100_000)], tmp_path, "embedded"
    )
    assert {hit.item_id for hit in index.near("lone \ud800", "d", 2)} == {"1", "2"}
