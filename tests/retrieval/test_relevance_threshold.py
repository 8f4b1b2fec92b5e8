from pathlib import Path

import numpy as np
import pytest

from rectune.core.types import Item
from rectune.retrieval.grounding import Grounding, ground_in
from rectune.retrieval.relevance_threshold import FOREIGN, threshold_of

FILMS = (
    (
        "Journey to Mars",
        "science fiction",
        "Astronauts fly a rocket to the red planet and are stranded there.",
    ),
    ("Moon Landing", "science fiction", "A crew in a space capsule sets down on the moon."),
    ("Galaxy War", "science fiction", "Spaceships fight a war between the stars."),
    ("Alien Planet", "science fiction", "Explorers meet life on a far planet."),
    ("The French Chef", "cooking", "A chef in Paris teaches how to cook at home."),
    ("Baking Bread", "cooking", "Bakers show how bread and cakes are made."),
    ("Pasta Kitchen", "cooking", "An Italian family cooks pasta in its restaurant."),
    ("Sushi Master", "cooking", "An old cook in Tokyo and his sushi."),
    ("The Last Dance", "romance", "A dancer and a pianist fall in love in Vienna."),
    ("Letters to Anna", "romance", "Two lovers write to each other through a war."),
    ("The Detective", "crime", "A detective hunts a murderer in a rainy city."),
    ("Bank Job", "crime", "Thieves dig a tunnel into a bank."),
)


@pytest.fixture(scope="module")
def grounding(tmp_path_factory: pytest.TempPathFactory) -> Grounding:
    items = [Item("movies", str(n), title, (genre,), text) for n, (title, genre, text) in enumerate(FILMS)]
    items.append(Item("few", "1", "Lamp"))
    return ground_in(items, tmp_path_factory.mktemp("floor"), "embedded")


@pytest.mark.parametrize(
    "query",
    [
        "astronauts stranded on another planet",
        "a love story with music",
        "thieves who rob a bank",
        "something about cooking Italian food",
        "war in space",
        "a murder mystery",
    ],
)
def test_what_the_catalogue_has_lies_above_the_threshold(grounding: Grounding, query: str):
    assert grounding.fit([query], "movies") >= grounding.min_similarity("movies")


@pytest.mark.parametrize(
    "query",
    [
        "repair a leaking dishwasher hose",
        "income limits for housing benefit",
        "how to merge two branches in git",
        "side effects of antibiotics",
        "gear ratio of a road bicycle",
        "opening hours of the town hall",
    ],
)
def test_planted_queries_that_are_not_of_the_catalogue_lie_below_it(grounding: Grounding, query: str):
    assert query not in FOREIGN["en"]
    assert grounding.fit([query], "movies") < grounding.min_similarity("movies")


def test_a_catalogue_of_hardly_anything_has_no_threshold(grounding: Grounding):
    assert grounding.min_similarity("few") == grounding.min_similarity("unknown") == -1.0
    assert grounding.fit(["x"], "unknown") == grounding.fit([" "], "movies") == -1.0


def test_the_threshold_is_the_upper_end_of_foreign_queries_but_never_above_what_items_have_among_themselves():
    rng = np.random.default_rng(0)
    items = [str(n) for n in range(40)]
    alike = rng.standard_normal((1, 8)) + 0.1 * rng.standard_normal((40, 8))
    apart = np.eye(40, 48)
    for vectors, foreign, low, high in (
        (alike, -alike[:5], -1.01, -0.9),  # foreign queries are opposite: the threshold is theirs
        (alike, alike[:5] + 0.3, 0.5, 1.0),
        (apart, apart[:5] + 0.01, -0.01, 0.01),  # items have nothing in common: nothing is refused
    ):
        unit = (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)
        strange = (foreign / np.linalg.norm(foreign, axis=1, keepdims=True)).astype(np.float32)
        assert low <= threshold_of(items, unit, strange) <= high


def test_chunks_of_one_item_are_no_neighbours_of_it():
    vectors = np.eye(6, dtype=np.float32)[[0, 0, 1, 1, 2, 2]]
    foreign = np.ones((1, 6), np.float32)
    assert threshold_of(["a", "a", "b", "b", "c", "c"], vectors, foreign) == 0.0


def test_thresholds_outlive_the_process(grounding: Grounding, tmp_path: Path):
    items = [Item("movies", str(n), title, (genre,), text) for n, (title, genre, text) in enumerate(FILMS)]
    first = ground_in(items, tmp_path, "embedded").min_similarity("movies")
    assert ground_in(items, tmp_path, "embedded").min_similarity("movies") == first > 0
