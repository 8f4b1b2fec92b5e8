"""`rectune score`: the same figures for every file format, streamed; only objects on standard output."""

import io
import json
import math
import subprocess
import sys
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from typer.testing import CliRunner

from rectune.cli.main import app, main
from rectune.core.errors import UserError
from rectune.filters.command import ScoreOptions, for_terminal, score_file
from rectune.filters.score import response_score
from rectune.filters.tokenization import BATCH
from tests.filters.small_tokenizer import small_tokenizer

ROOT = Path(__file__).parents[2]
TEXTS = ["a good answer about a quiet film", "", "again " * 60, "조용한 영화", "x"]
TOKENIZER = small_tokenizer()


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """The tokenizer of these tests in the embedded one's place."""
    monkeypatch.setattr(
        "rectune.filters.command.tokenizer_of_reference", lambda reference: (TOKENIZER, f"small {reference}")
    )


def wrote(path: Path, texts: list[str]) -> Path:
    table = pl.DataFrame({"response": texts}, schema={"response": pl.String()})
    writers: dict[str, Any] = {".parquet": table.write_parquet, ".csv": table.write_csv}
    writers.get(path.suffix, table.write_ndjson)(path)
    return path


def scored(text: str) -> float | None:
    ids = TOKENIZER(text, add_special_tokens=False)["input_ids"]
    return response_score(ids) if ids else None


def rows_of(file: Path, **options: Any) -> tuple[list[dict[str, Any]], str]:
    written = io.StringIO()
    summary = score_file(ScoreOptions(file, **options), written.write)
    return [json.loads(line) for line in written.getvalue().splitlines()], summary


@pytest.mark.parametrize("name", ["a.jsonl", "a.csv", "a.parquet"])
def test_every_kind_of_file_gives_the_same_figures(tmp_path: Path, name: str) -> None:
    rows, summary = rows_of(wrote(tmp_path / name, TEXTS), png=tmp_path / "h.png")
    assert summary.startswith("5 texts: 1 empty, 1 at 15 or above, 3 kept\n")
    assert "small embedded" in summary and "threshold 15" in summary
    assert (tmp_path / "h.png").read_bytes().startswith(b"\x89PNG")
    wanted = [scored(text) for text in TEXTS]
    assert [row["score"] for row in rows] == [w if w is None else pytest.approx(w) for w in wanted]
    assert [row["kept"] for row in rows] == [True, False, False, True, True]
    assert all(set(row) == {"score", "tokens", "distinct", "kept"} for row in rows)


def test_more_texts_than_a_batch_come_in_the_order_of_the_file(tmp_path: Path) -> None:
    texts = [" ".join(["again", "film", "quiet"][: 1 + n % 3] * (1 + n % 7)) for n in range(BATCH + 100)]
    rows, _ = rows_of(wrote(tmp_path / "a.jsonl", texts))
    assert [row["score"] for row in rows] == [pytest.approx(scored(text)) for text in texts]


def test_drops_are_shown_by_length(tmp_path: Path) -> None:
    summary = score_file(ScoreOptions(wrote(tmp_path / "a.csv", ["again " * 60, "one two three"])))
    table = [line.split() for line in summary.splitlines()[-8:]]
    assert ["tokens", "texts", "dropped", "share"] in table
    assert table[-1][-3:] == ["1", "1", "100.0%"] and "median" in summary


@pytest.mark.parametrize("threshold", [1e-3, 4.0, 1e6])
def test_kept_and_dropped_agree_everywhere(tmp_path: Path, threshold: float) -> None:
    rows, summary = rows_of(wrote(tmp_path / "a.csv", TEXTS[2:]), threshold=threshold)
    kept = sum(row["kept"] for row in rows)
    assert kept == sum((scored(text) or 0) < threshold for text in TEXTS[2:])
    assert f"{3 - kept} at {threshold:g} or above, {kept} kept" in summary


def test_a_file_without_texts_has_no_histogram(tmp_path: Path) -> None:
    (tmp_path / "a.csv").touch()
    rows, summary = rows_of(tmp_path / "a.csv", png=tmp_path / "h.png")
    assert rows == [] and summary.startswith("0 texts: 0 empty") and len(summary.splitlines()) == 2


@pytest.mark.parametrize("threshold", [0.0, -1.0, math.nan, math.inf])
def test_a_threshold_is_a_positive_number(tmp_path: Path, threshold: float) -> None:
    with pytest.raises(UserError, match="no positive number"):
        score_file(ScoreOptions(wrote(tmp_path / "a.csv", TEXTS), threshold=threshold))


