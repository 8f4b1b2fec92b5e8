"""My data: what is known is shown, can be changed, taken along and deleted; nobody else's shows."""

from __future__ import annotations

import json
import re
from typing import Any

from sqlalchemy import select

from rectune.serving.store import feedback, recommendations, sessions, users
from rectune.serving.store.feedback import FeedbackEntry
from rectune.serving.store.recommendations import ShownItem
from rectune.serving.store.tables import Base
from rectune.serving.store.user_tables import parents
from rectune.serving.web.my_account import TABLES
from rectune.serving.web.my_history import MARKS
from rectune.serving.web.texts import translation
from rectune.serving.web.visitor import COOKIE
from tests.serving.store.people import known_everywhere
from tests.serving.web.visitors import as_visitor, form, seen, sign_in, text_of
from tests.serving.world import World

DAY = 24 * 3600 * 1000
NOW = 1_800_000_000_000
PAGES = ("/mine", "/mine/marks", "/mine/answers", "/mine/delete", "/mine/export")


def rows_of(server: World, user: int) -> dict[str, Any]:
    """A user's profile as it is kept."""
    with server.database.reading() as session:
        (found,) = users.export(session, user)["users"]
        return dict(found)


def test_without_a_session_every_page_leads_to_the_entrance(server: World):
    for path in PAGES:
        answer = server.client.get(path, follow_redirects=False)
        assert (answer.status_code, answer.headers["location"]) == (303, "/welcome"), path
    for path in ("/mine/profile", "/mine/code", "/mine/sign-out", "/mine/delete"):
        assert form(server, path).headers["location"] == "/welcome", path


def test_a_profile_is_shown_changed_and_emptied(server: World):
    ann = sign_in(server, "ann", tastes=["tea & cakes"], age_band="20s", occupation="nurse", locale="en")
    page = server.client.get("/mine").text
    assert 'value="tea &amp; cakes" checked' in page and 'value="nurse"' in page
    assert "<option selected>20s</option>" in page  # an API may have said what the form does not offer
    said = {"tastes": ["tea & cakes", "Space"], "words": "slow films,  tea & cakes ,", "age_band": "20s"}
    answer = form(server, "/mine/profile", **said, sex="female", locale="ko")
    assert (answer.status_code, answer.headers["location"]) == (303, "/mine?saved=true#profile")
    kept = rows_of(server, ann)
    assert kept["tastes"] == ["tea & cakes", "Space", "slow films"]
    assert (kept["age_band"], kept["sex"], kept["occupation"], kept["locale"]) == (
        "20s",
        "female",
        None,
        "ko",
    )
    assert "내 정보" in seen(server, "/mine?saved=true")  # the page speaks the new language
    form(server, "/mine/profile", **said, without="true")
    kept = rows_of(server, ann)
    assert (kept["tastes"], kept["age_band"], kept["sex"], kept["without_profile"]) == ([], None, None, True)
    form(server, "/mine/profile")
    assert rows_of(server, ann)["without_profile"]  # nothing was said since
    form(server, "/mine/profile", occupation="pilot")
    assert not rows_of(server, ann)["without_profile"]


def test_a_profile_that_cannot_be_changes_nothing(server: World):
    ann = sign_in(server, "ann", occupation="nurse")
    before = rows_of(server, ann)
    many = {"tastes": [f"t{at}" for at in range(101)]}
    for bad in (
        {"age_band": "200"},
        {"sex": "x"},
        {"locale": "fr"},
        {"occupation": "x" * 201},
        many,
        {"id": "1"},
    ):
        answer = form(server, "/mine/profile", **bad)
        assert answer.status_code in (400, 422), bad
    assert rows_of(server, ann) == before


def marked(server: World, user: int, *marks: tuple[str, str], now: int = NOW) -> None:
    """Marks, each a second after the one before."""
    with server.database.writing() as session:
        entries = [
            FeedbackEntry(user, item, type, time=now + at * 1000)  # type: ignore[arg-type]
            for at, (item, type) in enumerate(marks)
        ]
        feedback.put_many(session, entries)


def test_marks_are_shown_by_kind_and_taken_back_one_by_one(server: World):
    ann = sign_in(server, "ann")
    marked(server, ann, ("11", "like"), ("12", "seen"), ("13", "dislike"), ("14", "hide"), ("gone", "like"))
    page = seen(server, "/mine/marks")
    order = [
        page.index(title) for title in ("gone", "Bread Baking", "Rocket Pilots", "Moon War", "Moon Landing")
    ]
    assert order == sorted(order) and "no longer in the catalogue" in page
    assert "2027-01-15 08:00" in page
    liked = seen(server, "/mine/marks?type=like")
    assert "Moon Landing" in liked and "gone" in liked and "Moon War" not in liked
    answer = form(server, "/mine/marks/take-back", item="gone", type="like", shown="like", after="")
    assert answer.headers["location"] == "/mine/marks?type=like#marks"
    answer = form(server, "/mine/marks/take-back", item="12", type="seen")
    assert answer.headers["location"] == "/mine#marks"
    form(server, "/mine/marks/take-back", item="13", type="like")  # that is not what was said of it
    assert form(server, "/mine/marks/take-back", item="13", type="love").status_code == 400
    with server.database.reading() as session:
        rows = feedback.page(session, ann).rows
    assert [(row.item_id, row.type) for row in rows] == [("14", "hide"), ("13", "dislike"), ("11", "like")]


