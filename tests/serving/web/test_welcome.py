"""The entrance, sessions, languages, what is told of errors, and the page's own files."""

from __future__ import annotations

import hashlib
import re

import pytest

from rectune.serving.store import retention, sessions
from rectune.serving.store import users as users_of_store
from rectune.serving.store.columns import now_ms
from rectune.serving.store.tables import User
from rectune.serving.web.render import STATIC, digests
from tests.serving.web.visitors import as_visitor
from tests.serving.world import World

HTMX = {  # of the npm package htmx.org, version 4.0.1
    "htmx.min.js": "a0abb04f2f45a1f89d1d4844023245537e5e6014c87b144553e0607b4cc32130",
    "hx-sse.min.js": "18ef2761356ec1fe0bb6d92612315b37517a7c1e9856b661c5ae81fef239d103",
}
AGREED = {"consent": "true"}
PAGE = {"accept": "text/html"}
DAY = retention.DAY_MS


def text(server: World, path: str, status: int = 200, **more: object) -> str:
    """A page."""
    answer = server.client.get(path, headers=PAGE, **more)  # type: ignore[arg-type]
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"].startswith("text/html")
    return answer.text


def users(server: World) -> list[User]:
    with server.database.reading() as session:
        return list(session.query(User).order_by(User.id))


def test_the_vendored_scripts_are_those_that_were_published():
    for name, digest in HTMX.items():
        assert hashlib.sha256((STATIC / name).read_bytes()).hexdigest() == digest


def test_somebody_new_is_led_to_the_entrance_and_in(server: World):
    assert "What would you like next?" in text(server, "/")
    answer = server.client.post(
        "/welcome",
        data=AGREED | {"tastes": ["Action"], "words": "space, robots , ,space", "age_band": "25-34"},
        follow_redirects=False,
    )
    assert (answer.status_code, answer.headers["location"]) == (303, "/choose")
    cookie = answer.headers["set-cookie"]
    assert "HttpOnly" in cookie and "SameSite=lax" in cookie and "Secure" not in cookie
    (user,) = users(server)
    assert user.tastes == ["Action", "space", "robots"] and user.age_band == "25-34"
    assert user.consented and not user.without_profile


def test_without_consent_nobody_is_made(server: World):
    answer = server.client.post("/welcome", data={"words": "space"}, headers=PAGE)
    assert answer.status_code == 422 and "14 or older" in answer.text
    assert 'value="space"' in answer.text  # what was typed is not lost
    assert not users(server)


def test_without_saying_anything_nothing_of_the_form_is_kept(server: World):
    server.client.post("/welcome", data=AGREED | {"without": "true", "words": "space", "sex": "female"},
                       follow_redirects=False)  # fmt: skip
    (user,) = users(server)
    assert user.without_profile and not user.tastes and user.sex is None


@pytest.mark.parametrize("wrong", [{"age_band": "3-5"}, {"sex": "x"}, {"unknown": "1"}])
def test_what_the_form_does_not_offer_is_refused(server: World, wrong: dict[str, str]):
    answer = server.client.post("/welcome", data=AGREED | wrong, headers=PAGE)
    assert 400 <= answer.status_code < 500 and not users(server)


def test_a_personal_code_brings_back_the_same_user(server: World):
    server.client.post("/welcome", data=AGREED, follow_redirects=False)
    (user,) = users(server)
    with server.database.writing() as session:
        code = sessions.new_code(session, user.id)
    server.client.cookies.clear()
    wrong = server.client.post("/code", data={"code": "AAAAA-AAAAA-AAAAA-AAAAA"}, headers=PAGE)
    assert wrong.status_code == 422 and "nobody" in wrong.text
    answer = server.client.post(
        "/code", data={"code": code.lower().replace("-", " ")}, follow_redirects=False
    )
    assert (answer.status_code, answer.headers["location"]) == (303, "/for-you")
    token = server.client.cookies["rectune_session"]
    with server.database.reading() as session:
        found = sessions.find_user(session, token)
        assert found and found.id == user.id


