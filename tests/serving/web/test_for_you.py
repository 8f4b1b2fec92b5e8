"""The page of what is recommended, over HTTP: with and without scripts, marks, other people's answers."""

from __future__ import annotations

import re
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import polars as pl
import pytest

from rectune.recommender.recommender import Recommender
from rectune.serving.store import feedback, recommendations, users
from rectune.serving.web.answer_view import brief
from tests.recommender.shelf import FILMS, by_words
from tests.serving.test_streams_and_queue import until
from tests.serving.web.person import HTMX, Person, messages, person, titles
from tests.serving.world import Author, World, world

ANSWER = re.compile(r"/for-you/[0-9a-f]{32}")


def asked(person: Person, path: str = "/for-you", **form: object) -> str:
    """The page of an answer, as a browser without scripts gets it."""
    sent = person.post(path, **form)
    assert sent.status_code == 303 and ANSWER.fullmatch(sent.headers["location"]), sent.text
    page = person.get(sent.headers["location"])
    assert page.status_code == 200
    return page.text


def answer_id(html: str) -> str:
    """The id of the answer on a page."""
    return re.findall(r'name="id" value="([0-9a-f]{32})"', html)[0]


def test_who_has_no_session_goes_to_the_entrance(server: World):
    for method, path in (("GET", "/for-you"), ("POST", "/for-you"), ("POST", "/for-you/again")):
        form = {"id": "1"} if path.endswith("again") else {"wish": "moon"}
        sent = server.client.request(method, path, data=form, follow_redirects=False)
        assert sent.status_code == 303 and sent.headers["location"] == "/welcome"
        sent = server.client.request(method, path, data=form, headers=HTMX, follow_redirects=False)
        assert sent.headers["HX-Redirect"] == "/welcome"


def test_without_scripts_a_form_leads_to_the_page_of_its_answer(server: World):
    ann = person(server)
    assert 'action="/for-you"' in ann.get("/for-you").text
    page = asked(ann, wish="bread baking", explore=0)
    assert titles(page)[0] == "Bread Baking" and "Chosen by your words." in page
    assert 'value="bread baking"' in page  # the form is as it was filled in
    assert "a plain sentence from the catalogue" in page and "has your words: bread" in page


def test_with_scripts_the_parts_come_in_their_order(writing: World):
    ann = person(writing)
    writing.say(ann.id, "like", "11")
    sent = ann.post("/for-you", HTMX)
    assert sent.headers["content-type"].startswith("text/event-stream")
    parts = messages(sent.text)
    assert '<ol id="cards"' in parts[0] and 'hx-target="#progress"' in parts[0]
    cards = [at for at, part in enumerate(parts) if 'hx-target="#cards"' in part]
    reasons = [at for at, part in enumerate(parts) if 'hx-target="#reason-' in part]
    assert len(cards) == len(reasons) == 5 and max(cards) < min(reasons) and max(reasons) < len(parts) - 1
    assert all("being worded" in parts[at] for at in cards)
    assert all("worded by the language model, checked" in parts[at] for at in reasons)
    assert 'hx-target="#answer"' in parts[-1] and titles(parts[-1]) == [titles(parts[at])[0] for at in cards]
    kept = ann.get(f"/for-you/{answer_id(parts[-1])}").text
    assert titles(kept) == titles(parts[-1])
    for reason in re.findall(r'<div class="reason".*?</div>', parts[-1], re.DOTALL):
        assert reason in kept


def test_others_leave_out_what_was_shown_and_come_to_an_end(server: World):
    ann = person(server, tastes=[])
    seen: list[str] = []
    server.say(ann.id, "like", "11")
    page = asked(ann)
    while titles(page):
        seen += titles(page)
        page = asked(ann, "/for-you/again", id=answer_id(page))
    assert sorted(seen) == sorted(set(FILMS["title"]) - {"Moon Landing"})
    assert "shown or marked already" in page and 'name="id"' not in page


