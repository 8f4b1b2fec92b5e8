"""A history as a list that an answer has begun: the next line is the title that the model goes on with."""

from __future__ import annotations

from collections.abc import Sequence

from rectune.core.types import Locale
from rectune.prompts.locale_words import bulleted, fill, load_words, one_line
from rectune.prompts.template_library import list_template, system_message


def list_messages(domain: str, locale: Locale) -> tuple[str, str]:
    """System message and instruction; the instruction names the kind of things, and no title."""
    instruction = fill(list_template(locale), domain, load_words(locale), {})
    return system_message(locale, domain), instruction


def listed(titles: Sequence[str]) -> str:
    """A whole list, a line for each title."""
    return bulleted([one_line(title) for title in titles])


def begun_list(titles: Sequence[str]) -> str:
    """The answer so far: a line for each title, and the dash of the next one."""
    return "\n".join([*filter(None, [listed(titles)]), "-"])


def next_line(title: str) -> str:
    """A title as it follows that dash."""
    return f" {one_line(title)}"
