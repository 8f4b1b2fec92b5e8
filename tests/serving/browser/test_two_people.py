"""People who use one server at the same time, through pages and programs, never see each other's words."""

from __future__ import annotations

import json
import re
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx2
import pytest
from playwright.sync_api import Page, expect

from rectune.inference.requests import GenerationRequest
from rectune.recommender.recommender import Recommender
from tests.recommender.writer import from_facts
from tests.serving.browser.conftest import Visits
from tests.serving.browser.live import Live, author, live
from tests.serving.browser.steps import answered, enter, mark_pick

pytestmark = pytest.mark.slow
PAGES, PROGRAMS, ROUNDS = ("heron", "ibis", "jackdaw"), ("kestrel", "lapwing", "merlin"), 3
CANARY = re.compile("|".join((*PAGES, *PROGRAMS)))


def canaries(text: str) -> set[str]:
    """Whose words a text holds."""
    return set(CANARY.findall(text))


class Prompts:
    """What the model is asked, of all people; its answers tell the words that it was asked with."""

    def __init__(self) -> None:
        self.seen: list[set[str]] = []

    def write(self, request: GenerationRequest) -> str:
        """A reason, by the facts."""
        self.seen.append(canaries(str(request)))
        return from_facts(request)


def test_nobody_sees_what_another_says(wordy: Recommender, visits: Visits, tmp_path: Path):
    prompts = Prompts()
    engine = author(prompts.write, slots=3)
    with live(wordy, tmp_path, engine, max_waiting=100) as server, ThreadPoolExecutor(3) as pool:
        programs = [pool.submit(_program, server.url, name) for name in PROGRAMS]
        pages = {name: visits.begin(server) for name in PAGES}
        for name, page in pages.items():
            enter(page, words=f"{name} tastes")
            mark_pick(page, "like", "Moon Landing")
        for round in range(ROUNDS):
            _ask_together(pages, round)
        for name, page in pages.items():
            _kept(page, name)
        told = {name: future.result(60) for name, future in zip(PROGRAMS, programs, strict=True)}
        _answers_are_their_own(server, pages)
    for name, texts in told.items():
        assert len(texts) > 2 * ROUNDS and set().union(*map(canaries, texts)) == {name}
    assert len(prompts.seen) > 20 and max(map(len, prompts.seen)) <= 1
    assert visits.refused == {404}
    visits.refused.clear()


def _ask_together(pages: dict[str, Page], round: int) -> None:
    """All ask before anybody has an answer."""
    before = {}
    for name, page in pages.items():
        if not round:
            page.goto("/for-you")
        before[name] = answered(page)
        page.locator("#wish-words").fill(f"moon {name} {round}")
    for page in pages.values():
        page.get_by_role("button", name="Recommend", exact=True).click(no_wait_after=True)
    for name, page in pages.items():
        answered(page, before[name])
        assert canaries(page.content()) | canaries(page.locator("#wish-words").input_value()) == {name}


def _kept(page: Page, name: str) -> None:
    """What the server knows of somebody is theirs."""
    page.goto("/mine")
    page.get_by_label("Occupation").fill(f"{name} keeper")
    page.get_by_role("button", name="Save", exact=True).click()
    expect(page.get_by_label("Occupation")).to_have_value(f"{name} keeper")
    for address in ("/mine", "/mine/answers", "/mine/export", "/choose"):
        told = page.request.get(address).text()
        assert canaries(told) == ({name} if address != "/choose" else set())


def _answers_are_their_own(server: Live, pages: dict[str, Page]) -> None:
    """An address of an answer shows it to who got it, and to nobody else."""
    for name, page in pages.items():
        page.goto("/mine/answers")
        address = page.locator("a[href^='/for-you/']").first.get_attribute("href") or ""
        assert canaries(page.request.get(address).text()) == {name}
        for other in pages.values():
            if other is not page:
                answer = other.goto(address)
                assert answer and answer.status == 404 and not canaries(answer.text())
        assert httpx2.get(server.url + address, follow_redirects=False).status_code == 303


def _program(url: str, name: str) -> list[str]:
    """A user of the interface for programs, at the same time; returns all that was told them."""
    texts = []
    with httpx2.Client(base_url=url, timeout=60) as client:

        def ask(path: str, **more: object) -> None:
            answer = client.post(path, **more)  # type: ignore[arg-type]
            assert answer.status_code < 300, answer.text
            texts.append(answer.text)

        ask("/api/v1/users", json={"id": f"user-{name}", "tastes": [f"{name} tastes"]})
        ask("/api/v1/feedback", json={"user": f"user-{name}", "item": "11", "type": "like"})
        for number in range(ROUNDS):
            body = {"user": f"user-{name}", "query": f"space {name} {number}", "n": 4}
            ask("/api/v1/recommend", json=body)
            ask("/api/v1/recommend", json=body, headers={"accept": "text/event-stream"})
            again = json.loads(texts[-2])["id"]
            ask(f"/api/v1/recommend/{again}/again", json={"user": f"user-{name}"})
        texts.append(client.get(f"/api/v1/users/user-{name}/export").text)
    return texts
