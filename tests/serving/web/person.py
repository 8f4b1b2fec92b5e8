"""People who look at the page: each with a session of their own, over the test client of a world."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from starlette.responses import Response

from rectune.serving.store import sessions, users
from rectune.serving.web.visitor import COOKIE
from tests.serving.world import World

HTMX = {"HX-Request": "true", "Accept": "text/html, text/event-stream"}


@dataclass
class Person:
    """Somebody with a session; their requests carry its cookie and no other."""

    server: World
    token: str
    id: str

    def get(self, path: str, **headers: str) -> Response:
        """A page."""
        return self._asked("GET", path, headers, {})

    def post(self, path: str, headers: dict[str, str] | None = None, **form: Any) -> Response:
        """A form is sent; where the browser is sent on, that is the answer."""
        return self._asked("POST", path, headers or {}, form)

    def _asked(self, method: str, path: str, headers: dict[str, str], form: dict[str, Any]) -> Response:
        self.server.client.cookies.clear()
        return self.server.client.request(
            method, path, data=form or None, follow_redirects=False,
            headers={"Cookie": f"{COOKIE}={self.token}", "Accept-Language": "en"} | headers,
        )  # fmt: skip


def person(server: World, **profile: Any) -> Person:
    """A new user with a session."""
    with server.database.writing() as session:
        user = users.create(session, **profile)
        return Person(server, sessions.start(session, user.id), user.external_id)


def messages(text: str) -> list[str]:
    """The messages of a stream of server-sent events, each as its data."""
    blocks = [block for block in text.split("\n\n") if block.strip()]
    return [
        "\n".join(line[6:] for line in block.split("\n") if line.startswith("data: ")) for block in blocks
    ]


def titles(html: str) -> list[str]:
    """The titles of the cards of a page, as they stand in its source."""
    return re.findall(r'<h3 id="title-\d+">(.*?)</h3>', html)
