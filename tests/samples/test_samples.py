"""The sample data: the same bytes everywhere, small, and neither trivial nor without a pattern to learn."""

import ast
import csv
import json
import math
import re
import sys
from collections import Counter
from collections.abc import Callable
from functools import cache
from pathlib import Path
from random import Random

import pytest

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))  # the checkout may not be installed

from samples.domains import DOMAINS, build  # noqa: E402
from samples.make_samples import main  # noqa: E402
from samples.taste import World  # noqa: E402

SAMPLES = ROOT / "samples"
DATASETS = sorted(DOMAINS)
FEWER_USERS = {"korean": 50}  # of 60: whoever reads its answers should be able to know all of it
Scorer = Callable[[int], float]


@cache
def world_of(dataset: str) -> World:
    return build(dataset)


def csv_column(path: Path, column: str) -> list[str]:
    with path.open(encoding="utf-8", newline="") as lines:
        return [row[column] for row in csv.DictReader(lines)]


def json_column(path: Path, column: str) -> list[str]:
    return [json.loads(line)[column] for line in path.read_text(encoding="utf-8").splitlines()]


def literal_column(path: Path, column: str) -> list[str]:
    """Python literals, a dict a line; a key may be missing."""
    rows = [ast.literal_eval(line) for line in path.read_text(encoding="utf-8").splitlines()]
    return [row[column] for row in rows if column in row]


def tab_column(path: Path, column: int) -> list[str]:
    return [line.split("\t")[column] for line in path.read_text(encoding="utf-8").split("\n")[:-1]]


def titles_and_users(dataset: str) -> tuple[list[str], list[str]]:
    """What the written files say, read without any code of the writers."""
    at = SAMPLES / dataset
    match dataset:
        case "mind":
            return tab_column(at / "news.tsv", 3), tab_column(at / "behaviors.tsv", 1)
        case "amazon_music":
            reviewers = json_column(at / "Digital_Music.json", "reviewerID")
            return json_column(at / "meta_Digital_Music.json", "title"), reviewers
        case "yelp":
            names = json_column(at / "yelp_academic_dataset_business.json", "name")
            return names, json_column(at / "yelp_academic_dataset_review.json", "user_id")
        case "anime":
            return csv_column(at / "anime.csv", "name"), csv_column(at / "rating.csv", "user_id")
        case "books":
            return csv_column(at / "Books.csv", "Book-Title"), csv_column(at / "Ratings.csv", "User-ID")
        case "movielens":
            return csv_column(at / "movies.csv", "title"), csv_column(at / "ratings.csv", "userId")
        case "movies_dataset":
            titles = filter(None, csv_column(at / "movies_metadata.csv", "title"))
            return list(titles), csv_column(at / "ratings.csv", "userId")
        case "korean":
            return csv_column(at / "films.csv", "제목"), csv_column(at / "ratings.csv", "회원번호")
        case "steam":
            names = literal_column(at / "steam_games.json", "app_name")
            return names, literal_column(at / "australian_users_items.json", "user_id")
    names = [name for path in sorted(at.glob("meta_*.jsonl")) for name in json_column(path, "title")]
    reviews = (path for path in sorted(at.glob("*.jsonl")) if not path.name.startswith("meta_"))
    return names, [user for path in reviews for user in json_column(path, "user_id")]


def hit_at_1(dataset: str, scorer: Callable[[World, int, list[int], Counter[int]], Scorer]) -> float:
    """The user's last liked item among 19 random items never taken. Ties count as a share."""
    world, liked, random = world_of(dataset), DOMAINS[dataset].liked, Random(dataset)
    cases = []
    for user in range(len(world.users)):
        acts = world.of_user(user)
        good = [act.item for act in acts if act.value >= liked]
        unseen = sorted(set(range(len(world.items))) - {act.item for act in acts})
        cases.append((user, good[:-1], good[-1], unseen))
    taken = Counter(act.item for act in world.acts)
    taken.subtract(target for _, _, target, _ in cases)
    hits = []
    for user, history, target, unseen in cases * 3:
        score = scorer(world, user, history, taken)
        rivals = [score(item) for item in random.sample(unseen, 19)]
        best = score(target) >= max(rivals)
        hits.append(best / (1 + sum(rival == score(target) for rival in rivals)))
    return sum(hits) / len(hits)


