"""What axe-core finds wrong with a page, and what does not fit on it."""

from __future__ import annotations

from importlib import resources
from typing import Any

from playwright.sync_api import Page

_AXE = resources.files("axe_playwright_python").joinpath("axe.min.js").read_text("utf-8")
_NARROW, _WIDE = 360, 1280
_CHECKS = (  # what differs: colours by the scheme; places by the width
    (_NARROW, "dark", '{runOnly: ["color-contrast"], resultTypes: ["violations"]}'),
    (_NARROW, "light", '{resultTypes: ["violations"]}'),
    (_WIDE, "light", '{resultTypes: ["violations"]}'),
)
_TOO_WIDE = """() => [...document.querySelectorAll("body *")].filter(e => {
  const box = e.getBoundingClientRect();
  return box.width > 1 && box.right > document.documentElement.clientWidth + 1 && !e.closest(".wide");
}).map(e => e.outerHTML.slice(0, 120))"""
# What is pressed with a finger, words within sentences apart; of a hidden box its label counts.
_TOO_SMALL = """() => [...document.querySelectorAll("button, .button, summary, select, input, nav a")]
  .map(e => e.matches("[type=checkbox], [type=radio]") ? e.closest("label") : e)
  .filter(e => e.checkVisibility() && e.type !== "hidden" && e.getBoundingClientRect().height < 43.5)
  .map(e => e.outerHTML.slice(0, 120))"""


def inspect(page: Page) -> None:
    """Fail where axe-core finds a violation, light or dark, narrow or wide; where something sticks out; or
    where a finger misses something on a phone.
    """
    size = page.viewport_size
    if not page.evaluate("'axe' in window"):
        page.evaluate(_AXE)
    for width, scheme, rules in _CHECKS:
        page.set_viewport_size({"width": width, "height": 900})
        page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
        assert page.evaluate(_TOO_WIDE) == [], f"too wide at {width}: {page.url}"
        assert width != _NARROW or page.evaluate(_TOO_SMALL) == [], f"too small: {page.url}"
        found = page.evaluate(f"() => axe.run({rules})")
        assert not found["violations"], f"{page.url}, {width} pixels, {scheme}:\n{_told(found)}"
    if size:
        page.set_viewport_size(size)


def _told(found: dict[str, Any]) -> str:
    return "\n".join(
        f"{one['id']}: {one['help']}: {node['html'][:200]}: {node.get('failureSummary', '')}"
        for one in found["violations"]
        for node in one["nodes"]
    )
