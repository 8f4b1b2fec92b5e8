"""The two READMEs say the same, are short, and lead to what exists; the Python block runs as written."""

from __future__ import annotations

import ast
import csv
import re
import shlex
from contextlib import redirect_stdout
from io import StringIO
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
README = {name: (ROOT / name).read_text(encoding="utf-8") for name in ("README.md", "README.ko.md")}
ENGLISH, KOREAN = README.values()
FILMS = "samples/korean/films.csv"
BOTH = pytest.mark.parametrize("name", README)

FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\]\(([^)\s]+)\)")
# 57.6 million and 5,760만 are one number.
NUMBER = re.compile(r"(?P<value>(?:(?<!\w)[-+])?(?:\d[\d,]*(?:\.\d+)?|\.\d+))(?P<unit> million|만)?")
UNITS = {"": 1, " million": 1_000_000, "만": 10_000}


def outside_fences(text: str) -> str:
    """The page without its fenced blocks."""
    return FENCE.sub("", text)


def commands(text: str) -> list[list[str]]:
    """The words of every command in the indented blocks, in order, without comments."""
    lines = re.findall(r"^    (.+)$", outside_fences(text).replace("\\\n", ""), re.MULTILINE)
    return [words for line in lines if (words := shlex.split(line, comments=True))]


def recommend_example(text: str) -> list[str]:
    """The words of the one command that recommends."""
    (found,) = (words for words in commands(text) if "recommend" in words)
    return found


def python_block(text: str) -> str:
    """The code of the one Python block."""
    (code,) = (body for language, body in FENCE.findall(text) if language == "python")
    return code


def table_rows(text: str) -> list[str]:
    """The rows of all tables, in order, headings among them."""
    return [line for line in outside_fences(text).splitlines() if line.startswith("|")]


def numbers(text: str) -> list[float]:
    """The numbers of a text in order, whatever their units are called in."""
    found = NUMBER.finditer(text)
    return [round(float(one["value"].replace(",", "")) * UNITS[one["unit"] or ""], 6) for one in found]


def korean_films() -> set[str]:
    """The titles of the Korean sample."""
    with (ROOT / FILMS).open(encoding="utf-8", newline="") as file:
        return {row["제목"] for row in csv.DictReader(file)}


@BOTH
def test_it_is_short(name: str) -> None:
    lines = README[name].splitlines()
    assert len(lines) <= 150 and [line for line in lines if len(line) > 100] == []


def test_both_have_the_same_parts() -> None:
    english, korean = (re.findall(r"^#+ ", outside_fences(text), re.MULTILINE) for text in README.values())
    assert english == korean and english.count("## ") >= 5


def test_both_give_the_same_commands() -> None:
    english, korean = ([w for w in commands(text) if "recommend" not in w] for text in README.values())
    assert english == korean and ["make", "demo"] in english
    assert ast.dump(ast.parse(python_block(ENGLISH))) == ast.dump(ast.parse(python_block(KOREAN)))


def test_both_draw_the_same_stages() -> None:
    english, korean = (re.findall(r"^ +[│▼] (\w+)", text, re.MULTILINE) for text in README.values())
    assert english == korean and {"data", "sft", "dpo", "report"} <= set(english)


def test_the_example_in_korean_asks_the_same_of_korean_films() -> None:
    english, korean = recommend_example(ENGLISH), recommend_example(KOREAN)
    facts = korean.index("--facts")
    del korean[facts : facts + 2]  # columns that only the Korean catalogue has
    assert len(english) == len(korean)
    assert [w for w in english if w.startswith("--")] == [w for w in korean if w.startswith("--")]
    assert (ROOT / english[english.index("--catalogue") + 1]).is_file()
    assert korean[korean.index("--catalogue") + 1] == FILMS
    for title in korean[korean.index("--history") + 1].split("; "):
        assert title in {film.split(" (")[0] for film in korean_films()}


def test_both_show_the_same_numbers() -> None:
    english, korean = table_rows(ENGLISH), table_rows(KOREAN)
    assert [numbers(row) for row in english] == [numbers(row) for row in korean]
    assert sum(len(numbers(row)) for row in english) > 50
    # In the sentences the differences, which bear a sign; small numbers are words there.
    english, korean = (re.findall(r"(?<!\w)[-+]\d*\.\d+", text) for text in README.values())
    assert english == korean


@BOTH
def test_what_it_links_to_exists(name: str) -> None:
    links = {link.split("#")[0] for link in LINK.findall(README[name]) if "://" not in link}
    assert {link for link in links if not (ROOT / link).is_file()} == set()
    assert links >= {"docs/README.md", "docs/report.png"} | (README.keys() - {name})


def test_both_lead_to_the_same_pages() -> None:
    english, korean = ([x for x in LINK.findall(t) if not x.startswith("README")] for t in README.values())
    assert english == korean


@pytest.mark.slow
def test_the_python_block_runs_as_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "samples").symlink_to(ROOT / "samples")
    said = StringIO()
    with redirect_stdout(said):
        exec(compile(python_block(ENGLISH), "README.md", "exec"), {"__name__": "page"})
    *reasoned, titles = said.getvalue().splitlines()
    films = korean_films()
    assert len(reasoned) == 3
    for line in reasoned:
        title, reason = line.split(" | ", 1)
        assert title in films and title in reason
    served = ast.literal_eval(titles)
    assert len(set(served)) == 5 and set(served) <= films
