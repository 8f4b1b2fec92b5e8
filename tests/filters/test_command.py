"""`rectune score` on files of every kind, from a pipe, and on what it cannot read."""

import io
import json
from pathlib import Path

import polars as pl
import pytest

from filters.command import score_file
from rectune.errors import UserError

TEXTS = ["a good answer about a quiet film", "", "again " * 60]


def wrote(path: Path) -> Path:
    table = pl.DataFrame({"response": TEXTS})
    if path.suffix == ".parquet":
        table.write_parquet(path)
    elif path.suffix == ".csv":
        table.write_csv(path)
    else:
        path.write_text("".join(json.dumps({"response": text}) + "\n" for text in TEXTS))
    return path


@pytest.mark.parametrize("name", ["a.jsonl", "a.csv", "a.parquet"])
def test_every_kind_of_file_gives_the_same_figures(tmp_path: Path, name: str) -> None:
    said = score_file(wrote(tmp_path / name), "response", "embedded", 15.0, tmp_path / "h.png")
    assert said.startswith("3 texts, 1 empty, 1 at 15 or above")
    assert (tmp_path / "h.png").stat().st_size > 0


def test_texts_come_from_a_pipe_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO('{"text": "one two three"}\n\n'))
    assert score_file(Path("-"), "text", "embedded", 15.0, None).startswith(
        "1 texts, 0 empty, 0 at 15 or above"
    )


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("a.jsonl", '{"response": "x"}\n{"other": 1}\n', r"a\.jsonl:2: has no 'response', only other"),
        ("a.jsonl", "rubbish\n", r"a\.jsonl:1: not JSON"),
        ("a.csv", "x,y\n1,2\n", "has no column 'response'"),
        ("a.parquet", "rubbish", "cannot be read"),
        ("a.txt", "x", "unknown kind of file"),
    ],
)
def test_what_cannot_be_read_is_named(tmp_path: Path, name: str, content: str, words: str) -> None:
    (tmp_path / name).write_text(content)
    with pytest.raises(UserError, match=words):
        score_file(tmp_path / name, "response", "embedded", 15.0, None)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"absent\.csv: no such file"):
        score_file(tmp_path / "absent.csv", "response", "embedded", 15.0, None)
