"""Rendering a case into a prompt: system message and instruction, from the templates of a locale."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass

from rectune.core.catalogue import Catalogue
from rectune.core.types import Case, Form, Locale, Prompt, Scenario, content_id, with_id
from rectune.prompts.locale_words import fill, load_words, one_line
from rectune.prompts.template_library import Wanted, plain, system_message, template_for


@dataclass(frozen=True, slots=True)
class RenderOptions:
    """How one case is rendered.

    `query` is required for active prompts, `listwise` is the number of candidates shown, `templates` says
    which templates test prompts use.
    """

    scenario: Scenario
    form: Form
    locale: Locale
    query: str = ""
    listwise: int = 5
    seed: int = 0
    templates: Wanted = "seen"


def render(case: Case, catalogue: Catalogue, wording: RenderOptions, left_out: int = 0) -> Prompt:
    """Render a case as a prompt; template and candidates are chosen by case and seed alone.

    The target's title is in the instruction only among listwise candidates: queries that name it are rejected
    when they are generated.

    Args:
        left_out: how many of the oldest items of the history are left out.

    Raises:
        ValueError: an active prompt without a query, or a history of which nothing is left.
    """
    if wording.scenario == "active" and not wording.query:
        raise ValueError("an active prompt needs a query")
    history = case.history[left_out:] if wording.scenario == "passive" else ()
    if wording.scenario == "passive" and not history:
        raise ValueError("a passive prompt needs a history")
    salt = content_id("wording", case.id, wording.scenario, wording.form, wording.seed)
    template = template_for(
        wording.locale, wording.scenario, wording.form, split=case.split, wanted=wording.templates, salt=salt
    )
    candidates = _shown(case, wording.listwise, salt) if wording.form == "listwise" else ()
    values = {
        "history": _titles(catalogue, case.history_domain, history),
        "candidates": _titles(catalogue, case.domain, candidates),
        "query": one_line(wording.query),
        "ordered": case.ordered,
    }
    words = load_words(wording.locale)
    return with_id(
        Prompt(
            id="",
            domain=case.domain,
            scenario=wording.scenario,
            form=wording.form,
            locale=wording.locale,
            split=case.split,
            user=case.user,
            system=system_message(wording.locale, case.domain),
            instruction=fill(template.source, case.domain, words, values, case.history_domain),
            history=history,
            candidates=candidates,
            target=case.target,
            query=wording.query,
            template=template.name,
            history_domain=case.history_domain,
            category=case.category,
            cutoff=case.cutoff,
            left_out=left_out,
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
    if not history and not query:
        raise ValueError("a request needs a history or a query")
    source = plain(locale, history=bool(history), query=bool(query))
    values = {"history": list(map(one_line, history)), "query": one_line(query), "ordered": ordered}
    return system_message(locale, domain), fill(source, domain, load_words(locale), values, history_domain)


def _titles(catalogue: Catalogue, domain: str, items: Sequence[str]) -> list[str]:
    return [one_line(title) for title in catalogue.titles(domain, items)]


def _shown(case: Case, count: int, salt: str) -> tuple[str, ...]:
    """`count` of the case's candidates with the target among them, its place uniform."""
    rng = random.Random(salt)
    others = [item for item in case.candidates if item != case.target]
    shown = [*rng.sample(others, min(count - 1, len(others))), case.target]
    rng.shuffle(shown)
    return tuple(shown)
