"""The words of a locale, and filling templates with them in Jinja's sandbox.

What is filled in is text from catalogues and from people: it is inserted and never rendered, and a template
cannot reach into Python.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rectune.core.types import Locale
from rectune.prompts.particles import with_particle

TEMPLATES = Path(__file__).parent / "templates"


@functools.cache
def load_words(locale: Locale, file: str = "{locale}/words.yaml") -> dict[str, Any]:
    """A YAML file of a locale, by default the words for each kind of things."""
    from ruamel.yaml import YAML

    path = TEMPLATES / file.format(locale=locale)
    words: dict[str, Any] = YAML(typ="safe", pure=True).load(path.read_text(encoding="utf-8"))
    return words


def fill(
    template: str, domain: str, words: Mapping[str, Any], values: Mapping[str, Any], history_domain: str = ""
) -> str:
    """Fill one template.

    Args:
        template: Jinja source. `kind` is the domain's row of the kinds, `known` that of the domain of the
            history.
        domain: the kind of things that is recommended; one without a row of its own is worded as `other`.
        words: what `load_words` returned.
        values: what else the template names. A value that it names and does not get is an error.
        history_domain: the kind of things in the history, where it is another one.
    """
    kinds = words["kinds"]
    kind, known = (kinds.get(name, kinds["other"]) for name in (domain, history_domain or domain))
    return str(_compiled(template).render(kind=kind, known=known, **values)).strip()


def one_line(text: str) -> str:
    """A title or query without line breaks and runs of white space, so that it cannot pass for lines of the
    prompt.
    """
    return " ".join(text.split())


def numbered(titles: Sequence[str]) -> str:
    """A line a title, numbered from 1."""
    return "\n".join(f"{number}. {title}" for number, title in enumerate(titles, 1))


def bulleted(titles: Sequence[str]) -> str:
    """A line a title, each behind a dash."""
    return "\n".join(f"- {title}" for title in titles)


@functools.cache
def _compiled(template: str) -> Any:
    return _environment().from_string(template)


@functools.cache
def _environment() -> Any:
    from jinja2 import StrictUndefined
    from jinja2.sandbox import ImmutableSandboxedEnvironment

    sandbox = ImmutableSandboxedEnvironment(
        undefined=StrictUndefined, autoescape=False, trim_blocks=True, lstrip_blocks=True
    )
    sandbox.filters.update(numbered=numbered, bulleted=bulleted, particle=with_particle)
    return sandbox
