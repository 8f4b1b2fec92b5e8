"""A recipe's results are found by its own keys: two recipes of one file name are two."""

import json
from pathlib import Path

import pytest

from rectune.core.artifacts import ArtifactStore
from rectune.core.errors import UserError
from rectune.core.rows import write_rows
from rectune.core.types import Ranking
from rectune.pipeline.compare import compared
from rectune.pipeline.recipe_results import finished_result
from tests.pipeline.recipes import finish

HEAD = "models: {base: tiny}\nalign: {annotator: simulated}\ndata: {datasets: [books], root: %s}\n"


@pytest.fixture
def store(tmp_path: Path) -> ArtifactStore:
    return ArtifactStore(tmp_path / "runs")


def recipe(folder: Path, more: str = "") -> Path:
    """A recipe called demo on a catalogue of its own."""
    data = folder.parent / "raw" / "books"
    data.mkdir(parents=True, exist_ok=True)
    (data / "BX-Books.csv").write_text('"ISBN";"Book-Title"\n')
    (data / "BX-Book-Ratings.csv").write_text('"User-ID";"ISBN";"Book-Rating"\n')
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "demo.yaml"
    path.write_text(HEAD % data.parent + more)
    return path


def rankings(folder: Path, rank: int) -> None:
    rows = [
        Ranking(f"p{n}", "sft", ("a", "b"), (1.0, 0.0), ("candidate",) * 2, user=f"u{n}", rank=rank, size=2)
        for n in range(4)
    ]
    write_rows(folder / "rankings.parquet", rows, Ranking)


def test_recipes_of_one_name_are_compared_with_each_other_and_not_with_themselves(
    tmp_path: Path, store: ArtifactStore
) -> None:
    one, other = recipe(tmp_path / "a"), recipe(tmp_path / "b", "evaluate: {num_candidate_draws: 2}\n")
    for path, rank in ((one, 2), (other, 1)):
        rankings(finish(path, store, "eval")["eval"], rank)
    found = json.loads(compared(str(one), str(other), store, as_json=True))
    assert found["rows"][0]["difference"] == 1.0
    said = compared(str(one), str(other), store, as_json=False)
    assert "a/demo" in said and "b/demo" in said


def test_a_recipe_that_was_not_run_has_no_result_though_another_of_its_name_has(
    tmp_path: Path, store: ArtifactStore
) -> None:
    one, other = recipe(tmp_path / "a"), recipe(tmp_path / "b", "evaluate: {num_candidate_draws: 2}\n")
    folder = finish(one, store, "eval")["eval"]
    store.link("demo", "eval", folder.name)
    assert finished_result(one, "eval", store) == folder
    for given, overrides in ((other, []), (one, ["evaluate.num_candidate_draws=7"])):
        with pytest.raises(UserError, match="no finished eval with these settings") as refused:
            finished_result(given, "eval", store, overrides)
        assert f"rectune run {' '.join([str(given), *overrides])} --until eval" in refused.value.hint


def test_where_the_raw_data_changed_or_went_the_last_result_of_the_same_settings_is_used_and_that_is_said(
    tmp_path: Path, store: ArtifactStore, capsys: pytest.CaptureFixture[str]
) -> None:
    one = recipe(tmp_path / "a")
    folder = finish(one, store, "queries")["queries"]
    (tmp_path / "raw" / "books" / "BX-Books.csv").write_text('"ISBN";"Book-Title"\n"1";"Heat"\n')
    assert finished_result(one, "queries", store) == folder
    assert "changed since" in capsys.readouterr().err
    (tmp_path / "raw" / "books" / "BX-Books.csv").unlink()
    assert finished_result(one, "queries", store) == folder
    with pytest.raises(UserError, match="no finished queries"):
        finished_result(one, "queries", store, ["prompts.seed=8"])


def test_recipes_of_one_name_are_linked_under_names_of_their_own(
    tmp_path: Path, store: ArtifactStore
) -> None:
    one, other = recipe(tmp_path / "a"), recipe(tmp_path / "b")
    assert store.name_of(one) == "demo"
    assert store.name_of(other) == "b-demo"
    assert (store.name_of(one), store.name_of(other)) == ("demo", "b-demo")
    one.unlink()  # its name is free again
    assert store.name_of(other) == "demo"


def test_what_only_earlier_runs_know_is_found_by_the_name_of_their_links(store: ArtifactStore) -> None:
    with store.work("eval", "k") as place:
        (place.folder / "rows").write_text("1")
        folder = store.finish("eval", "k", {})
    store.link("gone", "eval", "k")
    assert finished_result(Path("gone"), "eval", store) == folder.resolve()
    with pytest.raises(UserError, match="no finished eval"):
        finished_result(Path("never"), "eval", store)
