"""The whole way of a person through the pages, in both languages, with scripts and without."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from rectune.core.types import Locale
from rectune.recommender.recommender import Recommender
from rectune.serving.store import api_keys
from rectune.serving.web.texts import translation
from tests.serving.browser.axe import inspect
from tests.serving.browser.conftest import Visits
from tests.serving.browser.live import live
from tests.serving.browser.steps import answered, ask, enter, mark_card, mark_pick, picks, titles

pytestmark = pytest.mark.slow
# A kind of each catalogue, and the beginning and the rest of a title, as somebody types it.
KNOWN: dict[Locale, tuple[str, str, str]] = {
    "en": ("Comedy", "toy ", "story"),
    "ko": ("드라마", "기생", "충"),
}
SAID: dict[Locale, tuple[str, str]] = {
    "en": ("I can't stand westerns", "I love thrillers"),
    "ko": ("전쟁 영화는 못 봐", "스릴러를 좋아해"),
}


@pytest.mark.parametrize("scripts", [True, False], ids=["scripts", "no-scripts"])
@pytest.mark.parametrize("locale", ["en", "ko"])
def test_the_whole_way(
    locale: Locale, scripts: bool, shelves: dict[Locale, Recommender], visits: Visits, tmp_path: Path
):
    kind, begun, rest = KNOWN[locale]
    with live(shelves[locale], tmp_path, search_url="https://search.example/?q={title}") as server:
        page = visits.begin(server, locale, scripts)
        _welcome(page, locale, kind, scripts)
        liked = _choose(page, locale, begun, rest, scripts)
        marked = [*liked, *_be_recommended(page, locale, kind, scripts, liked)]
        _talk(page, locale, scripts)
        code = _my_data(page, locale, scripts, marked)
        other = visits.begin(server, locale, scripts)
        _come_back(other, locale, code, marked)
        _delete(other, locale, scripts)
        page.goto("/mine")
        expect(page.locator("h1")).to_have_text(translation(locale)("What would you like next?"))
    assert visits.refused == {422}  # without consent, and with a wrong code
    visits.refused.clear()


def _welcome(page: Page, locale: Locale, kind: str, scripts: bool) -> None:
    tr = translation(locale)
    page.goto("/welcome")
    assert page.locator("html").get_attribute("lang") == locale
    if scripts:
        inspect(page)
    page.locator("[name=consent]").evaluate("e => e.required = false")
    page.get_by_role("button", name=tr("Begin"), exact=True).click()
    expect(page.get_by_role("alert")).to_contain_text("14")
    if scripts:
        inspect(page)
    enter(page, locale, [kind], "moon")


def _choose(page: Page, locale: Locale, begun: str, rest: str, scripts: bool) -> list[str]:
    """Marks three, finds one by its title, and takes one back; returns the titles of what is liked."""
    tr = translation(locale)
    first = picks(page)
    assert len(first) == len(set(first)) == 12
    liked = [mark_pick(page, "like"), mark_pick(page, "like", 4)]
    not_liked = mark_pick(page, "dislike", 2)
    expect(page.locator(".count")).to_contain_text(tr("{n} marked", n=3))
    assert len(picks(page)) == 12 and picks(page)[1] == first[1]  # what was not answered stays
    box = page.locator("#query")
    if scripts:
        box.press_sequentially(begun)
        expect(page.locator(".hit").first).to_contain_text(begun.strip(), ignore_case=True)
        box.press_sequentially(rest)
    else:
        box.fill(begun + rest)
        page.get_by_role("button", name=tr("Search"), exact=True).click()
    hit = page.locator(".hit").first
    expect(hit).to_contain_text(begun + rest, ignore_case=True)
    liked.append(hit.locator("h3").inner_text())
    hit.locator("button.like").click()
    expect(page.locator(".hit button.like").first).to_have_attribute("aria-pressed", "true")
    expect(page.locator(".count")).to_contain_text(tr("{n} marked", n=4))
    if scripts:
        inspect(page)
    page.locator(".marked summary").click()
    page.locator(".marked li", has_text=not_liked).get_by_role("button").click()
    expect(page.locator(".count")).to_contain_text(tr("{n} marked", n=3))
    page.get_by_role("link", name=tr("Show my recommendations")).click()
    return liked


def _be_recommended(page: Page, locale: Locale, kind: str, scripts: bool, liked: list[str]) -> list[str]:
    """Asks, narrows down, marks cards, and asks for others; returns the titles of what is marked."""
    tr = translation(locale)
    expect(page.locator("h1")).to_have_text(tr("For you"))
    if not scripts:
        page.get_by_role("button", name=tr("Recommend"), exact=True).click()
    plain = answered(page)
    expect(page.locator(".strategy")).to_contain_text(tr("Chosen by what you like."))
    assert len(titles(page)) == 8 and not set(titles(page)) & set(liked)
    if scripts:
        inspect(page)
        page.locator(".moods .chip").nth(3).click()  # asks at once
        answered(page, plain)
    else:
        page.locator(".moods .chip").nth(3).click()
        ask(page, locale)
    expect(page.locator(".strategy")).to_contain_text(tr("Chosen by what you like and by your words."))
    page.locator(".wish summary").click()
    page.locator(".wish .chip", has_text=kind).first.click()
    page.locator("#explore").select_option("25")
    ask(page, locale, "family")
    for facts in page.locator("#cards .facts").all_inner_texts():
        assert kind in facts
    shown = titles(page)
    for place, mark in enumerate(["like", "dislike", "seen", "hide"], 1):
        mark_card(page, place, mark)
    page.locator("#hide-4").click()  # taken back
    expect(page.locator("#hide-4")).to_have_attribute("aria-pressed", "false")
    if scripts:
        inspect(page)
    before = answered(page)
    page.get_by_role("button", name=tr("Others, please")).click()
    answered(page, before)
    assert not set(titles(page)) & {*shown, *liked}
    return shown[:3]


def _talk(page: Page, locale: Locale, scripts: bool) -> None:
    """Says two things, deletes the first; then sees what is thought of them, and takes a claim away."""
    tr = translation(locale)
    page.get_by_role("link", name=tr("Chat"), exact=True).click()
    for number, text in enumerate(SAID[locale], 1):
        page.locator("#words").fill(text)
        page.get_by_role("button", name=tr("Send"), exact=True).click()
        expect(page.locator(".turn .asked summary")).to_have_count(number)
    expect(page.locator("#facts q")).to_have_count(2)
    page.locator(".turn .asked summary").first.click()
    if scripts:
        inspect(page)
    page.locator(".turn").first.get_by_role("button", name=tr("Delete it"), exact=True).click()
    expect(page.locator(".turn")).to_have_count(1)
    expect(page.locator("#facts q")).to_have_count(1)
    page.get_by_role("link", name=tr("My taste"), exact=True).click()
    claims = page.locator("#claims .claim")
    count = claims.count()
    assert count > 1
    if scripts:
        inspect(page)
    claims.first.get_by_role("button", name=tr("Remove"), exact=True).click()
    expect(claims).to_have_count(count - 1)


def _my_data(page: Page, locale: Locale, scripts: bool, marked: list[str]) -> str:
    """Looks at what is kept, changes it, takes it along; returns a personal code."""
    tr = translation(locale)
    page.get_by_role("link", name=tr("My data"), exact=True).click()
    if scripts:
        inspect(page)
    kept = page.locator("#marks .what").all_inner_texts()
    assert sorted(kept) == sorted(marked)
    page.get_by_label(tr("Occupation")).fill("gardener")
    page.get_by_role("button", name=tr("Save"), exact=True).click()
    expect(page.get_by_role("status")).to_have_text(tr("The profile is kept as you see it."))
    expect(page.get_by_label(tr("Occupation"))).to_have_value("gardener")
    with page.expect_download() as loading:
        page.get_by_role("link", name=tr("Take it with me, as a JSON file")).click()
    told = json.loads(loading.value.path().read_text("utf-8"))
    assert "gardener" in json.dumps(told) and "moon" in json.dumps(told)
    page.get_by_role("button", name=tr("Make a code"), exact=True).click()
    code = page.locator(".code code").inner_text()
    page.get_by_role("link", name=tr("I have it")).click()
    expect(page.locator("#code-head ~ .note")).to_contain_text(tr("You have one, made on {day}.", day="")[:4])
    return code


def _come_back(page: Page, locale: Locale, code: str, marked: list[str]) -> None:
    """Enters the code on another device, at first a wrong one."""
    tr = translation(locale)
    for given in ("AAAAA-AAAAA-AAAAA-AAAAA", code):
        page.goto("/welcome")
        page.get_by_text(tr("I have a personal code")).click()
        page.locator("[name=code]").fill(given)
        page.get_by_role("button", name=tr("Come back")).click()
        if given != code:
            expect(page.get_by_role("alert")).to_have_text(
                tr("This code is nobody's. Look at it again, letter by letter.")
            )
    expect(page.locator("h1")).to_have_text(tr("For you"))
    page.goto("/mine")
    assert sorted(page.locator("#marks .what").all_inner_texts()) == sorted(marked)
    page.locator("#marks li button").first.click()
    expect(page.locator("#marks .what")).to_have_count(len(marked) - 1)


def _delete(page: Page, locale: Locale, scripts: bool) -> None:
    """Deletes everything; whatever device, nothing is left."""
    tr = translation(locale)
    page.goto("/mine/delete")
    if scripts:
        inspect(page)
    page.get_by_role("button", name=tr("Delete everything for good")).click()
    expect(page.locator("h1")).to_have_text(tr("Everything is deleted"))
    page.goto("/for-you")
    expect(page.locator("h1")).to_have_text(tr("What would you like next?"))


@pytest.mark.parametrize("locale", ["en", "ko"])
def test_the_page_of_administration(
    locale: Locale, shelves: dict[Locale, Recommender], visits: Visits, tmp_path: Path
):
    tr = translation(locale)
    with live(shelves[locale], tmp_path) as server:
        with server.database.writing() as session:
            key = api_keys.create(session, "boss", ["admin"])
        page = visits.begin(server, locale)
        page.goto("/admin")
        inspect(page)
        page.get_by_label(tr("A key with the scope admin")).fill(key)
        page.get_by_role("button", name=tr("Open")).click()
        expect(page.locator("#keys-head")).to_be_visible()
        inspect(page)
