"""`make bench-data`: the data stage on a file of the size and shape of MyAnimeList 2020, against pandas.

The file has 57,633,278 made-up ratings (seeded) of 310,059 users and 16,872 titles, written by user as the
published one is, titles in any order, without repeats. The rival reads the same file with `pandas.read_csv`
and sorts it by user and title; a second line sorts by user alone. The stage reads, checks, codes, sorts and
writes the three tables, finds who could be trained on, and cuts cases: as many as the published mixture takes
from this dataset (59,580 of 600,000), or, in the first line, as few as the demo.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
from pathlib import Path

from bench.measure_process import Measured, measure

RATINGS, USERS, TITLES = 57_633_278, 310_059, 16_872
FEW, CASES = 110, 59_580  # as the demo; 9.93 % of 600,000
_GENRES = ("Action", "Comedy", "Drama", "Fantasy", "Romance", "Sci-Fi", "Slice of Life", "Sports")


def write(folder: Path, ratings: int) -> None:
    """Write anime.csv and rating_complete.csv: log-normal user activity, power-law title popularity."""
    import numpy as np
    import polars as pl

    rng = np.random.default_rng(0)
    folder.mkdir(parents=True, exist_ok=True)
    ids = np.sort(rng.choice(48_500, TITLES, replace=False)).astype(np.uint64)
    activity = rng.lognormal(0, 1.2, USERS)
    counts = np.clip((activity / activity.sum() * ratings * 1.25).astype(np.int64), 1, 4000)
    popularity = np.cumsum(1 / np.arange(1, TITLES + 1) ** 0.8)
    pairs = np.repeat(np.arange(USERS, dtype=np.uint64), counts) << np.uint64(32)
    pairs += rng.permutation(ids)[np.searchsorted(popularity, rng.random(len(pairs)) * popularity[-1])]
    pairs.sort()
    pairs = pairs[np.concatenate([[True], pairs[1:] != pairs[:-1]])]
    if len(pairs) > ratings:
        pairs = pairs[rng.choice(len(pairs), ratings, replace=False, shuffle=True)]
    pairs = pairs[np.argsort(pairs >> np.uint64(32), kind="stable")]  # by user, titles in any order
    shares = [0.005, 0.007, 0.014, 0.03, 0.06, 0.12, 0.24, 0.26, 0.16, 0.104]
    given = rng.choice(np.arange(1, 11, dtype=np.uint8), len(pairs), p=shares)
    columns = {"user_id": (pairs >> np.uint64(32)), "anime_id": pairs & np.uint64(2**32 - 1), "rating": given}
    pl.DataFrame(columns).write_csv(folder / "rating_complete.csv")
    genres = [", ".join(rng.choice(_GENRES, 3, replace=False)) for _ in ids]
    about = {"MAL_ID": ids, "Name": [f"Made-up Title {number}" for number in ids], "Genres": genres}
    unknown = dict.fromkeys(
        ("English name", "Japanese name", "Type", "Episodes", "Aired", "Studios", "Source"),
        ["Unknown"] * TITLES,
    )
    pl.DataFrame({**about, **unknown}).write_csv(folder / "anime.csv")


def stage(root: Path, cases: int) -> None:
    """The data stage on root/anime: the settings of recipes/demo.yaml, with `cases` training cases."""
    from rectune.core.recipe import load_recipe
    from rectune.datagen.build import run

    overrides = [f"data.root={root}", "data.datasets=[anime]", f"data.train={cases}"]
    recipe = load_recipe(Path(__file__).parents[1] / "recipes/demo.yaml", overrides).only(("data",))
    with tempfile.TemporaryDirectory(dir=root) as out:
        run(recipe, {}, Path(out))


def rival(root: Path, keys: list[str]) -> None:
    """Read and sort with pandas."""
    import pandas

    frame = pandas.read_csv(root / "anime" / "rating_complete.csv")
    frame.sort_values(keys, kind="stable", inplace=True)


def compare(root: Path, rounds: int) -> str:
    """Each in turn, as many rounds as wanted; the median of each, and ratios of the medians."""
    runs: dict[str, list[str]] = {
        f"rectune, {FEW:,} cases": ["--stage", str(FEW)],
        f"rectune, {CASES:,} cases": ["--stage", str(CASES)],
        "pandas, by user and title": ["--rival", "user_id,anime_id"],
        "pandas, by user alone": ["--rival", "user_id"],
    }
    found: dict[str, list[Measured]] = {name: [] for name in runs}
    for _ in range(rounds):
        for name, arguments in runs.items():
            found[name].append(measure("bench.data", [*arguments, "--root", str(root)]))
    medians = {
        name: Measured(statistics.median(m.seconds for m in each), max(m.memory for m in each))
        for name, each in found.items()
    }
    few, many, *_ = medians.values()
    lines = [
        f"{'':<28}{'seconds':>9}{'peak GiB':>10}   time and memory as multiples of ours with few | many cases"
    ]
    for name, each in medians.items():
        ratios = " | ".join(
            f"{each.seconds / own.seconds:.2f}  {each.memory / own.memory:.2f}" for own in (few, many)
        )
        lines.append(f"{name:<28}{each.seconds:>9.1f}{each.memory:>10.2f}   {ratios}")
    return "\n".join(lines)


def main() -> None:
    """The command line; `--stage` and `--rival` are what its own child processes run."""
    parser = argparse.ArgumentParser(prog="python -m bench.data", description=__doc__)
    parser.add_argument(
        "--root", type=Path, help="holds the made-up file, written if need be; temporary unless given"
    )
    parser.add_argument("--ratings", type=int, default=RATINGS)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--stage", type=int, default=0)
    parser.add_argument("--rival", default="")
    given = parser.parse_args()
    if given.stage:
        stage(given.root, given.stage)
    elif given.rival:
        rival(given.root, given.rival.split(","))
    else:
        with tempfile.TemporaryDirectory() as temporary:
            root = given.root or Path(temporary)
            if not (root / "anime" / "rating_complete.csv").is_file():
                print(f"writing {given.ratings:,} made-up ratings below {root}", flush=True)
                write(root / "anime", given.ratings)
            print(compare(root, given.rounds))


if __name__ == "__main__":
    main()
