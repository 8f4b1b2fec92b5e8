"""The words of a locale, and rendering templates with them in Jinja's sandbox.

Values are untrusted text from catalogues and users: they are inserted and never rendered, and a template
cannot access Python.
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
    """A YAML file of a locale, by default the words for each domain."""
    from ruamel.yaml import YAML

    path = TEMPLATES / file.format(locale=locale)
    words: dict[str, Any] = YAML(typ="safe", pure=True).load(path.read_text(encoding="utf-8"))
    return words


def fill(
    template: str, domain: str, words: Mapping[str, Any], values: Mapping[str, Any], history_domain: str = ""
) -> str:
    """Render one template.

    Args:
        template: Jinja source. `kind` is the row of words of the domain, `known` that of the history's
            domain.
        domain: the domain that is recommended from; one without words of its own uses those of `other`.
        words: what `load_words` returned.
        values: other variables of the template. A missing one is an error.
        history_domain: the history's domain, if it is another one.
    """
    kinds = words["kinds"]
    kind, known = (kinds.get(name, kinds["other"]) for name in (domain, history_domain or domain))
    return str(_compiled(template).render(kind=kind, known=known, **values)).strip()


def one_line(text: str) -> str:
    """A title or query on one line, so that it cannot imitate lines of the prompt."""
    return " ".join(text.split())


def numbered(titles: Sequence[str]) -> str:
    """One title per line, numbered from 1."""
    return "\n".join(f"{number}. {title}" for number, title in enumerate(titles, 1))


def bulleted(titles: Sequence[str]) -> str:
    """One title per line, each after a dash."""
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
