"""Untrusted text stays plain in Markdown: what is rendered is what was written, and nothing else."""

import html
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from rectune.core.text.markdown import block_quote, escaped, html_text, joined, link
from rectune.core.text.plain import printable

HOSTILE = (
    "[x](javascript:alert(1))",
    "<script>alert(1)</script>",
    "<!-- x",
    "| pipe |",
    "`code` ``",
    "a\n# b",
    "*x* __y__ ~~z~~ $q$",
    "&lt; &#60;",
    "![x](y.png)",
    "[a]: https://x.example",
    "1. one",
    "2) two",
    "- - -",
    "===",
    ":-:",
    "+ a",
    "[0.1, 0.2](javascript:x)",
    "a \\",
    "<|im_end|>",
    "http://x.example",
    "a \x1b[31m \u202e b",
    "x" * 3000,
)
signs = st.text(st.sampled_from("\\`*_{}[]()#+-=.:!|~<>&$ \n1a0,"), max_size=30)


def rendered(markdown: str) -> str:
    return MarkdownIt("commonmark").enable(["table", "strikethrough"]).render(markdown)


def shown(text: str) -> str:
    return " ".join(printable(text).split())


def read(page: str, *around: str) -> str:
    """The page without the tags that are expected around the text."""
    for part in around:
        assert part in page
        page = page.replace(part, "", 1)
    assert "<" not in page
    return html.unescape(page).replace("\u200b", "").strip()


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_text_is_shown_as_it_is(text: str) -> None:
    assert read(rendered(escaped(text)), "<p>", "</p>") == shown(text)
    assert "\n" not in escaped(text)


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_text_is_shown_as_it_is_inside_an_element(text: str) -> None:
    assert read(rendered(f"<div>{html_text(text)}</div>"), "<div>", "</div>") == shown(text)


@given(signs)
@example("[0.1, 0.2]: x")
def test_any_text_is_shown_as_it_is_in_paragraphs_headings_and_after_other_words(text: str) -> None:
    if shown(text):
        assert read(rendered(escaped(text)), "<p>", "</p>") == shown(text)
        assert read(rendered(f"## {escaped(text)}"), "<h2>", "</h2>") == shown(text)
        assert read(rendered(f"> a\n> {escaped(text)}").replace("\n", " "), "<blockquote>", "<p>", "</p>",
                    "</blockquote>") == f"a {shown(text)}"  # fmt: skip


@given(st.lists(signs, min_size=1, max_size=3))
def test_a_quote_holds_any_lines(lines: list[str]) -> None:
    page = rendered(block_quote("\n".join(lines)) + "\n\nend")
    assert page.startswith("<blockquote>") and page.endswith("</blockquote>\n<p>end</p>\n")
    plain: Any = page.replace("<br />", "")
    for tag in ("blockquote", "p"):
        plain = plain.replace(f"<{tag}>", "").replace(f"</{tag}>", "")
    assert "<" not in plain and html.unescape(plain).split() == [*shown("\n".join(lines)).split(), "end"]


def test_a_quote_keeps_its_lines() -> None:
    assert block_quote("a\n# b").splitlines() == ["> a  ", "> \\# b  "] and block_quote("") == ">   "


@pytest.mark.parametrize("text", ["-0.250 [-0.400, 0.100], n = 3", "embedding_best", "(1999)"])
def test_figures_and_names_stay_readable(text: str) -> None:
    assert escaped(text) == text


def test_addresses_become_no_links_where_readers_link_them() -> None:
    assert "http:" not in escaped("http://x.example") and "www." not in escaped("www.x.example")


def test_only_addresses_of_the_web_become_links_on_purpose() -> None:
    assert rendered(link("https://x.example/a_b?c=1")) == (
        '<p><a href="https://x.example/a_b?c=1">https://x.example/a_b?c=1</a></p>\n'
    )
    for text in ("javascript:alert(1)", "https://x.example> [y](z)", "https://x.example\n# a", "http://x|y"):
        assert "<a" not in rendered(link(text)) and "<h1" not in rendered(link(text))


def test_empty_blocks_are_left_out() -> None:
    assert joined("a", "", "b") == "a\n\nb"
