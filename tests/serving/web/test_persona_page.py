"""The page "What I think you like", as a person uses it without JavaScript."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from rectune.core.types import Item
from rectune.recommender.recommender import Recommender
from rectune.serving.web.visitor import COOKIE
from tests.dialogue.people import KINDS, of_kind, works
from tests.recommender.shelf import by_words
from tests.serving.web.person import HTMX, Person, messages, person
from tests.serving.web.visitors import text_of
from tests.serving.world import World, world

HORROR = 0
NASTY = '<b onclick="x">Horror & "co"</b>'


@pytest.fixture
def server(library: Recommender, tmp_path: Path) -> Iterator[World]:
    """A server of them."""
    with world(library, tmp_path) as made:
        yield made


@pytest.fixture
def ann(server: World) -> Person:
    """Somebody who likes horror."""
    made = person(server)
    server.say(made.id, "like", *of_kind(HORROR, 8))
    return made


def claim_of(html: str) -> str:
    """The id of the first claim of the page."""
    found = re.search(r'id="claim-(\w+)"', html)
    assert found
    return found[1]


def test_who_has_no_session_is_sent_to_the_entrance(server: World) -> None:
    server.client.cookies.clear()
    for answer in (
        server.client.get("/persona", follow_redirects=False),
        server.client.post("/persona/add", data={"text": "tea"}, follow_redirects=False),
    ):
        assert answer.status_code == 303 and answer.headers["location"] == "/welcome"


def test_each_claim_stands_there_with_what_it_rests_on(server: World, ann: Person) -> None:
    html = ann.get("/persona").text
    text = text_of(html)
    assert "Likes" in text and "Horror" in text
    assert "Title 70 · Title 60 · Title 50 · Title 40 · Title 30" in text and "More: 3" in text
    assert "plain sentences" in text and "was not checked" in text and "Removed" not in text
    assert '<a href="/persona" aria-current="page">' in html


def test_a_claim_is_kept_removed_and_taken_up_again(server: World, ann: Person) -> None:
    claim = claim_of(ann.get("/persona").text)
    answer = ann.post("/persona/keep", claim=claim)
    assert answer.status_code == 303 and answer.headers["location"] == f"/persona#claim-{claim}"
    assert "you confirmed it" in text_of(ann.get("/persona").text)
    assert ann.post("/persona/remove", claim=claim).status_code == 303
    text = text_of(ann.get("/persona").text)
    assert "Removed: 1" in text and "Use it again" in text and "Likes" not in text
    ann.post("/persona/keep", claim=claim)
    assert "Removed" not in text_of(ann.get("/persona").text)


def test_what_is_edited_and_added_is_told_as_data(server: World, ann: Person) -> None:
    claim = claim_of(ann.get("/persona").text)
    ann.post("/persona/edit", claim=claim, text=NASTY)
    ann.post("/persona/add", text=NASTY.replace("Horror", "Western"))
    html = ann.get("/persona").text
    assert "<b onclick" not in html and "&lt;b onclick" in html and "in your words" in html


def test_what_a_person_avoids_is_gone_from_the_next_answer_which_says_how_it_was_checked(
    server: World, ann: Person
) -> None:
    before = ann.get(ann.post("/for-you").headers["location"]).text
    assert "had a say" in text_of(before) and '<a href="/persona">' in before
    ann.post("/persona/add", text="no horror")
    after = ann.get(ann.post("/for-you", wish="haunted house").headers["location"]).text
    kinds = {int(one) % KINDS for one in re.findall(r'name="item" value="w(\d+)"', after)}
    assert kinds and HORROR not in kinds
    text = text_of(after)
    assert "How I checked" in text and "None of these." in text and "Left out: " in text
    stream = messages(ann.post("/for-you", headers=HTMX).text)
    assert "How I checked" in stream[-1] and "had a say" in stream[-1]


def test_a_stranger_is_told_nothing_of_a_persona(server: World) -> None:
    new = person(server)
    html = new.get(new.post("/for-you").headers["location"]).text
    assert "had a say" not in html and "How I checked" not in html
    assert "Nothing yet." in text_of(new.get("/persona").text)


@pytest.mark.parametrize(("form", "status"), [({"text": " , "}, 400), ({"text": "x" * 201}, 422), ({}, 422)])
def test_what_cannot_be_added_is_a_page_that_says_so(
    server: World, ann: Person, form: dict[str, str], status: int
) -> None:
    answer = ann.post("/persona/add", **form)
    assert answer.status_code == status and "<!doctype html>" in answer.text
    assert ann.post("/persona/keep", claim="unknown").status_code == 404


def test_nobody_changes_the_persona_of_another(server: World, ann: Person) -> None:
    claim = claim_of(ann.get("/persona").text)
    bob = person(server)
    assert bob.post("/persona/remove", claim=claim).status_code == 404
    assert "Removed" not in text_of(ann.get("/persona").text)
    assert COOKIE not in server.client.cookies


def test_it_is_in_korean_too(tmp_path: Path) -> None:
    items: list[Item] = works("ko")
    with world(by_words(tmp_path / "ko", items), tmp_path) as server:
        one = person(server, locale="ko", tastes=["공포"])
        html = one.get("/persona").text
        assert '<html lang="ko">' in html and "좋아하는 것" in html and "공포" in text_of(html)
        answer = one.get(one.post("/for-you").headers["location"]).text
        assert "어떻게 확인했나요" in answer
