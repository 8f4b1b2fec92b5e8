"""Two evaluations side by side: what they share counts, and nothing else."""

import json
from pathlib import Path

import pytest

from rectune.core.artifacts import ArtifactStore
from rectune.core.errors import UserError
from rectune.core.rows import write_rows
from rectune.core.types import Ranking
from rectune.evaluation.compare import compare, comparison_text
from rectune.pipeline.compare import compared


def row(prompt: int, rank: int, system: str = "sft", items: tuple[str, ...] = ("a", "b"), **more) -> Ranking:
    return Ranking(
        f"p{prompt}",
        system,
        items,
        (1.0, 0.0),
        ("candidate",) * 2,
        user=f"d/{prompt}",
        rank=rank,
        size=2,
        **more,
    )


def write(folder: Path, rows: list[Ranking]) -> Path:
    folder.mkdir(parents=True)
    write_rows(folder / "rankings.parquet", rows, Ranking)
    return folder


def test_known_ranks_give_the_known_difference(tmp_path: Path):
    one = write(tmp_path / "one", [row(n, 2) for n in range(10)] + [row(77, 1)])
    other = write(tmp_path / "other", [row(n, 1 if n < 4 else 2) for n in range(10)] + [row(78, 1)])
    found = compare(one, other)
    assert (found.shared, found.only_one, found.only_other) == (10, 1, 1)
    (only,) = found.rows
    assert (only.n, only.one, only.other, only.won, only.lost) == (10, 0.0, 0.4, 4, 0)
    assert only.difference == pytest.approx(0.4) and only.p == pytest.approx(2 / 16)
    assert only.interval[0] > 0 and "+0.400" in comparison_text(found, ("one", "other"))


def test_other_candidates_are_not_compared(tmp_path: Path):
    one = write(tmp_path / "one", [row(1, 1), row(2, 1), row(1, 2, draw=1)])
    other = write(
        tmp_path / "other", [row(1, 1, items=("a", "c")), row(2, 1, items=("b", "a")), row(1, 2, draw=1)]
    )
    (only,) = compare(one, other).rows
    # Of prompt 1 only the second draw is the same, and the order in which candidates ended does not matter.
    assert only.n == 2 and only.one == 0.5


def test_nothing_in_common_is_an_error_for_people(tmp_path: Path):
    one, other = write(tmp_path / "one", [row(1, 1)]), write(tmp_path / "other", [row(2, 1)])
    with pytest.raises(UserError, match="no prompt in common"):
        compare(one, other)


def test_runs_are_found_by_folder_or_name(tmp_path: Path):
    store = ArtifactStore(tmp_path / "runs")
    for name in ("first", "second"):
        with store.work("eval", name) as place:
            write_rows(place.folder / "rankings.parquet", [row(1, 1)], Ranking)
            folder = store.finish("eval", name, {})
        store.link(name, "eval", name)
    said = compared("first", str(folder), store, as_json=True)
    assert json.loads(said)["shared"] == 1
    assert "own" in compared("first", "second", store, as_json=False)
    with pytest.raises(UserError, match="no finished eval"):
        compared("first", "third", store, as_json=False)
