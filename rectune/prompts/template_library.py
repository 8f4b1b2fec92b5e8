"""The templates: files `templates/<locale>/<scenario>/<form>/<name>.jinja`, and a system message a domain.

A first line that is a Jinja comment may carry tags, `{# tags: held-out #}`; no comment is ever seen in a
prompt.
"""

from __future__ import annotations

import functools
import re
from dataclasses import dataclass
from typing import Literal

from rectune.core.types import Form, Locale, Scenario, Split, content_id
from rectune.prompts.locale_words import TEMPLATES, fill, load_words

HELD_OUT = "held-out"  # never in prompts that are trained on
TAGS = frozenset({HELD_OUT})

Wanted = Literal["seen", "held_out", "both"]

_TAG_LINE = re.compile(r"\{#-?\s*tags:(?P<tags>[^#]*?)-?#\}\n?")


@dataclass(frozen=True, slots=True)
class Template:
    """A prompt template. `name` is `<locale>/<scenario>/<form>/<name>`, `source` Jinja."""

    name: str
    source: str
    tags: frozenset[str]


@functools.cache
def templates(locale: Locale, scenario: Scenario, form: Form) -> tuple[Template, ...]:
    """All templates of a kind, by name."""
    folder = TEMPLATES / locale / scenario / form
    return tuple(_read(f"{locale}/{scenario}/{form}/{path.stem}") for path in sorted(folder.glob("*.jinja")))


def template_for(
    locale: Locale, scenario: Scenario, form: Form, *, split: Split, wanted: Wanted, salt: str
) -> Template:
    """The template of one prompt.

    Args:
        split: only test prompts use held-out templates.
        wanted: which templates test prompts use.
        salt: names the case and the seed; the choice depends on it alone, and is uniform.
    """
    choices = _among(locale, scenario, form, wanted if split == "test" else "seen")
    return choices[int(content_id("template", salt), 16) % len(choices)]


@functools.cache
def _among(locale: Locale, scenario: Scenario, form: Form, wanted: Wanted) -> tuple[Template, ...]:
    held = {"seen": (False,), "held_out": (True,), "both": (False, True)}[wanted]
    return tuple(one for one in templates(locale, scenario, form) if (HELD_OUT in one.tags) in held)


def plain(locale: Locale, *, history: bool, query: bool) -> str:
    """The source of the template for a free request: a history, a query, or both."""
    if history and query:
        return _read(f"{locale}/both").source
    return _read(f"{locale}/{'active' if query else 'passive'}/direct/plain").source


def list_template(locale: Locale) -> str:
    """The source of the instruction that a list of liked titles answers."""
    return _read(f"{locale}/list").source


@functools.cache
def system_message(locale: Locale, domain: str) -> str:
    """The system message of a domain; one without a file of its own gets that of `other`."""
    known = load_words(locale)["kinds"]
    source = _read(f"{locale}/system/{domain if domain in known else 'other'}").source
    return fill(source, domain, load_words(locale), {})


def tags_of(source: str) -> frozenset[str]:
    """The tags in a template's first line.

    Raises:
        ValueError: an unknown tag.
    """
    match = _TAG_LINE.match(source)
    tags = frozenset(match["tags"].replace(",", " ").split()) if match else frozenset[str]()
    if tags - TAGS:
        raise ValueError(f"unknown tags {sorted(tags - TAGS)}; there are {sorted(TAGS)}")
    return tags


@functools.cache
def _read(name: str) -> Template:
    source = (TEMPLATES / f"{name}.jinja").read_text(encoding="utf-8")
    try:
        return Template(name, source, tags_of(source))
    except ValueError as unknown:
        raise ValueError(f"{name}.jinja: {unknown}") from None
