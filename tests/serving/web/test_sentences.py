"""Every sentence of the page is in the tables of its other languages, with the same values."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from rectune.serving import web
from rectune.serving.web.my_account import TABLES
from rectune.serving.web.my_history import MARKS
from rectune.serving.web.texts import translation

TEMPLATES = sorted((Path(web.__file__).parent / "templates").glob("*.html"))
SENTENCE = re.compile(r"""\btr\((?:"((?:[^"\\]|\\.)*)"|'((?:[^'\\]|\\.)*)')""")
PLACE = re.compile(r"\{\w+\}")
# Sentences that reach `tr` by way of the code.
OF_CODE = [*TABLES.values(), "other entries", *MARKS.values(), "{n} days", "{n} h", "{n} min", "{n} s"]


def sentences(template: Path) -> list[str]:
    """What a template says."""
    found = SENTENCE.findall(template.read_text("utf-8"))
    return [(one or other).replace('\\"', '"').replace("\\'", "'") for one, other in found]


@pytest.mark.parametrize("template", TEMPLATES, ids=lambda path: path.name)
def test_korean_says_all_that_english_says(template: Path):
    korean = translation("ko").sentences
    for sentence in sentences(template):
        assert sentence in korean, sentence
        assert sorted(PLACE.findall(sentence)) == sorted(PLACE.findall(korean[sentence])), sentence


def test_korean_says_what_the_code_says():
    assert not [one for one in OF_CODE if one not in translation("ko").sentences]


def test_there_are_sentences_to_look_at():
    assert sum(len(sentences(one)) for one in TEMPLATES) > 100