def test_what_is_said_of_an_item_is_pressed_kept_and_taken_back(server: World):
    ann = person(server)
    page = asked(ann)
    answer = answer_id(page)
    item = re.findall(r'name="item" value="(\d+)"', page)[0]
    said = {"item": item, "place": 1, "answer": answer}
    part = ann.post("/for-you/mark", HTMX, mark="like", **said)
    assert part.status_code == 200 and "<html" not in part.text
    assert re.search(r'name="take_back" value="like"\s+aria-pressed="true"', part.text)
    with server.database.reading() as session:
        user = users.get(session, ann.id)
        (row,) = feedback.page(session, user.id).rows
        assert (row.item_id, row.type, row.recommendation_id) == (item, "like", answer)
    part = ann.post("/for-you/mark", HTMX, mark="dislike", **said)  # ends the like
    assert re.findall(r'value="(\w+)"\s+aria-pressed="true"', part.text) == ["dislike"]
    back = ann.post("/for-you/mark", mark="hide", **said)
    assert back.status_code == 303 and back.headers["location"] == f"/for-you/{answer}#card-1"
    page = ann.get(f"/for-you/{answer}").text
    assert re.findall(r'value="(\w+)"\s+aria-pressed="true"', page) == ["dislike", "hide"]
    for kind in ("dislike", "hide"):
        ann.post("/for-you/mark", take_back=kind, **said)
    with server.database.reading() as session:
        assert feedback.item_ids(session, user.id) == set()


@pytest.mark.parametrize("form", [{}, {"mark": "like", "take_back": "like"}, {"mark": "click"}])
def test_a_button_that_is_not_there_is_refused(server: World, form: dict[str, str]):
    ann = person(server)
    assert ann.post("/for-you/mark", item="11", place=1, **form).status_code in (400, 422)


def test_nobody_sees_or_goes_on_from_the_answer_of_another(server: World):
    ann, bob = person(server), person(server)
    page = asked(ann, wish="canary")
    answer = answer_id(page)
    assert bob.get(f"/for-you/{answer}").status_code == 404
    assert bob.post("/for-you/again", id=answer).status_code == 404
    said = bob.post("/for-you/mark", item="11", place=1, answer=answer, mark="like")
    assert said.status_code == 400
    assert "canary" in ann.get(f"/for-you/{answer}").text
    nobody = server.ask(query="canary")["id"]  # asked for without a user
    assert ann.get(f"/for-you/{nobody}").status_code == 404


def test_tastes_of_the_entrance_are_the_query_until_something_is_liked(server: World):
    ann = person(server, tastes=["Cooking"])
    page = asked(ann)
    assert titles(page)[:2] == ["Bread Baking", "Bread Street"] and "the tastes you named" in page
    assert server.ask(user=ann.id, n=1)["strategy"] == "tastes"
    assert server.ask(user=ann.id, query="Harbour", n=1)["strategy"] == "query"
    server.say(ann.id, "like", "11")
    assert server.ask(user=ann.id, n=1)["strategy"] == "history"
    nothing = asked(person(server))
    assert "nothing is known of your taste yet" in nothing and 'href="/choose"' in nothing


def test_a_mood_is_searched_for_besides(server: World):
    ann = person(server)
    server.say(ann.id, "like", "14")
    plain, moody = asked(ann), asked(ann, mood="calm")
    assert "Chosen by what you like." in plain and "by what you like and by your words" in moody
    assert re.search(r'value="calm" checked', moody)
    assert ann.post("/for-you", mood="angry").status_code == 400


def test_kinds_and_years_narrow_it_down_and_nothing_may_be_left(server: World):
    ann = person(server)
    page = asked(ann, categories=["Space"], decade="1990")
    assert sorted(titles(page)) == ["Moon War", "Rocket Pilots"]
    assert re.search(r'value="Space" checked', page) and re.search(r'value="1990" selected', page)
    for headers in ({}, HTMX):
        none = ann.post("/for-you", headers, categories=["Crime"], decade="1990")
        assert none.status_code == 200 and "Nothing is like that" in none.text and not titles(none.text)


