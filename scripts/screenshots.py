"""`make screenshots`: the pictures in README and docs, from pages as a browser shows them.

Needs what `make setup-tests` installs (playwright and Debian's chromium), and a finished run of the demo.
"""

from __future__ import annotations

import io
import sys
from pathlib import Path

from rectune.core.artifacts import ArtifactStore

CHROMIUM = "/usr/bin/chromium"
ARGUMENTS = (
    "--no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking "
    "--disable-component-update --disable-sync"
).split()
_WIDTH, _HEIGHT = 1280, 1160  # pixels: the report down to its answers


def screenshot(page: Path, out: Path) -> None:
    """Write the first screen of a page as a PNG of few colours."""
    from PIL import Image
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        shown = browser.new_page(viewport={"width": _WIDTH, "height": _HEIGHT}, color_scheme="light")
        shown.goto(page.resolve().as_uri())
        taken = shown.screenshot()
        browser.close()
    Image.open(io.BytesIO(taken)).convert("RGB").quantize(64).save(out, optimize=True)


if __name__ == "__main__":
    runs, docs = (Path(argument) for argument in sys.argv[1:])
    screenshot(ArtifactStore(runs).resolve("demo", "report") / "report.html", docs / "report.png")