def test_a_picture_needs_a_folder_and_a_name(tmp_path: Path) -> None:
    file = wrote(tmp_path / "a.csv", TEXTS)
    for png in (tmp_path / "absent" / "h.png", tmp_path):
        with pytest.raises(UserError, match=r"no such folder|cannot be written"):
            score_file(ScoreOptions(file, png=png))


def test_objects_go_to_standard_output_and_the_summary_to_standard_error(tmp_path: Path) -> None:
    file = wrote(tmp_path / "a.jsonl", TEXTS)
    said = CliRunner().invoke(app, ["score", str(file), "--json", "--threshold", "4"])
    assert said.exit_code == 0
    assert [json.loads(line)["tokens"] > 0 for line in said.stdout.splitlines()] == [
        bool(text) for text in TEXTS
    ]
    assert "small embedded" in said.stderr
    plain = CliRunner().invoke(app, ["score", str(file), "--threshold", "4"])
    assert "threshold 4" in plain.stdout and "threshold" not in plain.stderr


def test_a_pipe_is_scored(tmp_path: Path) -> None:
    content = wrote(tmp_path / "a.parquet", TEXTS).read_bytes()
    said = CliRunner().invoke(app, ["score", "-"], input=content)
    assert said.stdout.startswith("5 texts: 1 empty, 1 at 15 or above, 3 kept\n"), said.output


def test_plain_signs_where_the_terminal_has_no_others(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdout", io.TextIOWrapper(io.BytesIO(), encoding="ascii"))
    assert for_terminal("1 – 3  ██▍ ░ ──") == "1 - 3  ### x --"
    monkeypatch.setattr("sys.stdout", io.TextIOWrapper(io.BytesIO(), encoding="utf-8"))
    assert for_terminal("██▍") == "██▍"


def test_a_few_malformed_lines_are_counted_and_keep_their_places(tmp_path: Path) -> None:
    lines = ['{"text": "x"}'] * 200
    lines[7], lines[9] = "rubbish", '{"text": ""}'
    (tmp_path / "a.jsonl").write_text("\n".join(lines) + "\n")
    rows, summary = rows_of(tmp_path / "a.jsonl")
    assert len(rows) == 200 and [n for n, row in enumerate(rows) if row["score"] is None] == [7, 9]
    assert summary.startswith("199 texts: 1 empty, 0 at 15 or above, 198 kept\n")
    last = [line.strip() for line in summary.splitlines()[-3:]]
    assert last[:2] == ["left out:", "1  malformed line"] and last[2].startswith(
        "first: a.jsonl:8: malformed"
    )
    with pytest.raises(UserError, match="1 of 200 lines are malformed"):
        rows_of(tmp_path / "a.jsonl", malformed=0.0)


def test_too_many_bad_lines_end_the_command_with_2_and_one_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "a.jsonl").write_text('{"text": "x"}\n' * 200 + "rubbish\n" * 3)
    monkeypatch.setattr("sys.argv", ["rectune", "score", str(tmp_path / "a.jsonl"), "--json"])
    with pytest.raises(SystemExit) as ended:
        main()
    said = capfd.readouterr()
    assert ended.value.code == 2
    assert said.err.startswith(f"rectune: {tmp_path / 'a.jsonl'}:201: malformed: not JSON"), said.err


IN_A_PROCESS = """
import sys
import rectune.filters.command
import rectune.cli.main

def letters(texts, **options):
    return {"input_ids": [[ord(letter) for letter in text] for text in texts]}

rectune.filters.command.tokenizer_of_reference = lambda reference: (letters, "letters")
sys.argv = ["rectune", "score", *sys.argv[1:]]
rectune.cli.main.main()
"""


@pytest.mark.parametrize("rows", [20_000, 10])
def test_a_reader_that_goes_away_is_no_error(tmp_path: Path, rows: int) -> None:
    """Many rows are more than the pipe's buffer of 64 KiB holds; few are first written when all is done."""
    file = wrote(tmp_path / "a.jsonl", ["one two three"] * rows)
    with subprocess.Popen(
        [sys.executable, "-c", IN_A_PROCESS, str(file), "--json"],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as child:
        assert child.stdout and child.stderr
        if rows > 10:
            assert json.loads(child.stdout.readline())["kept"] is True
        child.stdout.close()
        complaint = child.stderr.read().decode()
    assert child.returncode == 1
    assert not any(word in complaint for word in ("Traceback", "Error", "Exception")), complaint
