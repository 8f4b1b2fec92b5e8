"""Where the buttons of the languages lead back to: to an address that a browser can ask for."""

from __future__ import annotations

import re
from html import unescape

import pytest

from tests.serving.web.person import person
from tests.serving.world import World

BACK = re.compile(r'name="back" value="([^"]*)"')


@pytest.mark.parametrize(
    "method, address, back",
    [
        ("GET", "/choose", "/choose"),
        ("GET", "/mine/marks?type=like", "/mine/marks?type=like"),
        ("GET", "/choose?lang=ko", "/choose"),
        ("POST", "/mine/code", "/mine"),
        ("POST", "/for-you/again", "/for-you"),  # without an id: an error
        ("POST", "/code", "/"),
        ("POST", "/nothing/of/that", "/"),
    ],
)
def test_it_leads_back_to_a_page(server: World, method: str, address: str, back: str):
    ann = person(server)
    shown = ann.get(address) if method == "GET" else ann.post(address)
    (found,) = {unescape(one) for one in BACK.findall(shown.text)}
    assert found == back
    sent = ann.post("/language", lang="ko", back=found)
    assert sent.status_code == 303 and sent.headers["location"] == back
    answer = ann.get(back)
    assert answer.status_code in (200, 303)
