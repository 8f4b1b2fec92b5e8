"""The cases of `bench.scoring_study`: cut anew from other files."""

from __future__ import annotations

import shutil
from pathlib import Path

from bench.scoring_prompts import Source, read_study


def enlarge(file: Path, share: int) -> None:
    """Four times the users of a sample's ratings, who come first in a row, with every `share`-th of them."""
    head, *rows = file.read_text(encoding="utf-8").splitlines()
    more = [f"{one}{row}" for one in range(1, 5) for row in rows[::share]]
    file.write_text("\n".join([head, *more]) + "\n", encoding="utf-8")


def test_cases_of_other_files_are_cut_anew_and_those_of_the_same_are_kept(tmp_path: Path):
    source = Source(tmp_path / "data", tmp_path / "runs", ("movielens", "anime"), seed=7)
    for name, ratings in (("movielens", "ratings.csv"), ("anime", "rating.csv")):
        shutil.copytree(f"samples/{name}", source.root / name)
        enlarge(source.root / name / ratings, 1)
    first = read_study(source, 3)
    assert len(first.tests) == 6 and read_study(source, 3).key == first.key
    shutil.copy("samples/movielens/ratings.csv", source.root / "movielens")
    enlarge(source.root / "movielens" / "ratings.csv", 2)
    other = read_study(source, 3)
    assert other.key != first.key
    assert len(other.domains["movies"].likes.users) < len(first.domains["movies"].likes.users)