def test_long_lists_come_a_page_at_a_time(server: World):
    ann = sign_in(server, "ann")
    marked(server, ann, *((f"item{at:03}", "seen") for at in range(60)))
    with server.database.writing() as session:
        for at in range(60):
            recommendations.record(
                session,
                ann,
                {"query": f"words{at:03}"},
                [ShownItem("11")],
                strategy="query",
                took_ms=1,
                now=NOW,
            )  # all at the same time: none is lost between two pages
    for start, pattern in (("/mine/marks", r"item\d{3}"), ("/mine/answers", r"words\d{3}")):
        path, found = start, list[str]()
        for _ in range(3):
            page = server.client.get(path).text
            found += dict.fromkeys(re.findall(rf"{pattern}(?=<)", page))
            if more := re.search(rf'href="({start}\?[^"]*after=[^"]*)"', page):
                path = more[1]
        assert len(found) == len(set(found)) == 60
        assert server.client.get(f"{start}?after=x").status_code == 400
    first = seen(server, "/mine")
    assert first.count("Take back") == 6 and "All recommendations" in first


def test_answers_lead_to_themselves(server: World):
    ann = sign_in(server, "ann")
    with server.database.writing() as session:
        items = [ShownItem("11"), ShownItem("12")]
        row = recommendations.record(
            session, ann, {"query": "<b>moon</b>"}, items, strategy="query", took_ms=1, now=NOW
        )
    page = server.client.get("/mine").text
    assert f'href="/for-you/{row.id}"' in page and "&lt;b&gt;moon" in page and "<b>moon" not in page
    assert "items: 2" in text_of(page)


def test_a_new_code_is_shown_once_and_the_earlier_one_ends(server: World):
    ann = sign_in(server, "ann")
    codes = []
    for _ in range(2):
        answer = form(server, "/mine/code")
        assert answer.headers["cache-control"] == "no-store"
        codes += re.findall(r"[0-9A-Z]{5}(?:-[0-9A-Z]{5}){3}", answer.text)
    assert len(codes) == 2
    for path in PAGES:
        assert not any(code in server.client.get(path).text for code in codes)
    with server.database.writing() as session:
        assert sessions.user_of_code(session, codes[0]) is None
        found = sessions.user_of_code(session, codes[1])
        assert found and found.id == ann


def test_signing_out_everywhere_ends_every_session(server: World):
    ann = sign_in(server, "ann")
    with server.database.writing() as session:
        other = sessions.start(session, ann)
        bob = sessions.start(session, users.create(session, "bob").id)
    assert "signed in: 2" in seen(server, "/mine")
    answer = form(server, "/mine/sign-out")
    assert answer.headers["location"] == "/welcome" and f'{COOKIE}=""' in answer.headers["set-cookie"]
    for token, status in ((other, 303), (bob, 200)):
        as_visitor(server, token)
        assert server.client.get("/mine", follow_redirects=False).status_code == status


def test_the_export_is_that_of_the_api_as_a_file(server: World):
    sign_in(server, "ann")
    with server.database.writing() as session:
        known_everywhere(session, "eve", now=NOW)
    server.say("ann", "like", "11")
    server.ask(user="ann", n=2)
    answer = server.client.get("/mine/export")
    assert answer.headers["content-disposition"].startswith("attachment;")
    assert answer.headers["content-type"] == "application/json" and "eve" not in answer.text
    own, api = answer.json(), server.client.get("/api/v1/users/ann/export").json()
    assert own.pop("exported") > 0 and api.pop("exported") > 0
    assert own == api and own["feedback"] and own["recommended_items"]


def test_after_deleting_nothing_is_left_in_any_table(server: World):
    with server.database.writing() as session:
        eve = known_everywhere(session, "evecanary", now=NOW)
    assert sign_in(server, "evecanary") == eve.id
    before = seen(server, "/mine/delete")
    for name in parents():
        assert name in TABLES and TABLES[name] in before, name
    assert "evecanary" in database_text(server)
    answer = form(server, "/mine/delete")
    assert f'{COOKIE}=""' in answer.headers["set-cookie"]
    assert "evecanary" not in database_text(server)
    with server.database.reading() as session:
        assert set(users.counts(session, eve.id)) == set(parents())
        assert not any(users.counts(session, eve.id).values())
    server.client.cookies.clear()
    assert "Everything is deleted" in seen(server, answer.headers["location"])


def test_looking_at_the_question_deletes_nothing(server: World):
    ann = sign_in(server, "ann")
    for _ in range(2):
        assert server.client.get("/mine/delete").status_code == 200
    assert rows_of(server, ann)
    strange = {"Sec-Fetch-Site": "cross-site"}
    assert server.client.post("/mine/delete", headers=strange, follow_redirects=False).status_code == 403
    assert rows_of(server, ann)


def database_text(server: World) -> str:
    """All rows of all tables."""
    with server.database.reading() as session:
        rows = {
            name: [dict(row) for row in session.execute(select(table)).mappings()]
            for name, table in Base.metadata.tables.items()
        }
    return json.dumps(rows)


def test_nobody_elses_data_is_on_any_page(server: World):
    with server.database.writing() as session:
        known_everywhere(session, "evecanary", now=NOW)
        known_everywhere(session, "anncanary", now=NOW)
    sign_in(server, "anncanary")
    for path in PAGES:
        page = server.client.get(path).text
        assert "evecanary" not in page, path
    form(server, "/mine/marks/take-back", item="evecanary item", type="like")
    assert "evecanary item" in database_text(server)


def test_what_the_code_says_is_in_korean():
    sentences = [*TABLES.values(), "other entries", *MARKS.values()]
    assert not [one for one in sentences if one not in translation("ko").sentences]


def test_how_long_it_is_kept_is_what_the_server_does(server: World):
    sign_in(server, "ann")
    assert "deletes nothing because of its age" in seen(server, "/mine")
