"""The artifact store: equal contents give equal keys, finished work is whole, partial work stays; locks."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from rectune.core.artifacts import ArtifactStore, CacheKey, generation_cache_path
from rectune.core.errors import UserError


def make(store: ArtifactStore, stage: str = "data", key: str = "k1", **files: str) -> Path:
    with store.work(stage, key) as place:
        for name, text in files.items():
            (place.folder / name).write_text(text)
        return store.finish(stage, key, {"stage": stage, "key": key, "figures": {}})


@pytest.mark.parametrize(
    "other",
    [
        CacheKey("sft", 1, {"a": 1}, {"data": "x"}),
        CacheKey("data", 2, {"a": 1}, {"data": "x"}),
        CacheKey("data", 1, {"a": 2}, {"data": "x"}),
        CacheKey("data", 1, {"a": 1}, {"data": "y"}),
        CacheKey("data", 1, {"a": 1}, {"data": "x"}, {"file": "digest"}),
    ],
)
def test_every_ingredient_is_in_the_key(other: CacheKey) -> None:
    one = CacheKey("data", 1, {"a": 1}, {"data": "x"})
    assert one.key != other.key
    assert one.key == CacheKey("data", 1, {"a": 1}, {"data": "x"}).key


def test_the_order_of_settings_is_not_in_the_key() -> None:
    assert CacheKey("s", 1, {"a": 1, "b": 2}, {}).key == CacheKey("s", 1, {"b": 2, "a": 1}, {}).key


def test_finished_work_is_found_with_its_manifest_and_no_partial_folder_stays(tmp_path: Path) -> None:
    store = ArtifactStore(tmp_path)
    folder = make(store, rows="abc")
    assert store.finished("data", "k1") and not store.begun("data", "k1")
    manifest = store.manifest("data", "k1")
    assert manifest["files"]["rows"]["size"] == 3
    assert (folder / "rows").read_text() == "abc"


def test_an_interrupted_attempt_keeps_its_files_and_is_not_finished(tmp_path: Path) -> None:
    store = ArtifactStore(tmp_path)
    with pytest.raises(RuntimeError), store.work("data", "k1") as place:
        (place.folder / "half").write_text("done so far")
        raise RuntimeError
    assert store.begun("data", "k1") and not store.finished("data", "k1")
    with store.work("data", "k1") as place:
        assert (place.folder / "half").read_text() == "done so far"


def test_two_processes_cannot_work_on_one_key(tmp_path: Path) -> None:
    store = ArtifactStore(tmp_path)
    program = (
        "import sys; from pathlib import Path; from rectune.core.artifacts import ArtifactStore\n"
        "try:\n"
        "    with ArtifactStore(Path(sys.argv[1])).work('data', 'k1'): pass\n"
        "except Exception as error: print(error)\n"
    )
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    with store.work("data", "k1"):
        answer = subprocess.run(
            [sys.executable, "-c", program, str(tmp_path)],
            capture_output=True,
            text=True,
            env=environment,
            check=True,
        )
    assert "another run is working on data" in answer.stdout


def test_links_are_replaced_and_resolved(tmp_path: Path) -> None:
    store = ArtifactStore(tmp_path)
    make(store, key="k1")
    make(store, key="k2")
    store.link("demo", "data", "k1")
    store.link("demo", "data", "k2")
    assert store.resolve("demo", "data") == store.folder("data", "k2").resolve()
    with pytest.raises(UserError, match="no finished sft"):
        store.resolve("demo", "sft")


def test_verify_names_what_was_changed_lost_or_added(tmp_path: Path) -> None:
    store = ArtifactStore(tmp_path)
    folder = make(store, one="1", two="2")
    assert [bad for _, bad in store.verify()] == [[]]
    (folder / "one").write_text("x")
    (folder / "two").unlink()
    (folder / "three").write_text("3")
    assert sorted(next(bad for _, bad in store.verify())) == ["one", "three", "two"]


def test_clean_offers_what_no_recipe_links_to_and_nothing_that_is_worked_on(tmp_path: Path) -> None:
    store = ArtifactStore(tmp_path)
    make(store, key="linked")
    loose = make(store, key="loose")
    store.link("demo", "data", "linked")
    with store.work("data", "busy"):
        assert store.unlinked() == [loose]
    assert store.unlinked() == [loose, tmp_path / "data" / "busy.partial"]
    store.remove(loose)
    assert not loose.exists() and store.finished("data", "linked")


def test_digests_are_remembered_and_follow_the_content(tmp_path: Path) -> None:
    store = ArtifactStore(tmp_path / "runs")
    file = tmp_path / "raw"
    file.write_text("one")
    first = store.digest(file)
    assert store.digest(file) == first
    file.write_text("two!")
    assert store.digest(file) != first


def test_a_damaged_manifest_is_named(tmp_path: Path) -> None:
    store = ArtifactStore(tmp_path)
    folder = make(store)
    (folder / "manifest.json").write_text("{")
    with pytest.raises(UserError, match="damaged manifest"):
        store.manifest("data", "k1")


def test_making_a_result_again_replaces_it(tmp_path: Path) -> None:
    store = ArtifactStore(tmp_path)
    make(store, rows="old", gone="x")
    folder = make(store, rows="new")
    assert (folder / "rows").read_text() == "new" and not (folder / "gone").exists()
    assert json.loads((folder / "manifest.json").read_text())["files"].keys() == {"rows"}


def test_the_generation_cache_is_at_the_root_of_the_store(tmp_path: Path) -> None:
    assert generation_cache_path(tmp_path / "sft" / "k.partial") == tmp_path.resolve() / "generations.sqlite"
