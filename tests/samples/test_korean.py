"""The sample of Korean films: facts that parse, titles that are found, tastes to be learnt, a recipe."""

import csv
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from rectune.core.artifacts import ArtifactStore
from rectune.core.recipe import load_recipe
from rectune.core.rows import read_rows
from rectune.core.types import Example, Item
from rectune.pipeline.plan import make_plan
from rectune.prompts.title_index import TitleIndex
from rectune.rankers.base import ranker_class
from rectune.rankers.domain_data import DomainData, TrainLikes
from rectune.readers.catalogue import CatalogueOptions, read_catalogue
from rectune.retrieval.index import build_index
from rectune.retrieval.search import CatalogueIndex

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))  # the checkout may not be installed

from samples.domains import DOMAINS, build  # noqa: E402

FILMS = ROOT / "samples" / "korean" / "films.csv"
RECIPE = ROOT / "recipes" / "demo-ko.yaml"
FACTS = ("감독", "출연", "배경", "소재")
FOLDS = 5


@pytest.fixture(scope="module")
def films() -> list[Item]:
    return read_catalogue(FILMS, CatalogueOptions("movies", facts=FACTS)).items


@pytest.fixture(scope="module")
def index(films: list[Item], tmp_path_factory: pytest.TempPathFactory) -> CatalogueIndex:
    return build_index(films, tmp_path_factory.mktemp("index"), "embedded")


def test_columns_are_guessed_from_their_korean_names_and_nothing_is_left_out(films: list[Item]) -> None:
    read = read_catalogue(FILMS, CatalogueOptions("movies", facts=FACTS))
    assert read.columns.taken == {
        "title": "제목", "item_id": "번호", "categories": "장르", "description": "설명", "year": "연도"
    }  # fmt: skip
    assert len(films) == 60 and not read.drops.counts and not read.columns.unused


def test_every_fact_parses(films: list[Item]) -> None:
    with FILMS.open(encoding="utf-8", newline="") as lines:
        rows = list(csv.DictReader(lines))
    for film, row in zip(films, rows, strict=True):
        assert film.year is not None and 1990 <= film.year <= 2024
        assert film.categories == tuple(row["장르"].split("|")) and "" not in film.categories
        assert film.facts == tuple(f"{name}: {row[name]}" for name in FACTS if row[name])
        assert row["감독"] and re.fullmatch(r"[가-힣 .]+(, [가-힣 .]+)*", row["출연"])
        assert re.search(r"[.]$", film.description) and 20 <= len(film.description) <= 100


def test_titles_are_unique_under_each_of_their_names(films: list[Item]) -> None:
    titles = TitleIndex(films)
    assert len(titles.distinct) == 60 and len({place for place, _ in titles.others.titles}) == 21
    assert (titles.others.taken, titles.others.shared) == (0, 0)
    for film in films:
        assert [item.item_id for item in titles.called(film.title)] == [film.item_id]


@pytest.mark.parametrize(
    ("words", "title"),
    [
        ("외계인이 지구를 노린다고 믿는 청년", "지구를 지켜라!"), ("반지하 가족", "기생충 (Parasite)"),
        ("무당과 풍수사", "파묘"), ("우체통으로 편지", "시월애(時越愛)"), ("정약전", "자산어보"),
        ("마석도 베트남", "범죄도시2"), ("기생충", "기생충 (Parasite)"), ("parasite", "기생충 (Parasite)"),
        ("부산행", "부산행 (Train to Busan)"), ("train to busan", "부산행 (Train to Busan)"),
        ("鳴梁", "명량(鳴梁)"), ("명량", "명량(鳴梁)"), ("JSA", "공동경비구역 JSA"), ("1987", "1987"),
    ],
)  # fmt: skip
@pytest.mark.slow
def test_a_search_finds_films_by_description_and_by_both_names(
    index: CatalogueIndex, words: str, title: str
) -> None:
    assert index.find([words], "movies", k=1)[0].title == title


@pytest.mark.slow
def test_words_that_only_ask_find_nothing_by_themselves(index: CatalogueIndex) -> None:
    asked = index.find(["송강호 나오는 영화 추천해 줘"], "movies", k=5)
    played = {film.title for film in read_catalogue(FILMS, CatalogueOptions("movies", facts=FACTS)).items
              if any("송강호" in fact for fact in film.facts)}  # fmt: skip
    assert {hit.title for hit in asked} <= played
    assert index.share_found("송강호 나오는 영화", "movies") == index.share_found("좀비", "movies") == 1.0
    assert index.share_found("나오는 영화 추천해 줘", "movies") == 0.0
    assert index.share_found("여권 재발급 신청", "movies") == index.share_found("좀비", "books") == 0.0


def test_item_knn_learns_more_of_it_than_popularity() -> None:
    """The rank of each user's last like among films never taken, fitted on the likes of other users."""
    popular, neighbours = mean_reciprocal_rank("popularity"), mean_reciprocal_rank("item_knn")
    assert neighbours > 1.5 * popular


def mean_reciprocal_rank(ranker: str) -> float:
    world, least = build("korean"), DOMAINS["korean"].liked
    ids = tuple(item.id for item in world.items)
    acts = [world.of_user(user) for user in range(len(world.users))]
    liked = [[act.item for act in own if act.value >= least] for own in acts]
    found = list[float]()
    for fold in range(FOLDS):
        pairs = np.array([(u, item) for u, own in enumerate(liked) if u % FOLDS != fold for item in own])
        likes = TrainLikes(ids, pairs[:, 0], pairs[:, 1])
        data = DomainData("movies", [Item("movies", name, name) for name in ids], lambda likes=likes: likes)
        fitted = ranker_class(ranker)().fit(data)
        for user in range(fold, len(liked), FOLDS):
            taken = {act.item for act in acts[user]}
            candidates = [liked[user][-1], *(set(range(len(ids))) - taken)]
            [scores] = fitted.score(
                [[ids[item] for item in liked[user][:-1]]], [[ids[item] for item in candidates]]
            )
            ahead = (scores[1:] > scores[0]).sum() + 0.5 * (scores[1:] == scores[0]).sum()
            found.append(1 / (1 + float(ahead)))
    return sum(found) / len(found)


def test_the_recipe_plans_every_stage(tmp_path: Path) -> None:
    steps = make_plan(load_recipe(RECIPE), ArtifactStore(tmp_path), "push")
    assert all(step.cache_key is not None for step in steps)


@pytest.mark.slow
def test_the_recipe_runs_from_the_files_to_filtered_rows(tmp_path: Path) -> None:
    cheap = ["models.base=tiny", "data.train=12", "data.preference=4", "data.test=4"]
    command = [sys.executable, "-m", "rectune.cli.main", "run", str(RECIPE), "--until", "filter"]
    answer = subprocess.run(
        [*command, "--runs", str(tmp_path), *cheap], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert answer.returncode == 0, answer.stdout + answer.stderr
    rows = read_rows(ArtifactStore(tmp_path).resolve("demo-ko", "filter") / "kept.parquet", Example)
    assert 8 <= len(rows) <= 12  # reasons for one film that two people took are nearly equal
    for row in rows:
        assert "해요" in row.response or "예요" in row.response or "돼요" in row.response
        assert "추천: " in row.response or "순위:\n1. " in row.response
