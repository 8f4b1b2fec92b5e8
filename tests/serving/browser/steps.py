"""What a person does on the pages, step by step, in either language; with scripts and without."""

from __future__ import annotations

from collections.abc import Sequence

from playwright.sync_api import Locator, Page, expect

from rectune.core.types import Locale
from rectune.serving.web.texts import translation


def enter(page: Page, locale: Locale = "en", tastes: Sequence[str] = (), words: str = "") -> None:
    """Through the entrance to the page of choosing."""
    tr = translation(locale)
    page.goto("/")
    expect(page.locator("h1")).to_have_text(tr("What would you like next?"))
    for taste in tastes:
        page.locator(".chip", has_text=taste).first.click()
    page.get_by_label(tr("In your own words")).fill(words)
    page.locator("[name=consent]").check()
    page.get_by_role("button", name=tr("Begin"), exact=True).click()
    expect(page.locator("h1")).to_have_text(tr("What do you know?"))


def picks(page: Page) -> list[str]:
    """The titles that are asked about."""
    return page.locator(".pick h3").all_inner_texts()


def mark_pick(page: Page, mark: str, which: int | str = 0) -> str:
    """Mark one of those that are asked about, by its place or title. Returns its title.

    Another one takes its place.
    """
    cards = page.locator(".pick")
    card = cards.nth(which) if isinstance(which, int) else cards.filter(has_text=which)
    title = card.locator("h3").inner_text()
    card.locator(f"button.{mark}").click()
    expect(page.locator(".pick h3", has_text=title)).to_have_count(0)
    return title


def titles(page: Page) -> list[str]:
    """The titles of the cards of an answer."""
    return page.locator("#cards h3").all_inner_texts()


def answered(page: Page, before: str = "") -> str:
    """Wait until an answer is whole, another one than `before`; returns its id."""
    found = page.locator("#again input[name=id]")
    if before:
        expect(found).not_to_have_value(before)
    expect(found).to_have_count(1)
    return found.input_value()


def ask(page: Page, locale: Locale = "en", wish: str = "") -> str:
    """Send the form with a wish; returns the id of its answer."""
    before = page.locator("#again input[name=id]")
    last = before.input_value() if before.count() else ""
    page.locator("#wish-words").fill(wish)
    page.get_by_role("button", name=translation(locale)("Recommend"), exact=True).click()
    return answered(page, last)


def mark_card(page: Page, at: int, mark: str) -> Locator:
    """Press one of the four buttons of a card; returns it as it then is, pressed."""
    button = page.locator(f"#{mark}-{at}")
    button.click()
    expect(button).to_have_attribute("aria-pressed", "true")
    return button