def test_leaving_ends_the_session_on_the_server_too(server: World):
    server.client.post("/welcome", data=AGREED, follow_redirects=False)
    token = server.client.cookies["rectune_session"]
    server.client.post("/leave", follow_redirects=False)
    with server.database.reading() as session:
        assert sessions.find_user(session, token) is None


def test_a_session_that_is_used_goes_on_and_so_does_its_cookie(server: World):
    now = now_ms()
    with server.database.writing() as session:
        ann = users_of_store.create(session, "ann")
        token = sessions.start(session, ann.id, now=now - 29 * DAY)
    as_visitor(server, token)
    first, second = (server.client.get("/choose", headers=PAGE) for _ in range(2))
    assert f"rectune_session={token}" in first.headers["set-cookie"]
    assert f"Max-Age={30 * DAY // 1000}" in first.headers["set-cookie"]
    assert "set-cookie" not in second.headers, "a use a moment later is not written down again"
    with server.database.reading() as session:
        assert sessions.find_user(session, token, now=now + 29 * DAY)
        assert not sessions.find_user(session, token, now=now_ms() + 30 * DAY)


def test_nobody_who_comes_is_deleted_for_having_said_nothing(server: World):
    now = now_ms()
    with server.database.writing() as session:
        ann = users_of_store.create(session, "ann", now=now - 50 * DAY)
        token = sessions.start(session, ann.id, now=now - 29 * DAY)
    as_visitor(server, token)
    assert server.client.get("/mine", headers=PAGE).status_code == 200
    with server.database.writing() as session:
        retention.delete_older(session, 20, now=now)
        assert sessions.find_user(session, token)


def test_a_session_that_is_over_is_not_brought_back_by_its_use(server: World):
    with server.database.writing() as session:
        ann = users_of_store.create(session, "ann")
        token = sessions.start(session, ann.id, now=now_ms() - 31 * DAY)
    as_visitor(server, token)
    answer = server.client.get("/choose", headers=PAGE, follow_redirects=False)
    assert answer.headers["location"] == "/welcome" and "set-cookie" not in answer.headers


def test_the_language_is_kept_and_leads_nowhere_else(server: World):
    assert 'lang="ko"' in text(server, "/welcome?lang=ko")
    for back, goes in (
        ("/welcome", "/welcome"),
        ("//evil.example", "/"),
        ("https://evil.example", "/"),
        ("/\\evil", "/"),
    ):
        answer = server.client.post("/language", data={"lang": "ko", "back": back}, follow_redirects=False)
        assert (answer.status_code, answer.headers["location"]) == (303, goes)
    assert "다음엔 무엇이 좋을까요?" in text(server, "/welcome")
    assert server.client.post("/language", data={"lang": "xx"}, headers=PAGE).status_code == 400


def test_people_are_told_in_pages_and_programs_in_json(server: World):
    assert "There is no such page." in text(server, "/nowhere", 404)
    assert server.client.get("/api/v1/nowhere").json()["error"]["code"] == "not_found"
    part = server.client.get("/nowhere", headers={"HX-Request": "true"})
    assert part.headers["HX-Retarget"] == "#problem" and "<html" not in part.text


def test_no_page_of_another_origin_may_post(server: World):
    answer = server.client.post("/welcome", data=AGREED, headers={"sec-fetch-site": "cross-site"})
    assert answer.status_code == 403 and not users(server)


def test_pages_load_nothing_from_elsewhere(server: World):
    answer = server.client.get("/welcome", headers=PAGE)
    policy = answer.headers["content-security-policy"]
    assert "default-src 'none'" in policy and "unsafe" not in policy and "http" not in policy
    assert not re.search(r'(?:src|href|action)="(?!/|#)', answer.text)
    assert (
        " style=" not in answer.text
        and "<style" not in answer.text
        and not re.search(r"<script(?! src)", answer.text)
    )


def test_files_are_kept_by_browsers_under_addresses_that_change_with_them(server: World):
    for name, digest in digests().items():
        answer = server.client.get(f"/static/{digest}/{name}")
        assert answer.status_code == 200 and "immutable" in answer.headers["cache-control"]
    for path in ("/static/0/base.css", f"/static/{digests()['base.css']}/..%2Frender.py", "/static/x/y"):
        assert server.client.get(path).status_code == 404