def by_popularity(world: World, user: int, history: list[int], taken: Counter[int]) -> Scorer:
    return lambda item: taken[item]


def by_genre(world: World, user: int, history: list[int], taken: Counter[int]) -> Scorer:
    """Overlap of the candidate's categories with the history's, scaled by how many the candidate has."""
    likes = Counter(facet for item in history for facet in world.items[item].facets)
    facets = [item.facets for item in world.items]
    return lambda item: sum(likes[facet] for facet in facets[item]) / math.sqrt(len(facets[item]))


def by_true_affinity(world: World, user: int, history: list[int], taken: Counter[int]) -> Scorer:
    return lambda item: world.affinity(user, item)


def test_regenerating_gives_the_same_bytes(tmp_path: Path) -> None:
    main(tmp_path)
    written = sorted(path.relative_to(tmp_path) for path in tmp_path.rglob("*") if path.is_file())
    committed = [
        path.relative_to(SAMPLES)
        for name in DATASETS
        for path in (SAMPLES / name).rglob("*")
        if path.is_file()
    ]
    assert written == sorted(committed)
    for name in written:
        assert (tmp_path / name).read_bytes() == (SAMPLES / name).read_bytes(), name


def test_all_of_it_stays_under_two_megabytes() -> None:
    folders = [SAMPLES / name for name in ("facts", *DATASETS)]
    assert sum(path.stat().st_size for folder in folders for path in folder.iterdir()) < 2_000_000


@pytest.mark.parametrize("dataset", DATASETS)
def test_files_hold_enough_items_and_users(dataset: str) -> None:
    titles, users = titles_and_users(dataset)
    assert len(titles) >= 60
    assert len(set(users)) >= FEWER_USERS.get(dataset, 80)


@pytest.mark.parametrize("dataset", sorted(DOMAINS.keys() - {"korean"}))
def test_about_a_tenth_of_the_titles_is_korean(dataset: str) -> None:
    titles, _ = titles_and_users(dataset)
    korean = [title for title in titles if re.search("[가-힣]", title)]
    assert 0.08 <= len(korean) / len(titles) <= 0.15


@pytest.mark.parametrize("dataset", DATASETS)
def test_most_users_like_enough_for_a_prompt(dataset: str) -> None:
    world, liked = world_of(dataset), DOMAINS[dataset].liked
    counts = Counter(act.user for act in world.acts if act.value >= liked)
    assert sum(count >= 8 for count in counts.values()) >= FEWER_USERS.get(dataset, 80)
    assert all(10 <= len(world.of_user(user)) <= 25 for user in counts)


@pytest.mark.parametrize("dataset", DATASETS)
def test_no_one_line_ranker_solves_it_and_there_is_taste_to_learn(dataset: str) -> None:
    popularity, genre = hit_at_1(dataset, by_popularity), hit_at_1(dataset, by_genre)
    oracle = hit_at_1(dataset, by_true_affinity)
    print(f"{dataset}: popularity {popularity:.2f}, genre {genre:.2f}, true affinity {oracle:.2f}")
    assert popularity < 0.6
    assert genre < 0.6
    assert oracle > 0.5  # chance is 0.05
    assert oracle > max(popularity, genre) + 0.15


def test_planted_quirks_are_in_the_files() -> None:
    for path, words in {
        "mind/behaviors.tsv": "N99999",
        "amazon_music/meta_Digital_Music.json": "&amp;",
        "amazon_music/Digital_Music.json": '"vote": "1,024"',
        "yelp/yelp_academic_dataset_business.json": '"categories": null',
        "anime/anime.csv": "Gintama&#039;",
        "anime/rating.csv": ",-1\n",
        "books/Books.csv": "Les MisÃ©rables",
        "movielens/movies.csv": "(no genres listed)",
        "movies_dataset/movies_metadata.csv": ",1997-08-20,0,104.0,",
        "movies_dataset/credits.csv": "'profile_path': None",
        "movies_dataset/links.csv": ",950329.0\n",
        "steam/steam_games.json": "u'price': u'Free to Play'",
        "amazon/meta_Electronics.jsonl": '"price": null',
    }.items():
        assert words in (SAMPLES / path).read_text(encoding="utf-8"), path
