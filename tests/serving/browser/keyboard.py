"""Somebody who has no pointer: where the focus is, whether it can be seen, and how it is moved."""

from __future__ import annotations

from typing import Any

from playwright.sync_api import Locator, Page

_MOST = 120  # presses of Tab until something is reached
# What has the focus, and whether it is seen: by an outline, or that of the word beside a hidden box.
_FOCUS = """target => {
  const focused = document.activeElement;
  const shown = focused.matches(".chip input") ? focused.nextElementSibling : focused;
  const style = getComputedStyle(shown), box = shown.getBoundingClientRect();
  return {
    name: focused.tagName + "#" + focused.id, lost: focused === document.body, there: focused === target,
    outlined: style.outlineStyle !== "none" && parseFloat(style.outlineWidth) >= 2,
    inside: box.width > 0 && box.bottom > 0 && box.top < innerHeight && box.right > 0
      && box.left < innerWidth,
  };
}"""


def focus_of(page: Page) -> dict[str, Any]:
    """What has the focus."""
    found: dict[str, Any] = page.evaluate(_FOCUS)
    return found


def assert_focus(page: Page) -> None:
    """Fail where nothing has the focus, or where nobody sees it."""
    found = focus_of(page)
    assert not found["lost"] and found["outlined"] and found["inside"], found


def tab_to(target: Locator, key: str = "Tab") -> None:
    """Press a key until this has the focus; wherever it is on the way, it is seen."""
    page, wanted = target.page, target.element_handle()
    for _ in range(_MOST):
        page.keyboard.press(key)
        found = page.evaluate(_FOCUS, wanted)
        if found["lost"]:  # the end of the page, before its beginning
            continue
        assert found["outlined"] and found["inside"], found
        if found["there"]:
            return
    raise AssertionError(f"{target} cannot be reached by {key}")
