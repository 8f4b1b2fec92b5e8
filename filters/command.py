"""What `rectune score FILE` does: response scores of any file of texts."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from filters.plots import histogram_png, histogram_text
from filters.score import score_column
from filters.tokenizing import encode_batches
from rectune.errors import UserError


def score_file(file: Path, column: str, tokenizer: str, threshold: float, png: Path | None) -> str:
    """Score every text of a column and say how the scores are spread.

    Args:
        file: JSON lines, CSV or Parquet; `-` reads JSON lines from standard input.
        tokenizer: a model reference; its tokenizer counts the tokens.
        png: where the histogram is drawn too, if anywhere.

    Raises:
        UserError: the file cannot be read, or has no such column.
    """
    import numpy as np

    texts = _texts(file, column)
    counting, name = _tokenizer(tokenizer)
    columns = [score_column(ids)["score"] for ids in encode_batches(counting, texts)]
    scores = np.concatenate(columns) if columns else np.zeros(0)
    finite = scores[np.isfinite(scores)]
    dropped = int((finite >= threshold).sum())
    if png:
        histogram_png(finite.tolist(), threshold, file.name, png)
    median = f", median {np.median(finite):.2f}" if len(finite) else ""
    return "\n".join(
        [
            f"{len(texts)} texts, {len(texts) - len(finite)} empty, {dropped} at {threshold:g} or above{median}",
            f"tokens counted by {name}; score = ln(L)*L/C",
            histogram_text(finite.tolist(), threshold),
        ]
    )


def _tokenizer(reference: str) -> tuple[Any, str]:
    from models.loading import tokenizer_of_reference

    return tokenizer_of_reference(reference)


def _texts(file: Path, column: str) -> list[str]:
    if str(file) == "-":
        return _from_lines(sys.stdin, "standard input", column)
    readers = {".jsonl": _read_lines, ".json": _read_lines, ".csv": _read_table, ".parquet": _read_table}
    reader = readers.get(file.suffix)
    if reader is None:
        raise UserError(
            f"unknown kind of file {file.suffix!r}", where=str(file), mend=f"wanted: {', '.join(readers)}"
        )
    if not file.is_file():
        raise UserError("no such file", where=str(file))
    return reader(file, column)


def _read_lines(file: Path, column: str) -> list[str]:
    with file.open(encoding="utf-8") as lines:
        return _from_lines(lines, str(file), column)


def _from_lines(lines: Iterable[str], where: str, column: str) -> list[str]:
    texts = []
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except ValueError as broken:
            raise UserError(
                f"not JSON: {broken}", where=f"{where}:{number}", mend="one JSON object a line"
            ) from None
        if not isinstance(row, dict) or column not in row:
            keys = ", ".join(row) if isinstance(row, dict) else type(row).__name__
            raise UserError(
                f"has no {column!r}, only {keys}", where=f"{where}:{number}", mend="name one with --column"
            )
        texts.append(str(row[column] or ""))
    return texts


def _read_table(file: Path, column: str) -> list[str]:
    import polars as pl

    try:
        table = pl.read_parquet(file) if file.suffix == ".parquet" else pl.read_csv(file, infer_schema=False)
    except pl.exceptions.PolarsError as broken:
        raise UserError(f"cannot be read: {broken}", where=str(file)) from None
    if column not in table.columns:
        mend = f"--column with one of: {', '.join(table.columns)}"
        raise UserError(f"has no column {column!r}", where=str(file), mend=mend)
    return [str(value or "") for value in table[column].to_list()]
