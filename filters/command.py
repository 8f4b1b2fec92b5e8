"""`rectune score FILE`: response scores of any file of texts."""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rectune.core.errors import UserError
from rectune.core.progress import progress
from rectune.filters.histogram import histogram_png, histogram_text
from rectune.filters.score import THRESHOLD, score_column
from rectune.filters.score_histogram import ScoreHistogram
from rectune.filters.tokenization import encode_batches
from rectune.models.loading import tokenizer_of_reference
from rectune.readers.drops import MALFORMED_LIMIT, Drops, left_out_lines
from rectune.readers.text_input import Texts
from rectune.readers.texts import open_texts

_QUANTILES = {
    "least": 0.0,
    "10 %": 0.1,
    "25 %": 0.25,
    "median": 0.5,
    "75 %": 0.75,
    "90 %": 0.9,
    "99 %": 0.99,
    "most": 1.0,
}


@dataclass(frozen=True)
class ScoreOptions:
    """What to score, by which tokenizer and threshold.

    `column` and `kind` of a file are as in `rectune.readers.texts.open_texts`; `tokenizer` is a model
    reference; `png` is the file for the histogram, if any; `malformed` the share of a file's lines that may
    be malformed.
    """

    file: Path
    column: str = ""
    kind: str = ""
    tokenizer: str = "embedded"
    threshold: float = THRESHOLD
    png: Path | None = None
    malformed: float = MALFORMED_LIMIT


def score_file(asked: ScoreOptions, write: Callable[[str], Any] | None = None) -> str:
    """Score every text of a column and summarise the scores; memory does not grow with the file.

    Args:
        write: gets one JSON object per text, in the file's order, as lines: `score` (null for an empty text),
            `tokens`, `distinct`, and `kept`, which is true below the threshold and false for an empty text.
            A malformed line gets one like an empty text, so that places agree with the file's.

    Raises:
        UserError: the file cannot be read, has no such column or too many malformed lines, the threshold is
            no positive number, the tokenizer does not exist, or the PNG cannot be written.
    """
    if not 0 < asked.threshold < math.inf:
        raise UserError(
            f"{asked.threshold} is no positive number", where="--threshold", hint="the usual one is 15"
        )
    if asked.png and not asked.png.absolute().parent.is_dir():
        raise UserError("no such folder", where=str(asked.png.absolute().parent), hint="make it first")
    spread = ScoreHistogram(asked.threshold)
    drops = Drops(malformed_limit=asked.malformed)
    with open_texts(asked.file, asked.column, asked.kind, drops) as texts:
        tokenizer, name = tokenizer_of_reference(asked.tokenizer)
        readable = _Readable(texts)
        with (
            closing(encode_batches(tokenizer, readable)) as batches,
            progress(f"scoring {asked.file.name}", 0, "texts") as advance,
        ):
            for tokens in batches:
                columns = score_column(tokens)
                spread.add(columns)
                if write:
                    write(_lines(columns, asked.threshold))
                advance(len(tokens))
    if asked.png:
        _draw(spread, asked, name)
    return "\n".join([_summary(spread, name, readable.malformed), *left_out_lines(drops)])


class _Readable:
    """The texts, an empty one in the place of each malformed record; counts these."""

    def __init__(self, texts: Texts) -> None:
        self._texts, self.malformed = texts, 0

    def __iter__(self) -> Iterator[str]:
        for text in self._texts:
            self.malformed += text is None
            yield text or ""


def _lines(columns: Mapping[str, Any], threshold: float) -> str:
    rows = zip(*(columns[name].tolist() for name in ("score", "tokens", "distinct")), strict=True)
    return "".join(
        f'{{"score": {score if tokens else "null"}, "tokens": {tokens}, "distinct": {distinct}, '
        f'"kept": {"true" if score < threshold else "false"}}}\n'
        for score, tokens, distinct in rows
    )


def _draw(spread: ScoreHistogram, asked: ScoreOptions, tokenizer: str) -> None:
    scores, counts = spread.scores()
    title = "standard input" if str(asked.file) == "-" else asked.file.name
    path = asked.png or Path()
    try:
        histogram_png(scores, asked.threshold, title, path, tokenizer=tokenizer, counts=counts)
    except OSError as problem:
        raise UserError(f"cannot be written: {problem.strerror or problem}", where=str(path)) from None


def _summary(spread: ScoreHistogram, tokenizer: str, malformed: int) -> str:
    scored = spread.texts - spread.empty
    head = (
        f"{spread.texts - malformed:,} texts: {spread.empty - malformed:,} empty, "
        f"{spread.dropped:,} at {spread.threshold:g} or above, {scored - spread.dropped:,} kept\n"
        f"score = ln(L)*L/C; L tokens, C distinct ones, counted by the tokenizer of {tokenizer}"
    )
    if not scored:
        return head
    figures = {name: spread.quantile(share) for name, share in _QUANTILES.items()}
    scores, counts = spread.scores()
    parts = [
        "\n".join(f"{name:>8} {figure:>9.4g}" for name, figure in figures.items()),
        histogram_text(scores, spread.threshold, counts),
        "Dropped by length: long texts must repeat their words, so the score drops by length too.",
        _by_length(spread),
    ]
    return "\n\n".join([head, *parts])


def _by_length(spread: ScoreHistogram) -> str:
    lines = [f"{'tokens':>21} {'texts':>11} {'dropped':>11} {'share':>8}"]
    for bucket in spread.by_length():
        lengths = f"{bucket.shortest:,} – {bucket.longest:,}" if bucket.longest > 1 else "1"
        share = f"{bucket.dropped / bucket.texts:.1%}" if bucket.texts else ""
        lines.append(f"{lengths:>21} {bucket.texts:>11,} {bucket.dropped:>11,} {share:>8}".rstrip())
    return "\n".join(lines)


def for_terminal(text: str) -> str:
    """The text with ASCII characters if standard output cannot show block characters."""
    try:
        text.encode(sys.stdout.encoding or "ascii")
    except UnicodeEncodeError:
        return text.translate(_PLAIN)
    return text


_PLAIN = {ord(sign): "#" for sign in "▏▎▍▌▋▊▉█"} | {ord("░"): "x", ord("─"): "-", ord("–"): "-"}
