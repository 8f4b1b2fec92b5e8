"""The templates: every one reads well for every domain, differs from its fellows, and keeps to its tags."""

import difflib
import itertools
import re
from typing import Any

import pytest

from rectune.core.types import Locale
from rectune.prompts.locale_words import TEMPLATES, fill, load_words
from rectune.prompts.template_library import HELD_OUT, Template, plain, system_message, tags_of, templates

LOCALES: tuple[Locale, ...] = ("en", "ko")
KINDS: list[Any] = list(itertools.product(LOCALES, ("passive", "active"), ("direct", "listwise")))
EVERY = [template for kind in KINDS for template in templates(*kind)]
DOMAINS = (
    "news", "music", "places", "anime", "books", "movies", "games", "goods", "other", "a domain of one's own",
)  # fmt: skip
HISTORY = ["Zorbal", "Quux (1999)", "Vlim: The Return"]
CANDIDATES = ["Ploth", "Fnord & Sons", "Xyzzy!"]
QUERY = "grue without lamps"
UNORDERED = {"en": "in no particular order", "ko": "순서 무관|순서에는 뜻이 없|순서는 상관없"}


def worded(template: Template, domain: str, history_domain: str = "", ordered: bool = True) -> str:
    locale, scenario, form, _ = template.name.split("/")
    values = {
        "history": HISTORY if scenario == "passive" else [],
        "candidates": CANDIDATES if form == "listwise" else [],
        "query": QUERY if scenario == "active" else "",
        "ordered": ordered,
    }
    return fill(template.source, domain, load_words(locale), values, history_domain)  # type: ignore[arg-type]


@pytest.mark.parametrize("kind", KINDS, ids="/".join)
def test_every_kind_has_enough_templates_and_some_are_held_out(kind: Any) -> None:
    held = [HELD_OUT in template.tags for template in templates(*kind)]
    assert held.count(False) >= 5 and held.count(True) >= 2


@pytest.mark.parametrize("template", EVERY, ids=lambda template: template.name)
def test_a_template_shows_its_parts_for_every_domain_and_nothing_of_itself(template: Template) -> None:
    locale, scenario, form, _ = template.name.split("/")
    for domain, history_domain, ordered in itertools.product(DOMAINS, ("", "music"), (True, False)):
        text = worded(template, domain, history_domain, ordered)
        assert all((title in text) == (scenario == "passive") for title in HISTORY)
        numbers = [f"{number}. {title}" for number, title in enumerate(CANDIDATES, 1)]
        assert [line for line in text.splitlines() if line in numbers] == (
            numbers if form == "listwise" else []
        )
        assert text.count(QUERY) == (scenario == "active")
        told = bool(re.search(UNORDERED[locale], text))
        assert told == (scenario == "passive" and not ordered), text
        assert not re.search(r"[{}]|tags|\n\n\n|  | \n|\(\)|[가-힣]\([가-힣]\)", text), text


@pytest.mark.parametrize("kind", KINDS, ids="/".join)
def test_paraphrases_really_differ(kind: Any) -> None:
    texts = {template.name: worded(template, "books") for template in templates(*kind)}
    for (one, first), (other, second) in itertools.combinations(texts.items(), 2):
        for shown in (*HISTORY, *CANDIDATES, QUERY):
            first, second = first.replace(shown, ""), second.replace(shown, "")
        similarity = difflib.SequenceMatcher(None, first, second, autojunk=False).ratio()
        assert similarity < 0.8, (one, other, similarity)


@pytest.mark.parametrize(
    "template", [t for t in EVERY if t.name.startswith("ko")], ids=lambda template: template.name
)
def test_korean_keeps_to_one_register(template: Template) -> None:
    text = worded(template, "movies")
    polite, formal = re.search(r"요[.?:\n]", text), re.search(r"(니다|니까|십시오|바랍니다)[.?:\n(]", text)
    assert not (polite and formal), text


def test_names_tell_what_is_special_about_a_template() -> None:
    assert all(re.fullmatch(r"[a-z]+(_[a-z]+)*", path.stem) for path in TEMPLATES.rglob("*.jinja"))


def test_tags_are_read_from_the_first_line_alone_and_unknown_ones_are_refused() -> None:
    assert tags_of("{# tags: held-out #}\nText") == {HELD_OUT} == tags_of("{#- tags:held-out -#}")
    assert tags_of("Text\n{# tags: held-out #}") == tags_of("{# a note #}\nText") == frozenset()
    with pytest.raises(ValueError, match=r"unknown tags \['held-in'\]; there are \['held-out'\]"):
        tags_of("{# tags: held-in, held-out #}")


@pytest.mark.parametrize("locale", LOCALES)
def test_every_domain_has_its_words_and_its_own_system_message(locale: Locale) -> None:
    kinds = load_words(locale)["kinds"]
    assert set(kinds) == set(DOMAINS[:-1])
    words = {"noun", "one", "past", "people", "matters"} | ({"nouns", "done"} if locale == "en" else set())
    assert all(set(kind) == words and all(kind.values()) for kind in kinds.values())
    messages = {domain: system_message(locale, domain) for domain in DOMAINS}
    assert messages[DOMAINS[-1]] == messages["other"] == system_message(locale, "../../en/both")
    assert len(set(messages.values())) == len(kinds)
    assert not any("{" in message or "\n" in message for message in messages.values())


@pytest.mark.parametrize("locale", LOCALES)
def test_a_free_request_shows_what_it_was_given(locale: Locale) -> None:
    for history, query in ((True, True), (True, False), (False, True)):
        values = {"history": HISTORY, "query": QUERY, "ordered": True}
        text = fill(plain(locale, history=history, query=query), "books", load_words(locale), values)
        assert ("; ".join(HISTORY) in text, QUERY in text) == (history, query)
