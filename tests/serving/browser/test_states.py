"""What the pages show while an answer is made, and when something is not as it should be."""

from __future__ import annotations

import re
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import httpx2
import pytest
from playwright.sync_api import Page, expect

from rectune.core.types import Locale
from rectune.recommender.recommender import Recommender
from rectune.serving.web.texts import translation
from tests.recommender.shelf import FILMS
from tests.serving.browser.axe import inspect
from tests.serving.browser.conftest import Visits
from tests.serving.browser.live import CATALOGUES, Live, OneByOne, author, live, of_catalogue
from tests.serving.browser.steps import answered, ask, enter, mark_pick, titles
from tests.serving.test_streams_and_queue import until
from tests.serving.world import Author

pytestmark = pytest.mark.slow
WAITING = 1  # that may wait for the model of `one_slot`


@pytest.fixture
def model() -> Author:
    """A model of one slot."""
    return author()


@pytest.fixture
def one_slot(wordy: Recommender, model: Author, tmp_path: Path) -> Iterator[Live]:
    """A server whose model writes one answer at a time, and lets another one wait."""
    with live(wordy, tmp_path, model, max_waiting=WAITING) as made:
        yield made
        model.gate.set()


@contextmanager
def held(server: Live, model: Author, requests: int) -> Iterator[list[Future[httpx2.Response]]]:
    """While so many requests of programs wait for a model that stands still."""
    model.gate.clear()
    with ThreadPoolExecutor(requests) as pool:
        body = {"history": ["Moon Landing"], "n": 1}
        asked = []
        for number in range(requests):
            asked.append(pool.submit(httpx2.post, f"{server.url}/api/v1/recommend", json=body, timeout=60))
            until(lambda: len(model.open) + len(model.waiting) == number + 1)  # noqa: B023
        try:
            yield asked
        finally:
            model.gate.set()


@pytest.mark.parametrize("locale", ["en", "ko"])
def test_the_place_in_line_is_told(
    locale: Locale, wordy: Recommender, model: Author, visits: Visits, tmp_path: Path
):
    tr = translation(locale)
    with live(wordy, tmp_path, model, max_waiting=9) as server, held(server, model, 2) as others:
        page = visits.begin(server, locale)
        enter(page, locale)
        mark_pick(page, "like", "Moon Landing")
        page.goto("/for-you")
        expect(page.locator("#progress")).to_have_text(
            tr("Waiting for the language model: {n} before you.", n=1)
        )
        expect(page.locator(".pending").first).to_have_text(tr("The reason is being worded …"))
        inspect(page)
        model.gate.set()
        assert others[0].result(30).status_code == 200
        answered(page)
        expect(page.locator(".pending, .ghost")).to_have_count(0)
        expect(page.locator(".waiting")).to_be_hidden()


def test_reasons_come_one_by_one(wordy: Recommender, visits: Visits, tmp_path: Path):
    turns = OneByOne()
    with live(wordy, tmp_path, author(turns.write)) as server:
        page = visits.begin(server)
        enter(page)
        mark_pick(page, "like", "Moon Landing")
        page.get_by_role("link", name="Show my recommendations").click()
        pending, written = page.locator(".pending"), page.locator(".reason .by")
        expect(pending).to_have_count(5)
        page.locator("#like-1").focus()
        for number in range(1, 6):
            turns.let(1)
            expect(written).to_have_count(number)
            expect(pending).to_have_count(5 - number)
            expect(page.locator("#like-1")).to_be_focused()
        answered(page)
        expect(page.locator("#like-1")).to_be_focused()
        assert page.locator(".by", has_text="worded by the language model, checked").count() == 5
        inspect(page)
        turns.let(100)


