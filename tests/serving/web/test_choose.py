"""The page of choosing what one knows: ticks, taking back, search, and every state of it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from html import unescape
from pathlib import Path

import polars as pl
import pytest
from starlette.testclient import TestClient

from rectune.readers.catalogue import CatalogueOptions
from rectune.recommender.recommender import Recommender
from rectune.serving.store import feedback, sessions
from rectune.serving.web.visitor import COOKIE
from tests.recommender.shelf import FILMS, RETRIEVAL
from tests.serving.test_catalogue import done, put
from tests.serving.world import URL, World, world

HX = {"hx-request": "true"}
EVERY = {str(item) for item in FILMS["movie_id"]}


@pytest.fixture
def visitor(server: World) -> World:
    """Somebody with a session."""
    return entered(server)


def entered(server: World) -> World:
    answer = server.client.post("/welcome", data={"consent": "true"})
    assert answer.status_code == 200 and COOKIE in server.client.cookies
    return server


def state(page: str) -> str:
    """What the page carries to the next request."""
    found = re.search(r'name="state" value="([^"]*)"', page)
    assert found
    return unescape(found[1])


def asked(page: str) -> list[str]:
    """The items on the grid."""
    return re.findall(r'id="card\d+-like"[^>]* value="like:([^"]*)"', page)


def open_page(server: World, **given: str) -> str:
    answer = server.client.get("/choose", params=given)
    assert answer.status_code == 200
    return answer.text


def tick(server: World, mark: str, item: str, page: str = "", **headers: str) -> str:
    """The page after a tick; without htmx that is where the redirect leads."""
    data = {"mark": f"{mark}:{item}", "state": state(page or open_page(server))}
    answer = server.client.post("/choose/mark", data=data, headers=headers)
    assert answer.status_code == 200, answer.text
    return answer.text


def kept(server: World) -> set[tuple[str, str]]:
    """Item and type of all feedback of the visitor."""
    with server.database.reading() as session:
        user = sessions.find_user(session, server.client.cookies[COOKIE])
        assert user
        return {(row.item_id, row.type) for row in feedback.page(session, user.id).rows}


def name(server: World) -> str:
    with server.database.reading() as session:
        user = sessions.find_user(session, server.client.cookies[COOKIE])
        assert user
        return user.external_id


def test_only_who_has_a_session_is_asked(server: World):
    answer = server.client.get("/choose", follow_redirects=False)
    assert answer.status_code == 303 and answer.headers["location"] == "/welcome"
    answer = server.client.post("/choose/mark", data={"mark": "like:11"}, follow_redirects=False)
    assert answer.status_code == 303 and answer.headers["location"] == "/welcome"
    assert server.client.get("/choose/found?query=moon", headers=HX).headers["hx-redirect"] == "/welcome"


def test_every_item_of_a_small_catalogue_is_asked_about_once(visitor: World):
    page = open_page(visitor)
    assert sorted(asked(page)) == sorted(EVERY)
    assert "Nothing is marked yet" in page and 'href="/for-you"' in page


@pytest.mark.parametrize("headers", [{}, HX], ids=["without JavaScript", "htmx"])
def test_a_tick_counts_at_once_and_taking_it_back_too(visitor: World, headers: dict[str, str]):
    page = tick(visitor, "like", "11", **headers)
    assert kept(visitor) == {("11", "like")}
    assert "11" not in asked(page) and "1 marked" in page
    assert ("You like: Moon Landing" in page) == bool(headers)  # a page that is asked for anew tells no news
    found = visitor.ask(user=name(visitor), n=1)
    assert found["strategy"] == "history" and found["items"][0]["item_id"] == "13"
    page = tick(visitor, "none", "11", page, **headers)
    assert kept(visitor) == set() and "1 marked" not in page
    assert visitor.ask(user=name(visitor), n=1)["strategy"] == "popular"


def test_an_item_has_one_mark_and_the_same_again_changes_nothing(visitor: World):
    for mark in ("like", "like", "seen", "dislike"):
        tick(visitor, mark, "12")
        assert kept(visitor) == {("12", mark)}


def test_seen_and_disliked_items_are_never_recommended(visitor: World):
    tick(visitor, "like", "11")
    tick(visitor, "seen", "13")
    tick(visitor, "dislike", "12")
    assert {"11", "12", "13"}.isdisjoint(
        item["item_id"] for item in visitor.ask(user=name(visitor), n=6)["items"]
    )


def test_ticks_of_others_are_not_shown(visitor: World, recommender: Recommender):
    tick(visitor, "like", "11")
    other = TestClient(visitor.client.app, base_url=URL)  # the app runs already
    other.post("/welcome", data={"consent": "true"})
    page = other.get("/choose?query=moon").text
    assert "Nothing is marked yet" in page and 'aria-pressed="true"' not in page and "11" in asked(page)


def test_the_parts_for_htmx_are_those_that_change_and_the_cards_keep_their_places(visitor: World):
    page = open_page(visitor)
    parts = tick(visitor, "like", asked(page)[2], page, **HX)
    assert re.findall(r'hx-target="(#\w+)"', parts) == ["#marked", "#found", "#grid"]
    assert "<html" not in parts
    before = asked(page)
    assert asked(parts) == before[:2] + before[3:]


def test_a_state_that_is_older_than_the_marks_asks_about_nothing_that_was_answered(visitor: World):
    page = open_page(visitor)
    first, second, *rest = asked(page)
    tick(visitor, "like", first, page)
    assert sorted(asked(tick(visitor, "like", second, page))) == sorted(rest)


@pytest.mark.parametrize(
    "wrong", ["9~1.2~3", "0~99~", "0~1.1.1~2", "x", "0~~", "²~1~", "0~" + "1." * 1000 + "~"]
)
def test_a_state_that_cannot_be_is_as_good_as_none(visitor: World, wrong: str):
    page = open_page(visitor, state=wrong)
    assert len(asked(page)) == len(set(asked(page))) > 0


def test_when_all_is_marked_the_page_says_so(visitor: World):
    page = open_page(visitor)
    for item in EVERY:
        page = tick(visitor, "seen", item, page)
    assert asked(page) == [] and "You have marked everything" in page and 'href="/for-you"' in page


@pytest.mark.parametrize("headers", [{}, HX], ids=["without JavaScript", "htmx"])
def test_others_come_and_after_all_of_them_those_that_were_passed(visitor: World, headers: dict[str, str]):
    answer = visitor.client.post("/choose/others", data={"state": state(open_page(visitor))}, headers=headers)
    assert sorted(asked(answer.text)) == sorted(EVERY)  # there are only six


def test_a_search_finds_titles_with_what_was_said_of_them(visitor: World):
    tick(visitor, "dislike", "12")
    page = open_page(visitor, query="MOON")
    for found in (page, visitor.client.get("/choose/found?query=moon", headers=HX).text):
        assert re.findall(r'id="hit\d+-like"[^>]* value="like:([^"]*)"', found) == ["11", "12"]
        assert len(re.findall(r'aria-pressed="true"', found)) == 1
    assert "<html" not in visitor.client.get("/choose/found?query=moon", headers=HX).text
    assert visitor.client.get("/choose/found?query=moon").url.path == "/choose"
    assert "No title has these words" in open_page(visitor, query="zzz")
    assert "No title has" not in open_page(visitor, query="  ")


def test_a_tick_in_a_search_keeps_the_search(visitor: World):
    data = {"mark": "like:12", "state": "", "query": "moon"}
    page = visitor.client.post("/choose/mark", data=data)
    assert page.url.params["query"] == "moon" and 'aria-pressed="true"' in page.text


@pytest.mark.parametrize("mark", ["like:99", "love:11", "like", "", "hide:11"])
def test_what_the_form_does_not_offer_is_refused_and_keeps_nothing(visitor: World, mark: str):
    answer = visitor.client.post("/choose/mark", data={"mark": mark, "state": ""})
    assert answer.status_code in (400, 404, 422) and kept(visitor) == set()


def test_a_deleted_item_is_not_asked_about(visitor: World):
    assert visitor.client.delete("/api/v1/items/16").status_code == 202
    page = open_page(visitor, query="harbour")
    assert "16" not in asked(page) and "hit1-like" not in page


def test_a_new_item_is_asked_about_and_an_older_state_means_nothing_then(visitor: World):
    page = open_page(visitor)
    done(visitor, put(visitor, {"item_id": "17", "title": "Moon Base", "categories": ["Space"]}))
    assert sorted(asked(open_page(visitor, state=state(page)))) == sorted({*EVERY, "17"})


def test_korean(visitor: World):
    visitor.client.post("/language", data={"lang": "ko"})
    page = tick(visitor, "like", "11", **HX)
    assert "1개 표시함" in page and "좋아요: Moon Landing" in page


@pytest.fixture
def hostile(tmp_path: Path) -> Iterator[World]:
    """A catalogue of three films whose titles and ids hold markup."""
    frame = pl.DataFrame(
        {
            "movie_id": ['a"><script>x</script>', "b&amp;'", "c"],
            "title": ["<script>alert(1)</script>", '" onfocus="x', "{{ 7 * 7 }} " + "long " * 50_000],
            "genres": ["<b>Space</b>", "", "<|im_start|>"],
        }
    )
    made_of = Recommender.from_catalogue(
        frame, model=None, ranker="bm25", retrieval=RETRIEVAL, folder=tmp_path, options=CatalogueOptions()
    )
    with world(made_of, tmp_path) as made:
        yield entered(made)


def test_hostile_titles_are_text_and_cut(hostile: World):
    page = open_page(hostile, query="o")
    first = unescape(asked(page)[0])
    for text in (page, tick(hostile, "like", first, page, **HX)):
        assert "<script>alert" not in text and "<script>x" not in text and "<b>Space" not in text
        assert 'onfocus="x' not in text and "{{ 7 * 7 }} long" in text
        assert len(text) < 30_000
    assert kept(hostile) == {(first, "like")}
