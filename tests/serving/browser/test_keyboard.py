"""The pages by the keyboard alone: everything is reached, the focus is seen, and no swap loses it."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.sync_api import expect

from rectune.core.types import Locale
from rectune.recommender.recommender import Recommender
from rectune.serving.web.texts import translation
from tests.serving.browser.conftest import Visits
from tests.serving.browser.keyboard import assert_focus, focus_of, tab_to
from tests.serving.browser.live import live
from tests.serving.browser.steps import answered, enter, mark_pick, picks, titles

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("locale", ["en", "ko"])
def test_the_whole_way_by_keyboard(
    locale: Locale, shelves: dict[Locale, Recommender], visits: Visits, tmp_path: Path
):
    tr = translation(locale)
    with live(shelves[locale], tmp_path) as server:
        page = visits.begin(server, locale)
        press = page.keyboard.press
        page.goto("/welcome")
        press("Tab")
        expect(page.locator(".skip")).to_be_focused()
        press("Enter")
        tab_to(page.locator(".chip input").nth(1))  # from the content on: not through the top again
        press("Space")
        tab_to(page.locator("[name=consent]"))
        press("Space")
        tab_to(page.get_by_role("button", name=tr("Begin"), exact=True))
        press("Enter")
        expect(page.locator("h1")).to_have_text(tr("What do you know?"))

        tab_to(page.locator("#query"))
        page.keyboard.type(picks(page)[0][:3])
        expect(page.locator(".hit").first).to_be_visible()
        tab_to(page.locator(".hit button.like").first)
        press("Enter")
        expect(page.locator(".hit button.like").first).to_have_attribute("aria-pressed", "true")
        assert_focus(page)
        for number in (2, 3):  # each gives its place to another, and the next key goes on there
            tab_to(page.locator(".pick button.like").first)
            press("Space")
            expect(page.locator(".count")).to_contain_text(tr("{n} marked", n=number))
            expect(page.locator(".pick button.like").first).to_be_focused()
            assert_focus(page)
        before = picks(page)
        tab_to(page.locator("#others"))
        press("Enter")
        expect(page.locator(".pick h3").first).not_to_have_text(before[0])
        assert_focus(page)
        tab_to(page.get_by_role("link", name=tr("Show my recommendations")), "Shift+Tab")
        press("Enter")

        expect(page.locator("h1")).to_have_text(tr("For you"))
        first = answered(page)
        tab_to(page.locator("#wish-words"))
        page.keyboard.type("family")
        press("Enter")
        second = answered(page, first)
        expect(page.locator("#wish-words")).to_be_focused()
        tab_to(page.locator(".moods input").first)
        press("ArrowRight")
        third = answered(page, second)
        expect(page.locator(".moods input").nth(1)).to_be_focused()
        tab_to(page.locator("#like-1"))
        press("Space")
        expect(page.locator("#like-1")).to_have_attribute("aria-pressed", "true")
        expect(page.locator("#like-1")).to_be_focused()
        shown = titles(page)
        tab_to(page.locator("#again button"))
        press("Enter")
        answered(page, third)
        assert_focus(page)
        assert not set(titles(page)) & set(shown)
        tab_to(page.locator("#like-1"))  # what is new is near
        assert page.evaluate("document.activeElement.closest('#cards') !== null")


def test_focus_stays_where_what_had_it_goes(
    shelves: dict[Locale, Recommender], visits: Visits, tmp_path: Path
):
    with live(shelves["en"], tmp_path) as server:
        page = visits.begin(server)
        enter(page)
        mark_pick(page, "like")
        tab_to(page.locator(".marked summary"), "Shift+Tab")
        page.keyboard.press("Enter")
        tab_to(page.locator(".marked li button"))
        page.keyboard.press("Enter")
        expect(page.locator(".marked")).to_have_count(0)
        assert not focus_of(page)["lost"]
        assert_focus(page)


def test_the_last_of_all_marks_leaves_the_focus(wordy: Recommender, visits: Visits, tmp_path: Path):
    with live(wordy, tmp_path) as server:
        page = visits.begin(server)
        enter(page)
        for left in range(6, 0, -1):
            expect(page.locator(".pick")).to_have_count(left)
            tab_to(page.locator(".pick button.seen").last)
            page.keyboard.press("Enter")
            expect(page.locator(".pick")).to_have_count(left - 1)
            assert_focus(page)