def test_who_asks_anew_gets_the_new_answer(wordy: Recommender, visits: Visits, tmp_path: Path):
    turns = OneByOne()
    with live(wordy, tmp_path, author(turns.write)) as server:
        page = visits.begin(server)
        enter(page)
        mark_pick(page, "like", "Moon Landing")
        page.goto("/for-you")
        expect(page.locator(".pending").first).to_be_visible()
        page.locator("#wish-words").fill("bread")
        page.get_by_role("button", name="Recommend", exact=True).click()
        turns.let(100)
        answered(page)
        expect(page.locator(".strategy")).to_contain_text("and by your words.")
        assert titles(page)[0].startswith("Bread")


@pytest.mark.parametrize("locale", ["en", "ko"])
def test_a_full_queue_counts_down_and_then_lets_in(
    locale: Locale, one_slot: Live, model: Author, visits: Visits
):
    tr = translation(locale)
    page = visits.begin(one_slot, locale)
    enter(page, locale)
    mark_pick(page, "like", "Moon Landing")
    page.clock.install()  # seconds of the countdown go by as they are told to
    with held(one_slot, model, 1 + WAITING):
        page.goto("/for-you")
        expect(page.get_by_role("alert")).to_contain_text(tr("Many are asking at the moment."))
        again = page.get_by_role("link", name=re.compile("^" + re.escape(tr("Try again"))))
        expect(again).to_have_attribute("aria-disabled", "true")
        left = _seconds(again.inner_text())
        inspect(page)
        assert left > 0
        page.clock.run_for(1_000)
        assert _seconds(again.inner_text()) < left
        model.gate.set()
        page.clock.run_for(1_000 * left)
        expect(again).not_to_have_attribute("aria-disabled", "true")
        again.click()
        answered(page)
    assert len(titles(page)) == 5 and visits.refused <= {503}
    visits.refused.clear()


def test_a_full_queue_without_scripts(one_slot: Live, model: Author, visits: Visits):
    page = visits.begin(one_slot, scripts=False)
    enter(page)
    mark_pick(page, "like", "Moon Landing")
    page.goto("/for-you")
    assert ask(page)
    with held(one_slot, model, 1 + WAITING):
        page.get_by_role("button", name="Recommend", exact=True).click()
        expect(page.get_by_role("alert")).to_contain_text("Many are asking at the moment.")
    page.get_by_role("link", name="Try again").click()
    expect(page.locator("h1")).to_have_text("For you")
    assert ask(page) and visits.refused == {503}
    visits.refused.clear()


def _seconds(text: str) -> int:
    """The number of a countdown; 0 when it is over."""
    return int(next(iter(re.findall(r"\((\d+)\)", text)), "0"))


@pytest.mark.parametrize("locale", ["en", "ko"])
def test_a_model_that_is_gone_leaves_sentences(locale: Locale, one_slot: Live, model: Author, visits: Visits):
    tr = translation(locale)
    page = visits.begin(one_slot, locale)
    enter(page, locale)
    mark_pick(page, "like", "Moon Landing")
    model.fails = True
    for _ in range(2):  # while it fails, and when it is gone
        page.goto("/for-you")
        answered(page)
        assert (
            page.locator(".by").all_inner_texts() == [tr("a plain sentence from the catalogue's facts")] * 5
        )
    notice = tr("The language model has stopped, so plain sentences give the reasons.")
    expect(page.locator(".notice")).to_have_text(notice)
    inspect(page)


def test_a_connection_that_breaks_is_told(wordy: Recommender, visits: Visits, tmp_path: Path):
    turns = OneByOne()
    with live(wordy, tmp_path, author(turns.write)) as server:
        page = visits.begin(server)
        enter(page)
        mark_pick(page, "like", "Moon Landing")
        page.goto("/for-you")
        expect(page.locator(".pending").first).to_be_visible()
        page.context.set_offline(True)
        page.get_by_role("button", name="Recommend", exact=True).click()
        expect(page.get_by_role("alert")).to_contain_text("The server cannot be reached.")
        inspect(page)
        page.context.set_offline(False)
        turns.let(100)
        page.get_by_role("button", name="Recommend", exact=True).click()
        answered(page)
        expect(page.get_by_role("alert")).to_have_count(0)
    away = ("Failed to fetch", "ERR_INTERNET_DISCONNECTED")
    visits.faults = [fault for fault in visits.faults if not any(word in fault for word in away)]


