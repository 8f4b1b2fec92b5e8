"""What axe-core finds wrong with a page, and what does not fit on it."""

from __future__ import annotations

from importlib import resources
from typing import Any

from playwright.sync_api import Page

AXE = resources.files("axe_playwright_python").joinpath("axe.min.js").read_text("utf-8")
_WIDTHS = (360, 1280)
_TOO_WIDE = """() => [...document.querySelectorAll("body *")].filter(e => {
  const box = e.getBoundingClientRect();
  return box.width > 1 && box.right > document.documentElement.clientWidth + 1 && !e.closest(".wide");
}).map(e => e.outerHTML.slice(0, 120))"""


def inspect(page: Page) -> None:
    """Fail where axe-core finds a violation, light or dark, narrow or wide, or where something sticks out."""
    size = page.viewport_size
    for width in _WIDTHS:
        page.set_viewport_size({"width": width, "height": 900})
        assert page.evaluate(_TOO_WIDE) == [], f"too wide at {width}: {page.url}"
        for scheme, rules in (
            ("light", ""),
            ("dark", '{runOnly: ["color-contrast"]}'),
        ):  # only colours differ
            page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
            found = page.evaluate(f"() => axe.run({rules})")
            assert not found["violations"], f"{page.url}, {width} pixels, {scheme}:\n{_told(found)}"
    page.emulate_media(color_scheme="light")
    if size:
        page.set_viewport_size(size)


def _told(found: dict[str, Any]) -> str:
    return "\n".join(
        f"{one['id']}: {one['help']}: {node['html'][:200]}: {node.get('failureSummary', '')}"
        for one in found["violations"]
        for node in one["nodes"]
    )
