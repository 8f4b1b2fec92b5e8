"""`make screenshots`: the pictures in README and docs, from pages as a browser shows them.

Needs what `make setup-tests` installs (playwright and Debian's chromium), and for the report a finished run
of the demo. The pages of the service are those of `rectune serve` over the sample films.
"""

from __future__ import annotations

import io
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, Page, sync_playwright

from rectune.core.artifacts import ArtifactStore

CHROMIUM = "/usr/bin/chromium"
ARGUMENTS = (
    "--no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking "
    "--disable-component-update --disable-sync"
).split()
_SAMPLES = Path(__file__).parents[1] / "samples"
_WIDE = {"width": 1280, "height": 1000}
_NARROW = {"width": 400, "height": 1000}
_REPORT = {"width": 1280, "height": 1160}  # the report down to its answers


def screenshots(runs: Path, docs: Path) -> None:
    """Write all pictures."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        with served("movielens/movies.csv") as address:
            page = _page(browser, address, _WIDE)
            page.goto("/welcome")
            page.locator(".chip").nth(2).click()
            save(page, docs / "page-welcome.png")
            _enter(page)
            _like(page, ["Toy Story", "Alien", "Matrix"])
            page.goto("/choose")
            save(page, docs / "page-choose.png")
            _ask(page, "robots")
            save(page, docs / "page-for-you.png")
        with served("korean/films.csv", "--facts", "감독,출연,소재") as address:
            page = _page(browser, address, _NARROW, locale="ko", color_scheme="dark")
            _enter(page)
            _like(page, ["기생충", "괴물"])
            _ask(page, "")
            page.locator("#answer").evaluate("element => element.scrollIntoView()")
            save(page, docs / "page-korean.png")
        page = browser.new_page(viewport=_REPORT, color_scheme="light")  # type: ignore[arg-type]
        page.goto((ArtifactStore(runs).resolve("demo", "report") / "report.html").resolve().as_uri())
        save(page, docs / "report.png")
        browser.close()


def save(page: Page, out: Path) -> None:
    """Write what a page shows as a PNG of few colours."""
    from PIL import Image

    Image.open(io.BytesIO(page.screenshot())).convert("RGB").quantize(64).save(out, optimize=True)


@contextmanager
def served(catalogue: str, *options: str) -> Iterator[str]:
    """The address of a `rectune serve` of a sample, with a store of its own, without a model."""
    with tempfile.TemporaryDirectory() as folder:
        place = ["--port", "0", "--database", f"{folder}/store.sqlite", "--runs", folder]
        what = ["--catalogue", str(_SAMPLES / catalogue), "--domain", "movies", "--model", "none"]
        command = [sys.executable, "-m", "rectune", "serve", *what, *place, *options]
        with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
            assert process.stderr
            try:
                yield _address(process.stderr)
            finally:
                process.terminate()


def _address(lines: Iterator[str] | Any) -> str:
    """Where a server says that it listens."""
    said = ""
    for line in lines:
        said += line
        if found := re.fullmatch(r"listening on (\S+)\n", line):
            return found[1]
    raise SystemExit(said)


def _page(browser: Browser, address: str, size: dict[str, int], **more: Any) -> Page:
    more = {"locale": "en", "color_scheme": "light", "reduced_motion": "reduce", **more}
    return browser.new_page(base_url=address, viewport=size, **more)  # type: ignore[arg-type]


def _enter(page: Page) -> None:
    """Through the entrance."""
    page.goto("/welcome")
    page.locator("[name=consent]").check()
    page.locator("form.panel button.primary").click()
    page.locator(".pick").first.wait_for()


def _like(page: Page, titles: Sequence[str]) -> None:
    """Find films by their titles, and like them."""
    for number, title in enumerate(titles, 1):
        page.locator("#query").fill(title)
        page.locator(".hit", has_text=title).first.locator("button.like").click()
        page.locator(".count strong", has_text=str(number)).wait_for()


def _ask(page: Page, wish: str) -> None:
    """A recommendation, whole."""
    page.goto("/for-you")
    page.locator("#again button").wait_for()
    if wish:
        last = page.locator("#again input").input_value()
        page.locator("#wish-words").fill(wish)
        page.locator("#wish-words").press("Enter")
        page.locator(f"#again input[value='{last}']").wait_for(state="detached")
        page.locator("#again button").wait_for()


if __name__ == "__main__":
    screenshots(*(Path(argument) for argument in sys.argv[1:3]))