@pytest.mark.parametrize("locale", ["en", "ko"])
def test_nothing_fits_and_everything_was_shown(locale: Locale, visits: Visits, tmp_path: Path):
    tr = translation(locale)
    strict = of_catalogue(CATALOGUES["en"], tmp_path / "strict", "hybrid", min_similarity=0.9999)
    with live(strict, tmp_path) as server:
        page = visits.begin(server, locale)
        enter(page, locale)
        page.goto("/for-you")
        answered(page)
        ask(page, locale, "zzz qqq xxx")
        expect(page.locator(".notice")).to_have_text(
            tr("Nothing in the catalogue fits this well. These are the nearest.")
        )
        inspect(page)
        shown = titles(page)
        while (more := page.locator("#again button")).count():
            last = answered(page)
            more.click()
            expect(page.locator(f"#again input[value='{last}']")).to_have_count(0)
            expect(page.locator("#progress .hidden")).to_have_count(1)
            shown += titles(page)
        assert len(shown) == len(set(shown)) == len(strict.items)
        expect(page.locator(".strategy")).to_contain_text(
            tr("Everything that meets this has been shown or marked already.")
        )
        inspect(page)


@pytest.mark.parametrize("locale", ["en", "ko"])
def test_words_that_no_item_has(
    locale: Locale, shelves: dict[Locale, Recommender], visits: Visits, tmp_path: Path
):
    tr = translation(locale)
    with live(shelves[locale], tmp_path) as server:
        page = visits.begin(server, locale)
        enter(page, locale)
        page.goto("/for-you")
        answered(page)
        page.locator("#wish-words").fill("zzz qqq xxx")
        page.locator("#wish-words").press("Enter")
        expect(page.locator(".strategy")).to_contain_text(
            tr("No item that is still to be shown has these words. Try others.")
        )
        expect(page.locator(".card")).to_have_count(0)
        inspect(page)


def test_kinds_and_years_that_no_item_has(wordy: Recommender, visits: Visits, tmp_path: Path):
    assert ("Crime", 1990) not in zip(FILMS["genres"], FILMS["year"], strict=True)
    with live(wordy, tmp_path, author()) as server:
        for scripts in (True, False):
            page = visits.begin(server, scripts=scripts)
            enter(page)
            page.goto("/for-you")
            page.locator(".wish summary").click()
            page.locator(".wish .chip", has_text="Crime").click()
            page.locator("#decade").select_option("1990")
            page.get_by_role("button", name="Recommend", exact=True).click()
            expect(page.locator("#answer h2")).to_have_text("Nothing is like that")
            expect(page.locator(".card")).to_have_count(0)
            if scripts:
                inspect(page)


@pytest.mark.parametrize("locale", ["en", "ko"])
def test_pages_that_are_not_there(
    locale: Locale, shelves: dict[Locale, Recommender], visits: Visits, tmp_path: Path
):
    tr = translation(locale)
    with live(shelves[locale], tmp_path) as server:
        page = visits.begin(server, locale)
        _told(page, "/nothing", tr("There is no such page."))
        inspect(page)
        enter(page, locale)
        _told(page, "/for-you/0123", tr("There is no such page."))
        _told(page, "/mine/marks?type=none", tr("This cannot be done."))
        inspect(page)
        page.get_by_role("link", name=tr("To the beginning")).click()
        expect(page.locator("h1")).to_have_text(tr("For you"))
        answered(page)
    assert visits.refused <= {404, 400, 422}
    visits.refused.clear()


def _told(page: Page, address: str, what: str) -> None:
    page.goto(address)
    expect(page.get_by_role("alert")).to_contain_text(what)
