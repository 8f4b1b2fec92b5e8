"""People who look at the page: each has a session, whose cookie the client then sends."""

from __future__ import annotations

import re
from html import unescape
from typing import Any

from rectune.serving.store import sessions, users
from rectune.serving.web.visitor import COOKIE
from tests.serving.world import URL, World


def sign_in(server: World, name: str, **profile: Any) -> int:
    """Make a user if need be, and look at the page as them from now on; returns the number of their row."""
    with server.database.writing() as session:
        user = users.find(session, name) or users.create(session, name, **profile)
        token = sessions.start(session, user.id)
    as_visitor(server, token)
    return user.id


def as_visitor(server: World, token: str) -> None:
    """Send this session's cookie from now on."""
    server.client.cookies.set(COOKIE, token, domain="127.0.0.1")


def seen(server: World, path: str) -> str:
    """A page's text: what a person reads, blanks made one."""
    answer = server.client.get(path)
    assert answer.status_code == 200, answer.text
    return text_of(answer.text)


def text_of(html: str) -> str:
    """What a person reads of HTML."""
    return unescape(re.sub(r"\s+", " ", re.sub(r"<[^>]*>", " ", html.partition("<main")[2]))).strip()


def form(server: World, path: str, **entries: Any) -> Any:
    """Send a form as a browser does, and do not follow where it leads."""
    headers = {"Sec-Fetch-Site": "same-origin", "Origin": URL}
    return server.client.post(path, data=entries, headers=headers, follow_redirects=False)
