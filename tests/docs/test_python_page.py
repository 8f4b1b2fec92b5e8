"""The page about Python runs as written, block after block; what is printed is what stands below a block."""

from __future__ import annotations

import re
from contextlib import redirect_stdout
from io import StringIO
from pathlib import Path
from typing import Any

import pytest

import rectune

PAGE = (Path(__file__).parents[2] / "docs/python.md").read_text(encoding="utf-8")
BLOCK = re.compile(r"```python\n(?P<code>.*?)```(?:\n\n```text\n(?P<printed>.*?)```)?", re.DOTALL)
# What loads a language model or its tokenizer, or runs a recipe.
LONG = ('model="embedded"', "Engine(", "filter_responses(", "run_recipe(")


def blocks() -> list[re.Match[str]]:
    """The blocks in order; `printed` is what they print, where that is the same on every machine."""
    return list(BLOCK.finditer(PAGE))


def run(wanted: list[re.Match[str]], names: dict[str, Any]) -> None:
    """Run blocks in the working directory, and compare what they print."""
    for block in wanted:
        line = PAGE[: block.start("code")].count("\n")
        said = StringIO()
        with redirect_stdout(said):
            exec(compile("\n" * line + block["code"], "docs/python.md", "exec"), names)
        assert said.getvalue().strip()
        if block["printed"] is not None:
            assert said.getvalue() == block["printed"]


@pytest.fixture
def names(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """The names that the blocks share, in a folder of their own."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "110")
    return {"__name__": "page"}


def is_long(block: re.Match[str]) -> bool:
    """Whether a block takes more than a moment."""
    return any(word in block["code"] for word in LONG)


def test_the_quick_blocks_run_as_written(names: dict[str, Any]) -> None:
    quick = [block for block in blocks() if not is_long(block)]
    assert all(block["printed"] is not None for block in quick)
    run(quick, names)


@pytest.mark.slow
def test_all_blocks_run_as_written(names: dict[str, Any]) -> None:
    run(blocks(), names)
    assert set(names["answer"].details.explanations)
    kept = names["run"].figures["filter"]
    assert 0 < kept.rows_out <= kept.rows_in and names["run"].paths["filter"].is_dir()


def test_every_public_name_is_on_the_page() -> None:
    missing = [name for name in rectune.__all__ if name != "__version__" and name not in PAGE]
    assert missing == []
