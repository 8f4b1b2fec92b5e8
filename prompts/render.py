"""Rendering a case into a prompt: system message and instruction, from the templates of a locale."""

from __future__ import annotations

import functools
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rectune.catalogue import Catalogue
from rectune.types import Case, Form, Locale, Prompt, Scenario, content_id, with_id

TEMPLATES = Path(__file__).parent / "templates"


@dataclass(frozen=True, slots=True)
class Wording:
    """How one case is to be worded. `query` is needed for active prompts, `listwise` counts the candidates shown."""

    scenario: Scenario
    form: Form
    locale: Locale
    query: str = ""
    listwise: int = 5
    seed: int = 0


def render(case: Case, catalogue: Catalogue, wording: Wording) -> Prompt:
    """Word a case as a prompt; the choice of the template follows from case and seed alone.

    The target's title stands in the instruction only among listwise candidates: a query that names it is refused.

    Raises:
        ValueError: an active wording without a query.
    """
    if wording.scenario == "active" and not wording.query:
        raise ValueError("an active prompt needs a query")
    rng = random.Random(content_id("wording", case.id, wording.scenario, wording.form, wording.seed))
    candidates = _shown(case, wording.listwise, rng) if wording.form == "listwise" else ()
    history = case.history if wording.scenario == "passive" else ()
    words = load_words(wording.locale)
    choices = words[wording.scenario][wording.form]
    choice = rng.randrange(len(choices))
    values = {
        "history": catalogue.titles(case.history_domain, history),
        "candidates": catalogue.titles(case.domain, candidates),
        "query": wording.query,
        "ordered": case.ordered,
    }
    return with_id(
        Prompt(
            id="",
            domain=case.domain,
            scenario=wording.scenario,
            form=wording.form,
            locale=wording.locale,
            split=case.split,
            user=case.user,
            system=fill(words["system"], case.domain, words, {}),
            instruction=fill(choices[choice], case.domain, words, values, case.history_domain),
            history=history,
            candidates=candidates,
            target=case.target,
            query=wording.query,
            template=f"{wording.locale}/{wording.scenario}/{wording.form}/{choice}",
            history_domain=case.history_domain,
            category=case.category,
            cutoff=case.cutoff,
        )
    )


def ask(
    domain: str,
    locale: Locale,
    history: Sequence[str],
    query: str,
    ordered: bool = False,
    history_domain: str = "",
) -> tuple[str, str]:
    """System message and instruction for a free request: titles already liked, a query, or both.

    The titles are of `history_domain`, which is `domain` unless it is given.

    Raises:
        ValueError: neither history nor query.
    """
    words = load_words(locale)
    if history and query:
        template = words["both"]
    elif query:
        template = words["active"]["direct"][0]
    elif history:
        template = words["passive"]["direct"][0]
    else:
        raise ValueError("a request needs a history or a query")
    values = {"history": list(history), "query": query, "ordered": ordered}
    return fill(words["system"], domain, words, {}), fill(template, domain, words, values, history_domain)


@functools.cache
def load_words(locale: Locale, file: str = "{locale}.yaml") -> dict[str, Any]:
    """The words of a locale: kinds of items, system message, templates."""
    from ruamel.yaml import YAML

    path = TEMPLATES / file.format(locale=locale)
    words: dict[str, Any] = YAML(typ="safe", pure=True).load(path.read_text(encoding="utf-8"))
    return words


def fill(
    template: str, domain: str, words: Mapping[str, Any], values: Mapping[str, Any], history_domain: str = ""
) -> str:
    """Fill one template in the sandbox.

    `kind` is the domain's row of the kinds, `known` that of the domain of the history where it is another one.
    """
    kinds = words["kinds"]
    kind, known = (kinds.get(name, kinds["other"]) for name in (domain, history_domain or domain))
    return str(_environment().from_string(template).render(kind=kind, known=known, **values)).strip()


@functools.cache
def _environment() -> Any:
    from jinja2 import StrictUndefined
    from jinja2.sandbox import ImmutableSandboxedEnvironment

    # The values are catalogue text: they are inserted, never rendered, and the templates cannot reach into Python.
    return ImmutableSandboxedEnvironment(undefined=StrictUndefined, autoescape=False)


def _shown(case: Case, count: int, rng: random.Random) -> tuple[str, ...]:
    """`count` of the case's candidates with the target among them, its place uniform."""
    others = [item for item in case.candidates if item != case.target]
    shown = [*rng.sample(others, min(count - 1, len(others))), case.target]
    rng.shuffle(shown)
    return tuple(shown)
