"""Two rankers side by side: who gets which, that nobody changes sides, and what is kept of it."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rectune.core.errors import UserError
from rectune.recommender.recommender import Recommender
from rectune.serving.comparison import Comparison
from rectune.serving.config import ServerConfig
from rectune.serving.loading import load_compared
from rectune.serving.store import recommendations
from tests.recommender.shelf import by_words
from tests.serving.test_catalogue import done
from tests.serving.world import World, shown, world

BOTH = Comparison("item_knn", "bm25")


def of_each_arm() -> tuple[str, str]:
    """Two users: one of the first ranker, one of the second."""
    names = [f"user{at}" for at in range(20)]
    return next(n for n in names if BOTH.arm_of(n) == "item_knn"), next(
        n for n in names if BOTH.arm_of(n) == "bm25"
    )


def arm_kept(server: World, id: str) -> tuple[str | None, str | None]:
    """What the store knows of an answer's ranker."""
    with server.database.reading() as session:
        found = recommendations.find(session, id)
    assert found
    return found[0].experiment, found[0].arm


@given(st.text(max_size=50))
def test_the_arm_is_a_function_of_experiment_and_user(user: str):
    first = BOTH.arm_of(user)
    assert first == Comparison("item_knn", "bm25").arm_of(user)
    digest = hashlib.sha256(f"item_knn or bm25\0{user}".encode(errors="surrogatepass")).hexdigest()
    assert (first == "bm25") == (digest[0] in "89abcdef")


def test_ten_thousand_users_are_split_in_halves_and_anew_by_each_experiment():
    users = [f"user{at}" for at in range(10_000)]
    one = [BOTH.arm_of(user) == "bm25" for user in users]
    other = [Comparison("item_knn", "ease").arm_of(user) == "ease" for user in users]
    # Four standard deviations of a fair coin: 4 * sqrt(10,000) / 2 = 200.
    assert abs(sum(one) - 5_000) < 200 and abs(sum(other) - 5_000) < 200
    assert abs(sum(a == b for a, b in zip(one, other, strict=True)) - 5_000) < 200
    assert BOTH.arm_of(None) is None


def test_each_user_gets_their_ranker_and_it_is_kept(recommender: Recommender, tmp_path: Path):
    words = by_words(tmp_path / "words")
    assert words.ranker
    with world(recommender, tmp_path, compared=words.ranker) as server:
        first, second = of_each_arm()
        for user, arm in ((first, "item_knn"), (second, "bm25")):
            server.user(user)
            popular = server.ask(user=user)
            assert arm_kept(server, popular["id"]) == (None, None)  # no ranker ranked
            server.say(user, "like", "11")
            for _ in range(3):
                answer = server.ask(user=user, n=1)
                assert answer["ranked_by"] == f"history: {arm}"
                assert arm_kept(server, answer["id"]) == ("item_knn or bm25", arm)
            more = server.client.post(f"/api/v1/recommend/{answer['id']}/again", json={"user": user}).json()
            assert more["ranked_by"] == f"history: {arm}"
        nobody = server.ask(history=["11"], n=1)
        assert nobody["ranked_by"] == "history: item_knn"
        assert arm_kept(server, nobody["id"]) == (None, None)


def test_users_of_the_second_ranker_get_its_order(recommender: Recommender, tmp_path: Path):
    """Whoever liked 11 liked 13; by words 12 is nearer to it, which has the moon in its title too."""
    words = by_words(tmp_path / "words")
    assert words.ranker
    with world(recommender, tmp_path, compared=words.ranker) as server:
        first, second = of_each_arm()
        found = {}
        for user in (first, second):
            server.user(user)
            server.say(user, "like", "11")
            found[user] = shown(server.ask(user=user, n=2))
        assert found == {first: ["13", "12"], second: ["12", "13"]}


def test_without_a_second_ranker_nothing_is_kept(server: World):
    server.user("ann2")
    server.say("ann2", "like", "11")
    assert arm_kept(server, server.ask(user="ann2", n=1)["id"]) == (None, None)


def test_new_items_are_ranked_by_both(recommender: Recommender, tmp_path: Path):
    words = by_words(tmp_path / "words")
    assert words.ranker
    with world(recommender, tmp_path, compared=words.ranker) as server:
        item = {"item_id": "new", "title": "Moon Landing again", "categories": ["Space"]}
        job = done(server, server.client.post("/api/v1/items", json={"items": [item]}))
        assert job["state"] == "done", job
        for user, arm in zip(of_each_arm(), ("item_knn", "bm25"), strict=True):
            server.user(user)
            server.say(user, "like", "11")
            answer = server.ask(user=user, n=50)
            assert "new" in shown(answer) and answer["ranked_by"] == f"history: {arm}"


def config(**settings: str) -> ServerConfig:
    return ServerConfig(catalogue=Path("films.csv"), **settings)  # type: ignore[arg-type]


def test_a_second_ranker_is_fitted_by_its_name(tmp_path: Path):
    words = by_words(tmp_path / "words")
    assert load_compared(config(), words) is None
    found = load_compared(config(compare="random"), words)
    assert found and found.name == "random" and set(found.item_ids) == set(words.items)


@pytest.mark.parametrize(
    ("name", "says"), [("bm25", "ranks already"), ("ease", "needs interactions"), ("bm52", "bm52")]
)
def test_what_cannot_be_compared(tmp_path: Path, name: str, says: str):
    words = by_words(tmp_path / "words")
    with pytest.raises(UserError, match=says) as caught:
        load_compared(config(compare=name), words)
    assert caught.value.where == "--compare"