def test_items_that_are_gone_are_shown_by_their_id(server: World):
    ann = person(server)
    with server.database.writing() as session:
        owner = users.get(session, ann.id).id
        request = {"history": [], "query": "", "n": 1, "exclude": [], "categories": [], "explain": True,
                   "where": {}}  # fmt: skip
        shown = [recommendations.ShownItem("gone-1")]
        row = recommendations.record(session, owner, request, shown, strategy="history", took_ms=1)
    page = ann.get(f"/for-you/{row.id}").text  # a record of an earlier version, without what it said else
    assert titles(page) == ["gone-1"] and "no longer in the catalogue" in page


def test_titles_of_anybody_are_words_and_long_ones_are_cut(tmp_path: Path):
    evil = '<img src=x onerror=alert(1)>"\'</h3><hx-partial hx-target="body">'
    films = FILMS.with_columns(
        title=pl.Series([evil, "M" * 1_000_000, *FILMS["title"][2:]]),
        genres=pl.Series(["<b>Space", *FILMS["genres"][1:]]),
    )
    with world(
        by_words(tmp_path / "words", films), tmp_path, search_url="https://x.example/?q={title}"
    ) as server:
        ann = person(server)
        for text in (asked(ann), ann.post("/for-you", HTMX).text):
            assert len(text) < 100_000
            assert (
                "<img src=x" not in text and "<b>" not in text and '<hx-partial hx-target="body' not in text
            )
            assert "M" * 100 in text and "M" * 200 + "M" not in text


def test_a_search_leads_to_the_title_and_nowhere_else(recommender: Recommender, tmp_path: Path):
    with world(recommender, tmp_path, search_url="https://x.example/find?q={title}&l=1") as server:
        (item,) = server.ask(history=["Moon Landing"], n=1)["items"]
        assert item["search_url"] == "https://x.example/find?q=Rocket%20Pilots&l=1"
        page = asked(person(server))
        assert (
            'href="https://x.example/find?q=Moon%20Landing&amp;l=1" target="_blank" rel="noopener noref'
            in page
        )


def test_a_full_queue_is_told_with_a_countdown(wordy: Recommender, tmp_path: Path):
    author = Author(slots=1)
    with world(wordy, tmp_path, author, max_waiting=1) as server, ThreadPoolExecutor(4) as pool:
        author.gate.clear()
        body = {"history": ["Moon Landing"], "n": 1}
        open_ones = [pool.submit(server.client.post, "/api/v1/recommend", json=body)]
        until(lambda: len(author.open) == 1)
        open_ones.append(pool.submit(server.client.post, "/api/v1/recommend", json=body))
        until(lambda: len(author.waiting) == 1)
        ann = person(server)
        with server.database.writing() as session:
            feedback.put_many(session, [feedback.FeedbackEntry(users.get(session, ann.id).id, "11", "like")])
        plain = ann.post("/for-you")
        assert plain.status_code == 503 and re.search(r'data-wait="\d+"', plain.text)
        last = messages(ann.post("/for-you", HTMX).text)[-1]
        assert 'hx-target="#problem"' in last and re.search(r'data-wait="\d+"', last)
        author.gate.set()
        assert [one.result(30).status_code for one in open_ones] == [200, 200]


def test_a_model_that_fails_leaves_sentences_and_it_is_said(writing: World, author: Author):
    ann = person(writing)
    writing.say(ann.id, "like", "11")
    author.fails = True
    page = asked(ann)
    assert (
        "The language model has stopped, so plain sentences" in page
        and "a plain sentence from the catalogue" in page
    )


def test_the_page_speaks_the_language_of_its_reader(server: World):
    ann = person(server, locale="ko")
    server.say(ann.id, "like", "11")
    page = asked(ann)
    assert "좋아하는 것을 바탕으로 골랐습니다." in page and "목록의 사실을 옮긴 간단한 문장" in page
    assert re.search(r'<div class="reason" id="reason-1">\s*<p>[^<]*[가-힣]', page)


@pytest.mark.parametrize("text, longest", [("a" * 500, 20), ("a\u202eb\x00c\nd", 20), ("word " * 99, 30)])
def test_text_is_cut_to_one_harmless_line(text: str, longest: int):
    found = brief(text, longest)
    assert len(found) <= longest and found.isprintable() and "\u202e" not in found
