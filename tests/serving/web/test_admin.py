"""The admin page: who may see it, and that what it says is what was done."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from rectune.recommender.recommender import Recommender
from rectune.serving.comparison import Comparison
from rectune.serving.positive_feedback import PositiveFeedback
from rectune.serving.store import api_keys, feedback, jobs, recommendations, users
from rectune.serving.store.feedback import FeedbackEntry
from rectune.serving.store.recommendations import ShownItem
from rectune.serving.web.admin import AGES, COOKIE, STATES
from rectune.serving.web.bar_chart import HEIGHT, bars
from rectune.serving.web.texts import translation
from tests.recommender.shelf import by_words
from tests.serving.web.visitors import form, seen, sign_in, text_of
from tests.serving.world import World, world


def new_key(server: World, *scopes: str, name: str = "boss") -> str:
    """A new key."""
    with server.database.writing() as session:
        return api_keys.create(session, name, scopes)


def revoke(server: World, name: str) -> None:
    """End the key of this name."""
    with server.database.writing() as session:
        (row,) = (row for row in api_keys.list_all(session) if row.name == name)
        assert api_keys.revoke(session, row.id)


def opened(server: World, *scopes: str) -> str:
    """Sign in as whoever runs the service; returns the key."""
    key = new_key(server, *(scopes or ("admin",)))
    assert form(server, "/admin", key=key).headers["location"] == "/admin"
    return key


def is_open(server: World) -> bool:
    """Whether the page shows anything."""
    answer = server.client.get("/admin")
    assert answer.status_code == 200
    return "Positive feedback" in answer.text


def test_without_a_key_nothing_shows_and_the_page_says_how_to_make_one(server: World):
    page = seen(server, "/admin")
    assert "rectune keys create NAME --scopes admin" in page and "Positive" not in page
    new_key(server, "items", "users", name="shop")
    assert "keys create" in seen(server, "/admin")  # none of them may do this
    new_key(server, "admin")
    assert "keys create" not in seen(server, "/admin")
    revoke(server, "boss")
    assert "keys create" in seen(server, "/admin")


def test_only_a_key_with_the_scope_opens_it_and_its_cookie_is_the_pages_own(server: World):
    shop, boss = new_key(server, "items", "users", name="shop"), new_key(server, "admin", "items")
    for wrong in ("", "x", shop, boss + "x", boss[:-1]):
        answer = form(server, "/admin", key=wrong)
        assert answer.status_code == 403 and "set-cookie" not in answer.headers
    assert not is_open(server)
    answer = form(server, "/admin", key=f" {boss} ")
    assert (answer.status_code, answer.headers["location"]) == (303, "/admin")
    parts = {part.strip().lower() for part in answer.headers["set-cookie"].split(";")[1:]}
    assert parts == {"httponly", "path=/admin", "samesite=strict"}  # no Max-Age: until the browser is closed
    assert is_open(server)
    assert COOKIE not in server.client.get("/welcome").request.headers.get("cookie", "")
    assert boss not in server.client.get("/admin").text
    form(server, "/admin/leave")
    assert not is_open(server)


def test_the_cookie_is_sent_by_https_only_where_the_page_is(recommender: Recommender, tmp_path: Path):
    with world(recommender, tmp_path, https=True) as server:
        assert "secure" in form(server, "/admin", key=new_key(server, "admin")).headers["set-cookie"].lower()


def test_a_revoked_key_opens_nothing_from_then_on(server: World):
    opened(server)
    assert is_open(server)
    revoke(server, "boss")
    assert not is_open(server)
    assert form(server, "/admin", key="x").status_code == 403


def test_a_page_of_another_origin_cannot_open_it(server: World):
    key = new_key(server, "admin")
    headers = {"Sec-Fetch-Site": "cross-site"}
    assert server.client.post("/admin", data={"key": key}, headers=headers).status_code == 403


def test_it_says_what_there_is(server: World):
    key = opened(server, "admin", "items")
    headers = {"X-API-Key": key}
    item = {"item_id": "new", "title": "<script>alert(1)</script>"}
    server.client.post("/api/v1/items", json={"items": [item]}, headers=headers)
    sign_in(server, "canaryuser")
    with server.database.writing() as session:
        job = jobs.add(session, "persona", {"words": "canarywords"})
        taken = jobs.take_next(session, ("persona",))
        assert taken and jobs.fail(session, taken, "<b>no memory</b>")
    page = server.client.get("/admin").text
    assert "canary" not in page and "<b>no" not in page and "alert(1)" not in page
    text = text_of(page)
    assert f"{job.id} persona failed 0 0 s <b>no memory</b>" in text
    assert "Users 1" in text and "boss admin, items" in text
    assert "None is loaded" in text
    assert "in the database: 1" in text


def test_it_says_how_the_engine_is(writing: World):
    assert writing.ask(query="Moon", n=1)["items"][0]["reasons_by"] == "model"
    opened(writing)
    text = seen(writing, "/admin")
    assert "Busy slots 0 of 2" in text and "Waiting 0" in text and "Refused: queue full 0" in text
    (written,) = re.findall(r"Tokens written ([\d,]+)", text)
    assert int(written) > 0


def liked_answers(server: World, comparison: Comparison, people: int) -> None:
    """For each of some people two answers; both positive in the second arm, none in the first."""
    with server.database.writing() as session:
        for at in range(people):
            user = users.create(session, f"user{at}").id
            arm = comparison.arm_of(f"user{at}")
            assert arm
            for item in ("11", "12"):
                id = recommendations.record(
                    session, user, {}, [ShownItem(item)], strategy="history", took_ms=1,
                    arm=(comparison.name, arm),
                ).id  # fmt: skip
                if arm == comparison.second:
                    feedback.put_many(session, [FeedbackEntry(user, item, "like", recommendation=id)])


@pytest.mark.parametrize(
    ("people", "says"),
    [(0, "Nothing to compare yet"), (20, "Too few people"), (100, "There is a difference.")],
)
def test_both_rankers_and_their_difference(recommender: Recommender, tmp_path: Path, people: int, says: str):
    words = by_words(tmp_path / "words")
    with world(recommender, tmp_path, compared=words.ranker) as server:
        assert server.service.comparison
        liked_answers(server, server.service.comparison, people)
        opened(server)
        text = seen(server, "/admin")
    assert says in text and "item_knn" in text and "bm25" in text
    if people == 100:
        second = sum(Comparison("item_knn", "bm25").arm_of(f"user{at}") == "bm25" for at in range(100))
        assert f"bm25 {second} {2 * second} {2 * second} 100.0 %" in text.replace("\xa0", " ")
        assert f"item_knn {100 - second} {200 - 2 * second} 0 0.0 %" in text.replace("\xa0", " ")
        assert "in percentage points: +100.0" in text


def test_metrics_have_the_rates_and_count_them_once_a_minute(server: World):
    now = [0.0]
    rates = PositiveFeedback(server.database, None, clock=lambda: now[0])
    assert rates.rates().strategies == []
    server.user("newcomer")
    answer = server.ask(user="newcomer", n=2)
    entry = {"user": "newcomer", "item": "11", "type": "click", "recommendation": answer["id"]}
    assert server.client.post("/api/v1/feedback", json=entry).status_code == 200
    now[0] = 59.9
    assert rates.rates().strategies == []
    now[0] = 60.0
    (found,) = rates.rates().strategies
    assert (found.strategy, found.answers, found.positive) == ("popular", 1, 1)
    lines = server.client.get("/metrics").text.splitlines()
    assert 'rectune_positive_feedback_answers{strategy="popular"} 1' in lines
    assert 'rectune_positive_feedback_rate{strategy="popular"} 1' in lines
    low = found.interval[0]
    assert f'rectune_positive_feedback_rate_low{{strategy="popular"}} {low:.6g}' in lines


def test_it_speaks_korean(server: World):
    sentences = [*STATES.values(), *(sentence for sentence, _ in AGES)]
    assert not [one for one in sentences if one not in translation("ko").sentences]
    opened(server)
    answer = server.client.get("/admin?lang=ko")
    assert answer.headers["content-language"] == "ko" and "방식별 긍정 반응" in answer.text


def test_bars_fill_the_field_and_none_is_lost() -> None:
    found = bars([("mon", 0), ("tue", 10_000), ("wed", 1)])
    assert [bar.height for bar in found] == [0.0, HEIGHT, 2.0]
    assert all(bar.y + bar.height == HEIGHT for bar in found) and found[0].x < found[1].x < found[2].x
    assert [bar.height for bar in bars([("mon", 0)])] == [0.0] and bars([]) == []


def test_requests_that_were_turned_away_are_counted(server: World):
    opened(server)
    server.client.get("/api/v1/items")
    before: Any = re.search(r"Requests (\d+) of this process", seen(server, "/admin"))
    after: Any = re.search(r"Requests (\d+) of this process", seen(server, "/admin"))
    assert int(after[1]) == int(before[1]) + 1
    assert "Turned away (503) 0" in seen(server, "/admin")
