"""Stage `filter`: applies all rules to all responses; writes kept and dropped rows, verdicts, a report.

Examples are read and written as columns, batch by batch; a few hundred bytes per row stay in memory.
"""

from __future__ import annotations

import typing
from collections.abc import Iterator, Mapping
from pathlib import Path

from rectune.core import settings
from rectune.core.artifacts import write_atomically
from rectune.core.catalogue import load_catalogue
from rectune.core.extras import needs_extra
from rectune.core.figures import FilterFigures
from rectune.core.progress import progress, say
from rectune.core.recipe import Recipe
from rectune.core.rows import batch_of, count_rows, read_batches, write_batches
from rectune.core.types import Example, Verdict
from rectune.filters import charts, report
from rectune.filters.apply_rules import Verdicts, apply_rules, measure
from rectune.filters.borderline import borderline
from rectune.filters.histogram import histogram_png, histogram_text
from rectune.filters.stats import filter_figures, groups
from rectune.models.loading import load_tokenizer
from rectune.prompts.title_index import TitleIndexes

if typing.TYPE_CHECKING:
    import pyarrow as pa

    from rectune.filters.rules import ResponseBatch
    from rectune.filters.rules.base import Mask

_ROWS = 8192  # verdicts a row group


@needs_extra("the stage filter", "matplotlib")
def run(config: Recipe, inputs: Mapping[str, Path], out: Path) -> FilterFigures:
    """Filter the teachers' responses; tokens are counted by the base model's tokenizer."""
    examples = inputs["rationales"] / "examples.parquet"
    verdicts = _judge(config.filter, inputs, examples)
    _write(verdicts, examples, out)
    figures = filter_figures(verdicts, config.filter.threshold, config.models.base)
    _draw(verdicts, figures, out)
    read = borderline(verdicts, examples)
    write_atomically(out / "extremes.json", read.to_json())
    write_atomically(out / "filter.md", report.markdown(figures, read))
    say(report.summary(figures))
    say(histogram_text(verdicts.score, config.filter.threshold))
    return figures


def _judge(config: settings.FilterConfig, inputs: Mapping[str, Path], examples: Path) -> Verdicts:
    tokenizer = load_tokenizer(inputs["base"] / "checkpoint")
    titles = TitleIndexes(load_catalogue(inputs["data"] / "items.parquet").items.values())
    with progress("judging", count_rows(examples, Example)) as advance:

        def batches() -> Iterator[ResponseBatch]:
            for columns in read_batches(examples, Example):
                yield measure(columns, titles, tokenizer)
                advance(columns.num_rows)

        return apply_rules(batches(), config)


def _write(verdicts: Verdicts, examples: Path, out: Path) -> None:
    kept = verdicts.kept
    write_batches(out / "kept.parquet", Example, _where(kept, examples))
    write_batches(out / "dropped.parquet", Example, _where(~kept, examples))
    starts = range(0, len(verdicts.ids), _ROWS)
    rows = (batch_of(list(verdicts.rows(start, start + _ROWS)), Verdict) for start in starts)
    write_batches(out / "verdicts.parquet", Verdict, rows)


def _where(wanted: Mask, examples: Path) -> Iterator[pa.RecordBatch]:
    """The columns of the wanted rows; `wanted` is aligned with the file's rows."""
    import pyarrow as pa

    start = 0
    for columns in read_batches(examples, Example):
        yield columns.filter(pa.array(wanted[start : start + columns.num_rows]))
        start += columns.num_rows


def _draw(verdicts: Verdicts, figures: FilterFigures, out: Path) -> None:
    (out / "histograms").mkdir(exist_ok=True)
    for group, rows in groups(verdicts).items():
        scores = verdicts.score[rows]
        path = out / "histograms" / report.picture_name(group)
        title = f"{group}: {len(rows)} responses"
        histogram_png(scores, figures.threshold, title, path, tokenizer=figures.tokenizer)
    pictures = out / "figures"
    charts.score_by_length(
        verdicts.tokens,
        verdicts.score,
        ~verdicts.kept,
        figures.threshold,
        pictures / "score_by_length.png",
    )
    charts.drop_rate(figures.lengths, pictures / "drop_rate.png")
    if figures.overlap:
        charts.overlap(figures.overlap, pictures / "overlap.png")
