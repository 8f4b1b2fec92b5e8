"""Untrusted text stays plain in Markdown."""

import re

import pytest

from rectune.core.text.markdown import one_line, quoted


@pytest.mark.parametrize("text", ["[a](javascript:b)", "a|b", "<i>", "a\n# b", "*x*", "&lt;"])
def test_one_line_leaves_no_markup(text: str) -> None:
    line = one_line(text)
    assert "\n" not in line and not re.search(r"(?<!\\)[\[\]()*|#<>]", line.replace("&#8203;", ""))


def test_a_quote_keeps_its_lines() -> None:
    assert quoted("a\n# b").splitlines() == ["> a  ", "> \\# b  "] and quoted("") == ">   "
