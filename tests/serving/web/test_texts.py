"""The page in both languages: every sentence is translated, no translation is left over, values are kept."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from jinja2 import nodes
from ruamel.yaml import YAML

from rectune.serving.web import render, texts
from rectune.serving.web.texts import locale_of, translation

WEB = Path(render.__file__).parent
TABLES = sorted((Path(texts.__file__).parent / "ko").glob("*.yaml"))
_PLACE = re.compile(r"\{\w+\}")


def of_templates() -> Iterator[str]:
    """The first argument of every `tr("…")` of the templates."""
    for path in (WEB / "templates").glob("*.html"):
        for call in render.environment().parse(path.read_text("utf-8")).find_all(nodes.Call):
            if isinstance(call.node, nodes.Name) and call.node.name == "tr":
                first = call.args[0]
                if isinstance(first, nodes.Const):
                    yield first.value


def of_code() -> set[str]:
    """Every text of the code: some are sentences that a template translates by a name, as `tr(told)`."""
    found = set()
    for path in WEB.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                found.add(node.value)
    return found


def rows() -> list[tuple[str, str]]:
    """The rows of all tables."""
    yaml = YAML(typ="safe", pure=True)
    found = [row for path in TABLES for row in yaml.load(path.read_text("utf-8"))]
    assert all(row.keys() == {"en", "ko"} for row in found)  # a comma without quotes begins another key
    return [(row["en"], row["ko"]) for row in found]


def test_every_sentence_of_the_templates_is_in_korean():
    assert not set(of_templates()) - translation("ko").sentences.keys()


def test_no_translation_is_left_over_or_there_twice():
    keys = [en for en, _ in rows()]
    assert len(set(keys)) == len(keys)
    assert not set(keys) - set(of_templates()) - of_code()


@pytest.mark.parametrize(("en", "ko"), rows())
def test_a_translation_is_korean_and_has_the_same_values(en: str, ko: str):
    assert set(_PLACE.findall(en)) == set(_PLACE.findall(ko))
    assert re.search(r"[가-힣]", _PLACE.sub("", ko)) or not re.search(r"[A-Za-z]{2}", _PLACE.sub("", en))
    assert not re.search(r"\}(은|는|이|가|을|를|과|와|로|으로)(?![가-힣])", ko), (
        "no particle may follow a value"
    )


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        (("ko",), "ko"), ((None, "ko-KR,ko;q=0.9,en;q=0.8"), "ko"), (("de", "fr-FR, en;q=0.5"), "en"),
        (("xx", None), "en"), ((), "en"), (("", "de-DE,ko"), "ko"), (("KO",), "ko"),
    ],
)  # fmt: skip
def test_the_language_is_the_first_that_the_page_has(wanted: tuple[str | None, ...], found: str):
    assert locale_of(*wanted) == found
