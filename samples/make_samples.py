"""Writes the sample data. The same bytes each time, on any machine.

    python samples/make_samples.py [folder]

The folder is samples/ unless named. Facts about items are read from samples/facts/; users are simulated.
"""

import sys
from collections.abc import Callable
from pathlib import Path
from random import Random

HERE = Path(__file__).resolve().parent
if not __package__:  # run as a file: Python then looks for modules in samples/, not in the checkout
    sys.path.insert(0, str(HERE.parent))

from samples import (  # noqa: E402
    write_amazon,
    write_csvs,
    write_korean,
    write_mind,
    write_movies_dataset,
    write_steam,
    write_yelp,
)
from samples.domains import DOMAINS, build  # noqa: E402
from samples.taste import World  # noqa: E402

Writer = Callable[[World, Path, Random], None]
WRITERS: dict[str, Writer] = {
    "mind": write_mind.mind,
    "amazon_music": write_amazon.amazon_music,
    "yelp": write_yelp.yelp,
    "anime": write_csvs.anime,
    "books": write_csvs.books,
    "movielens": write_csvs.movielens,
    "movies_dataset": write_movies_dataset.movies_dataset,
    "steam": write_steam.steam,
    "amazon": write_amazon.amazon,
    "korean": write_korean.korean,
}


def write(dataset: str, root: Path) -> World:
    """Writes one dataset into `root/<dataset>` and returns the world it shows."""
    world = build(dataset)
    folder = root / dataset
    folder.mkdir(parents=True, exist_ok=True)
    WRITERS[dataset](world, folder, Random(f"rectune samples {dataset} files"))
    return world


def main(root: Path) -> None:
    """Writes all datasets and prints their sizes."""
    for dataset, domain in DOMAINS.items():
        world = write(dataset, root)
        size = sum(file.stat().st_size for file in (root / dataset).iterdir())
        liked = sum(act.value >= domain.liked for act in world.acts)
        counts = f"{len(world.items):>4} items {len(world.users):>4} users {len(world.acts):>5} interactions"
        print(f"{dataset:<15}{counts} {liked:>5} liked {size:>8,} bytes")


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else HERE)
