"""The table of datasets: where each comes from, under which terms, which files it has and who reads them."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from rectune.errors import UserError


@dataclass(frozen=True)
class Dataset:
    """One published dataset.

    `licence` is what the publisher says, in short; `redistributable` whether the rows may be passed on under
    it. `files` are glob patterns below root/<name>/, each needed at least once; `|` parts alternatives, a
    leading `?` marks what may be missing. A file belongs to the first pattern that it matches; a .gz file is
    passed over where the plain one lies beside it. `liked` is the value from which an interaction counts
    as liked unless a recipe says otherwise; `ordered` whether times are published. `reader` is
    `module:function`; the function takes one list of files a pattern and returns a `raw.Raw`.
    """

    name: str
    domain: str
    publisher: str
    home: str
    licence: str
    redistributable: bool
    files: tuple[str, ...]
    liked: float
    ordered: bool
    reader: str


# Either edition: lines end in .json (2018) or .jsonl (2023), and both are published compressed.
_AMAZON_META = "meta_*.json|meta_*.json.gz|meta_*.jsonl|meta_*.jsonl.gz"
_AMAZON_REVIEWS = "*.json|*.json.gz|*.jsonl|*.jsonl.gz"

DATASETS: tuple[Dataset, ...] = (
    Dataset(
        name="mind",
        domain="news",
        publisher="Microsoft",
        home="https://msnews.github.io",
        licence="Microsoft Research License Terms: research use; see publisher terms",
        redistributable=False,
        files=("**/news.tsv", "**/behaviors.tsv"),
        liked=1.0,  # a click is all that is published
        ordered=True,
        reader="datagen.datasets.mind:read",
    ),
    Dataset(
        name="amazon_music",
        domain="music",
        publisher="J. McAuley's group, UC San Diego (Amazon review data 2018, Digital Music)",
        home="https://nijianmo.github.io/amazon/",
        licence="no licence stated with the files; see publisher terms",
        redistributable=False,
        files=(_AMAZON_META, _AMAZON_REVIEWS),
        liked=4.0,  # of 5 stars: the publisher's own words for 4 are "I like it"
        ordered=True,
        reader="datagen.datasets.amazon:read",
    ),
    Dataset(
        name="yelp",
        domain="places",
        publisher="Yelp",
        home="https://www.yelp.com/dataset",
        licence="Yelp's dataset terms: academic use, no redistribution; see publisher terms",
        redistributable=False,
        files=("yelp_academic_dataset_business.json", "yelp_academic_dataset_review.json"),
        liked=4.0,  # of 5 stars: above the mean of about 3.7
        ordered=True,
        reader="datagen.datasets.yelp:read",
    ),
    Dataset(
        name="anime",
        domain="anime",
        publisher="CooperUnion (Anime Recommendations Database)",
        home="https://www.kaggle.com/datasets/CooperUnion/anime-recommendations-database",
        licence="CC0 on the publisher's page",
        redistributable=True,
        files=("anime.csv", "rating.csv"),
        liked=8.0,  # of 10: the mean rating is 7.8, so 8 is the first whole point above it
        ordered=False,
        reader="datagen.datasets.anime:read",
    ),
    Dataset(
        name="books",
        domain="books",
        publisher="C.-N. Ziegler's Book-Crossing crawl (Book Recommendation Dataset)",
        home="https://www.kaggle.com/datasets/arashnic/book-recommendation-dataset",
        licence="CC0 on the publisher's page",
        redistributable=True,
        files=("Books.csv", "Ratings.csv", "?Users.csv"),
        liked=7.0,  # of 10: three in four are 0 (none given), and a stricter bound would leave few histories
        ordered=False,
        reader="datagen.datasets.books:read",
    ),
    Dataset(
        name="movielens",
        domain="movies",
        publisher="GroupLens, University of Minnesota",
        home="https://grouplens.org/datasets/movielens/latest/",
        licence="research, non-commercial; redistribution under the same terms (see its README.txt)",
        redistributable=True,
        files=("movies.csv", "ratings.csv"),
        liked=4.0,  # of 5 stars: above the mean of 3.5
        ordered=True,
        reader="datagen.datasets.movielens:read",
    ),
    Dataset(
        name="steam",
        domain="games",
        publisher="J. McAuley's group, UC San Diego (Steam video game and bundle data)",
        home="https://cseweb.ucsd.edu/~jmcauley/datasets.html#steam_data",
        licence="no licence stated with the files; see publisher terms",
        redistributable=False,
        files=(
            "steam_games.json|steam_games.json.gz",
            "australian_users_items.json|australian_users_items.json.gz",
        ),
        liked=2.0,  # hours played: past two hours the shop takes no game back
        ordered=False,
        reader="datagen.datasets.steam:read",
    ),
    Dataset(
        name="amazon",
        domain="goods",
        publisher="McAuley Lab, UC San Diego (Amazon Reviews 2023)",
        home="https://amazon-reviews-2023.github.io",
        licence="no licence stated with the files; see publisher terms",
        redistributable=False,
        files=(_AMAZON_META, _AMAZON_REVIEWS),
        liked=4.0,  # of 5 stars, as for music
        ordered=True,
        reader="datagen.datasets.amazon:read",
    ),
)


def find(name: str) -> Dataset:
    """The dataset of that name.

    Raises:
        UserError: there is none; names the nearest one.
    """
    known = {dataset.name: dataset for dataset in DATASETS}
    if name in known:
        return known[name]
    near = difflib.get_close_matches(name.lower(), known, n=1, cutoff=0.5)
    guess = f", did you mean {near[0]}?" if near else ""
    mend = f"there are: {', '.join(known)}"
    raise UserError(f"unknown dataset {name!r}{guess}", where="data.datasets", mend=mend)


def files(dataset: Dataset, root: Path) -> list[Path]:
    """The raw files that reading this dataset depends on, sorted.

    Raises:
        UserError: the folder or a needed file is missing.
    """
    return sorted(path for group in by_pattern(dataset, root) for path in group)


def by_pattern(dataset: Dataset, root: Path) -> list[list[Path]]:
    """The raw files, one sorted list for each of the dataset's patterns; see `files`."""
    folder = root / dataset.name
    if not folder.is_dir():
        wanted = ", ".join(pattern.lstrip("?").split("|")[0] for pattern in dataset.files)
        mend = f"get {wanted} from {dataset.home} and put them there"
        raise UserError("no such folder", where=str(folder), mend=mend)
    taken: set[Path] = set()
    groups = []
    for pattern in dataset.files:
        group = _matches(folder, pattern.lstrip("?").split("|"), taken)
        if not group and not pattern.startswith("?"):
            found = f"has no file {pattern.replace('|', ' or ')}"
            raise UserError(found, where=str(folder), mend=f"get it from {dataset.home}")
        taken.update(group)
        groups.append(group)
    return groups


def _matches(folder: Path, patterns: Iterable[str], taken: set[Path]) -> list[Path]:
    found = {path for pattern in patterns for path in folder.glob(pattern) if path.is_file()}
    packed = {path for path in found if path.suffix == ".gz" and path.with_suffix("") in found}
    return sorted(found - packed - taken)
