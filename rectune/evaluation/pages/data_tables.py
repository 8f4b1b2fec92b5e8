"""The data section: statistics of the data as tables, the same for terminal, HTML and Markdown."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from rectune.core.figures import DataFigures
from rectune.core.figures.data import DatasetFigures
from rectune.core.figures.statistics import PartStatistics, Spread
from rectune.core.finished_stages import FinishedStages
from rectune.core.text.figures import percent
from rectune.core.text.tables import NONE, Table, nested
from rectune.core.text.translation import ENGLISH, Translation
from rectune.evaluation.pages.blocks import Block, pictures
from rectune.evaluation.pages.data import DataSummary, read_data
from rectune.evaluation.pages.data_figures import draw

_Column = Callable[[PartStatistics], str]


def data_section(run: FinishedStages, figures: Path, tr: Translation, labels: Translation) -> list[Block]:
    """Where the data are from, what they are like, what was left out, and what cases were made of them.

    Args:
        run: the stages.
        figures: the folder that the charts are drawn into.
        tr: the language of the section.
        labels: the language of the charts.
    """
    data, measured = read_data(run), run.read(DataFigures)
    if measured is None:
        return [tr("The data stage has not run.")]
    charts = draw(data, figures, tr, labels)
    return [
        _datasets(measured.datasets, tr),
        *tables(data, tr),
        _drops(data, tr),
        _mixture(data, tr),
        pictures(figures, charts),
    ]


def tables(data: DataSummary, tr: Translation = ENGLISH) -> list[Table]:
    """Three tables, a line a domain with its categories below it, and one of opinions where there are some;
    none where there are no statistics.
    """
    rows = data.rows
    if not rows:
        return []
    return [*(_table(rows, *what, tr) for what in (_INTERACTIONS, _HISTORIES, _ITEMS)), *_opinions(data, tr)]


def _opinions(data: DataSummary, tr: Translation) -> list[Table]:
    if not data.opinions:
        return []
    lines = [
        (
            domain,
            *map(
                _number, (one.reviews, one.in_cases, one.out_of_time, one.personal, one.items, one.opinions)
            ),
        )
        for domain, one in data.opinions.items()
    ]
    heads = tr.each(
        "domain",
        "reviews",
        "of people in cases",
        "out of time",
        "personal data",
        "items with opinions",
        "opinions",
    )
    note = tr(
        "Sentences of reviews, told of items as opinions. Reviews of people in cases, or written after the "
        "training ends, are not used; personal data: sentences left out for it."
    )
    return [Table(heads, lines, tr("Opinions"), note)]


def _table(
    rows: Sequence[PartStatistics], title: str, note: str, columns: Mapping[str, _Column], tr: Translation
) -> Table:
    lines = [(_name(row), *(words(row) for words in columns.values())) for row in rows]
    return Table(tr.each("domain", *columns), lines, tr(title), tr(note))


def _name(row: PartStatistics) -> str:
    return nested(row.category) if row.category else row.domain


def _datasets(found: Mapping[str, DatasetFigures], tr: Translation) -> Table:
    lines = [
        (
            name,
            one.domain,
            one.licence or tr("not stated"),
            tr("yes") if one.redistributable else tr("no"),
        )
        for name, one in found.items()
    ]
    heads = tr.each("dataset", "domain", "licence", "may be passed on")
    return Table(heads, lines, tr("Datasets"), align="l")


def _drops(data: DataSummary, tr: Translation) -> Table:
    lines = [
        (drop.dataset, tr.stored(drop.reason), f"{drop.count:,}", "; ".join(drop.first))
        for drop in data.drops
    ]
    heads = tr.each("dataset", "reason", "count", "met first")
    return Table(heads, lines, tr("Left out on reading"), align="llrl")


def _mixture(data: DataSummary, tr: Translation) -> Table:
    lines = []
    for mix in data.mixture:
        counts = ((mix.wanted.get(split, 0), mix.got.get(split, 0)) for split in data.splits)
        cells = (("" if mix.category else f"{wanted:,}", f"{got:,}") for wanted, got in counts)
        name = nested(mix.source) if mix.category else mix.source
        lines.append((name, *(cell for pair in cells for cell in pair)))
    pairs = ((tr("{split}: wanted", split=split), tr("got")) for split in data.splits)
    heads = (tr("source"), *(head for pair in pairs for head in pair))
    return Table(heads, lines, tr("Cases wanted and got"))


def _density(row: PartStatistics) -> str:
    return f"{100 * row.density:.2g} %" if row.density else NONE


def _number(value: float | None) -> str:
    return NONE if value is None else f"{round(value):,}"


def _years(row: PartStatistics) -> str:
    first, last = (day[:4] if day else "" for day in (row.first, row.last))
    return first if first == last else f"{first}–{last}"


def _quartiles(spread: Spread) -> str:
    return " / ".join(_number(value) for value in spread.quartiles)


def _gini(row: PartStatistics) -> str:
    value = row.popularity.gini
    return NONE if value is None else f"{value:.2f}"


_INTERACTIONS: tuple[str, str, dict[str, _Column]] = (
    "Interactions",
    "Valued: with stars, points, hours or the like. Repeated: of a user with an item that he or she had "
    "met before. Density: pairs of user and item that met, of all pairs.",
    {
        "items": lambda row: _number(row.items),
        "users": lambda row: _number(row.users),
        "interactions": lambda row: _number(row.interactions),
        "kinds": lambda row: ", ".join(row.kinds) or NONE,
        "liked": lambda row: percent(row.liked, row.interactions),
        "valued": lambda row: percent(row.with_value, row.interactions),
        "repeated": lambda row: percent(row.repeated, row.interactions),
        "density": _density,
        "years": lambda row: _years(row) or NONE,
    },
)
_HISTORIES: tuple[str, str, dict[str, _Column]] = (
    "Histories",
    "How many interactions a user has: quartiles, what 90 and 99 % of the users do not exceed, the longest.",
    {
        "quartiles": lambda row: _quartiles(row.history.all),
        "90 %": lambda row: _number(row.history.all.p90),
        "99 %": lambda row: _number(row.history.all.p99),
        "longest": lambda row: _number(row.history.all.max),
        "liked: quartiles": lambda row: _quartiles(row.history.liked),
        "longest liked": lambda row: _number(row.history.liked.max),
    },
)
_ITEMS: tuple[str, str, dict[str, _Column]] = (
    "Items",
    "Met: items with an interaction. Top 1 %: share of the interactions that the most popular 1 % of these "
    "hold. Gini: 0 where all are equally popular, near 1 where few hold everything. Title: its mean length "
    "in characters.",
    {
        "met": lambda row: percent(row.items_seen, row.items),
        "top 1 %": lambda row: percent(row.popularity.top.percent_1),
        "top 10 %": lambda row: percent(row.popularity.top.percent_10),
        "top 20 %": lambda row: percent(row.popularity.top.percent_20),
        "Gini": _gini,
        "described": lambda row: percent(row.text.description, row.items),
        "categories": lambda row: percent(row.text.categories, row.items),
        "year": lambda row: percent(row.text.year, row.items),
        "title": lambda row: f"{row.text.title_length:.0f}",
    },
)
