"""What is recommended: by whose likes, what never comes, what comes last, and what is said of it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from rectune.recommender.recommender import Recommender
from rectune.serving.store import feedback, recommendations, users
from tests.recommender.shelf import by_words
from tests.serving.world import World, shown, world

ALL = {"11", "12", "13", "14", "15", "16"}


def test_feedback_counts_at_the_very_next_request(server: World):
    ann = server.user("newcomer")
    first = server.ask(user=ann, n=2)
    assert first["strategy"] == "popular" and shown(first) == ["11", "13"]  # three people like each
    server.say(ann, "like", "14")
    second = server.ask(user=ann, n=1)
    assert second["strategy"] == "history" and shown(second) == ["15"]
    assert second["items"][0]["evidence"]["item_ids"] == ["14"]


@pytest.mark.parametrize("type", ["seen", "dislike", "hide"])
@pytest.mark.parametrize("asked", [{}, {"query": "Moon"}, {"history": ["Bread Baking"]}])
def test_what_was_seen_disliked_or_hidden_never_comes(server: World, type: str, asked: dict[str, Any]):
    eve = server.user("newcomer")
    server.say(eve, "like", "11")
    assert "13" in shown(server.ask(user=eve, n=50, **asked))
    server.say(eve, type, "13", "12")
    for _ in range(3):
        assert not {"13", "12", "11"} & set(shown(server.ask(user=eve, n=50, **asked)))


def test_what_was_shown_without_a_reaction_comes_last(server: World):
    eve = server.user("newcomer")
    server.say(eve, "like", "11")
    order = shown(server.ask(user=eve, n=5))
    assert sorted(order) == sorted(ALL - {"11"})
    other = server.user("another")
    server.say(other, "like", "11")
    first = shown(server.ask(user=other, n=2))
    second = server.ask(user=other, n=5)
    assert first == order[:2] and shown(second) == [*order[2:], *order[:2]]
    assert all(item["reason"] for item in second["items"])


def test_a_query_is_answered_by_what_fits_it_shown_before_or_not(server: World):
    eve = server.user("newcomer")
    first, second = (shown(server.ask(user=eve, query="Harbour", n=1)) for _ in range(2))
    assert first == second == ["16"]


def test_a_user_of_the_run_has_the_history_of_the_run(server: World):
    answer = server.ask(user="ann", n=1)  # liked 11 and 13
    assert answer["strategy"] == "history" and shown(answer) == ["12"]
    server.say("ann", "dislike", "11")
    server.say("ann", "dislike", "13")
    assert server.ask(user="ann", n=1)["strategy"] == "popular"


def test_again_leaves_out_what_the_whole_chain_has_shown(server: World):
    found, answer = [], server.ask(history=["Moon Landing"], n=2)
    for _ in range(2):
        found += shown(answer)
        more = server.client.post(f"/api/v1/recommend/{answer['id']}/again", json={}).json()
        assert more["previous"] == answer["id"] and more["strategy"] == "history"
        answer = more
    found += shown(answer)
    assert sorted(found) == sorted(ALL - {"11"})


def test_again_keeps_the_conditions_of_the_question(server: World):
    answer = server.ask(query="film", n=1, where={"year": {"gte": 1995, "lte": 1999}}, explain=0)
    more = server.client.post(f"/api/v1/recommend/{answer['id']}/again", json={"n": 5}).json()
    assert set(shown(answer) + shown(more)) == {"12", "13"}
    assert not any(item["reason"] for item in more["items"])


def test_an_answer_goes_on_only_for_whom_it_was_given_to(server: World):
    server.user("one")
    server.user("two")
    answer = server.ask(user="one", n=1)
    again = f"/api/v1/recommend/{answer['id']}/again"
    assert [server.client.post(again, json=body).status_code for body in ({}, {"user": "two"})] == [404, 404]
    assert server.client.post(again, json={"user": "one"}).status_code == 200


@pytest.mark.parametrize(
    "conditions, expected",
    [
        ({"categories": ["cooking"]}, {"14", "15"}),
        ({"where": {"maker": "Acme"}}, {"11", "13"}),
        ({"where": {"maker": ["Acme", "Quay"]}}, {"11", "13", "16"}),
        ({"where": {"year": 1995}}, {"12"}),
        ({"where": {"year": {"gte": 1999}}}, {"13", "14", "15"}),
        ({"exclude": ["11", "12", "13"]}, {"14", "15", "16"}),
        ({"categories": ["Space"], "where": {"year": {"lte": 1995}}, "exclude": ["11"]}, {"12"}),
    ],
)
def test_conditions_hold_for_every_strategy(server: World, conditions: dict[str, Any], expected: set[str]):
    assert set(shown(server.ask(n=50, **conditions))) == expected
    assert set(shown(server.ask(n=50, history=["Something else"], **conditions))) == expected


def test_a_condition_that_nothing_meets_is_told(server: World):
    for where in ({"maker": "Nobody"}, {"price": {"lte": 5}}, {"year": {"gte": 3000}}):
        answer = server.client.post("/api/v1/recommend", json={"where": where})
        assert answer.status_code == 400 and next(iter(where)) in answer.json()["error"]["message"]


def test_without_any_likes_the_order_of_the_catalogue_stands_and_is_called_so(tmp_path: Path):
    with world(by_words(tmp_path / "words"), tmp_path) as server:
        answer = server.ask(n=3)
        assert answer["strategy"] == "catalogue_order" and shown(answer) == ["11", "12", "13"]
        server.say(server.user("fan"), "like", "16")
        answer = server.ask(n=3)
        assert answer["strategy"] == "popular" and shown(answer)[0] == "16"
        assert answer["items"][0]["evidence"] is None  # one person is not told of


def test_reasons_are_given_to_as_many_as_are_asked_for(server: World):
    for explain, expected in ((True, 3), (2, 2), (0, 0), (False, 0)):
        answer = server.ask(history=["Moon Landing"], n=3, explain=explain)
        assert [bool(item["reason"]) for item in answer["items"]] == [True] * expected + [False] * (
            3 - expected
        )
        assert {item["reasons_by"] for item in answer["items"][:expected]} <= {"template"}


def test_titles_that_the_catalogue_lacks_are_told(server: World):
    assert server.ask(history=["Moon Landing", "Zzyzx"], n=1)["not_found"] == ["Zzyzx"]


def test_what_was_shown_is_kept_and_feedback_may_name_it(server: World):
    server.user("newcomer")
    answer = server.ask(user="newcomer", n=2)
    entry = {"user": "newcomer", "item": "11", "type": "click", "recommendation": answer["id"]}
    assert server.client.put("/api/v1/feedback", json=entry).json()["added"] == 1
    with server.database.reading() as session:
        row, items = recommendations.find(session, answer["id"]) or pytest.fail()
        owner = users.get(session, "newcomer")
        assert row.user_id == owner.id and [one.item_id for one in items] == shown(answer)
        assert feedback.shown_without_reaction(session, owner.id) == ["13"]


def test_a_deleted_user_is_gone(server: World):
    server.user("newcomer")
    server.say("newcomer", "like", "14")
    answer = server.ask(user="newcomer", query="canary words", n=2)
    exported = server.client.get("/api/v1/users/newcomer/export")
    assert "canary words" in exported.text and '"14"' in exported.text
    assert server.client.delete("/api/v1/users/newcomer").status_code == 204
    gone = [
        server.client.get("/api/v1/users/newcomer"),
        server.client.get("/api/v1/feedback", params={"user": "newcomer"}),
        server.client.post("/api/v1/recommend", json={"user": "newcomer"}),
        server.client.post(f"/api/v1/recommend/{answer['id']}/again", json={"user": "newcomer"}),
    ]
    assert [one.status_code for one in gone] == [404] * 4
    with server.database.reading() as session:
        assert recommendations.find(session, answer["id"]) is None
        assert feedback.like_counts(session) == {}


def test_a_run_without_a_user_does_not_know_them(recommender: Recommender, tmp_path: Path):
    with world(recommender, tmp_path) as server:
        assert server.client.post("/api/v1/recommend", json={"user": "zoe"}).status_code == 404


def test_sentences_are_in_the_language_that_is_asked_for(server: World):
    for asked in ({"history": ["Moon Landing"]}, {"query": "bread"}, {}):
        for locale, letters in (("ko", True), ("en", False)):
            (item,) = server.ask(n=1, locale=locale, **asked)["items"]
            told = item["reason"] + (item["evidence"] or {}).get("text", "")
            assert any("가" <= letter <= "힣" for letter in told) == letters
    assert server.client.post("/api/v1/recommend", json={"locale": "fr"}).status_code == 422


def test_a_share_of_the_places_goes_to_unfamiliar_items(tmp_path: Path):
    with world(by_words(tmp_path / "words"), tmp_path) as server:
        asked = {"history": ["Moon Landing", "Rocket Pilots"], "query": "bread", "n": 2}
        plain, explored = server.ask(**asked), server.ask(**asked, explore=0.5)
        assert not any(item["explored"] for item in plain["items"])
        (new,) = [item for item in explored["items"] if item["explored"]]
        assert new["categories"] == ["Cooking"]
        again = server.client.post(f"/api/v1/recommend/{explored['id']}/again", json={}).json()
        assert len(again["items"]) == 2  # goes on with the same question
    assert server.client.post("/api/v1/recommend", json={"explore": 2}).status_code == 422


def test_tastes_count_where_nothing_is_liked_or_asked_for(server: World):
    eve = server.user("newcomer", tastes=["Cooking", "war"])
    answer = server.ask(user=eve, n=3)
    assert answer["strategy"] == "tastes" and set(shown(answer)) == {"14", "15", "12"}
    assert server.ask(user=eve, n=1, query="Harbour")["strategy"] == "query"
    assert server.ask(user=eve, n=1, history=["Moon Landing"])["strategy"] == "history"
    server.say(eve, "like", "11")
    assert server.ask(user=eve, n=1)["strategy"] == "history"
