"""A browser, people who look at pages with it, and catalogues in two languages."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright

from rectune.core.types import Locale
from rectune.models.reference import gguf_file
from rectune.recommender.recommender import Recommender
from scripts.screenshots import ARGUMENTS, CHROMIUM
from tests.serving.browser.live import CATALOGUES, Live, of_catalogue
from tests.serving.world import with_model

_PATIENCE = 60_000  # milliseconds until something has to be there, on a machine that has other work
expect.set_options(timeout=_PATIENCE)


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    """Debian's Chromium; closed with each file, since its event loop is in the way of other tests."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        yield browser
        browser.close()


@dataclass
class Visits:
    """Makes pages of people who do not know each other, and keeps what their browsers were told."""

    browser: Browser
    contexts: list[BrowserContext] = field(default_factory=list)
    elsewhere: list[str] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)
    refused: set[int] = field(default_factory=set)

    def begin(
        self, server: Live, locale: Locale = "en", scripts: bool = True, width: int = 1280, **more: Any
    ) -> Page:
        """The page of somebody new, still empty. What it shows does not move, so that it can be measured."""
        context = self.browser.new_context(
            base_url=server.url, locale=locale, java_script_enabled=scripts, reduced_motion="reduce",
            viewport={"width": width, "height": 900}, accept_downloads=True, **more,
        )  # fmt: skip
        context.set_default_timeout(_PATIENCE)
        context.on("request", lambda asked: self._asked(server, asked.url))
        context.on("response", lambda answer: self._answered(answer.status))
        context.on("dialog", self._dialog)
        context.on("weberror", lambda error: self.faults.append(str(error.error)))
        context.on("console", lambda said: self._said(said.type, said.text))
        self.contexts.append(context)
        return context.new_page()

    def _asked(self, server: Live, url: str) -> None:
        if not url.startswith(f"{server.url}/"):
            self.elsewhere.append(url)

    def _answered(self, status: int) -> None:
        if status >= 400:
            self.refused.add(status)

    def _dialog(self, dialog: Any) -> None:
        self.faults.append(f"a dialog: {dialog.message}")
        dialog.dismiss()

    def _said(self, type: str, text: str) -> None:
        if type in ("error", "warning") and not text.startswith("Failed to load resource: the server resp"):
            self.faults.append(text)


@pytest.fixture
def visits(chromium: Browser) -> Iterator[Visits]:
    """People. At the end: nothing was asked of another host, and no script failed, asked or was forbidden.

    `refused` has the statuses of requests that failed; tests take out those that they mean to see.
    """
    made = Visits(chromium)
    yield made
    for context in made.contexts:
        context.close()
    assert (made.elsewhere, made.faults, made.refused) == ([], [], set())


@pytest.fixture(scope="session")
def wordy(recommender: Recommender, tmp_path_factory: pytest.TempPathFactory) -> Recommender:
    """With a model, and its vocabulary: Korean sentences are measured by it."""
    return with_model(recommender, tmp_path_factory.mktemp("wordy"), gguf_file("embedded"))


@pytest.fixture(scope="session")
def shelves(tmp_path_factory: pytest.TempPathFactory) -> dict[Locale, Recommender]:
    """A recommender of the sample films of each language."""
    folder = tmp_path_factory.mktemp("shelves")
    return {
        "en": of_catalogue(CATALOGUES["en"], folder / "en"),
        "ko": of_catalogue(CATALOGUES["ko"], folder / "ko"),
    }
