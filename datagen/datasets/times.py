"""Points in time, however a file writes them, as seconds since 1970."""

from __future__ import annotations

import typing
from pathlib import Path

from rectune.core.errors import UserError
from rectune.datagen.datasets.raw import Drops

if typing.TYPE_CHECKING:
    import polars as pl

_FROM, _TO = 631_152_000, 4_102_444_800  # seconds: 1990 to 2100
# Seconds, milliseconds and so on since 1970: within those years no number can be two of them.
_UNITS = {"seconds": 1, "milliseconds": 10**3, "microseconds": 10**6, "nanoseconds": 10**9}
_ENOUGH = 0.99  # share of a batch's values that have to fit the unit
_COMPACT = r"^(?:19[89]\d|20\d\d)(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01])$"
_ISO = (
    r"^(?<y>\d{4})[-/.](?<m>\d{1,2})[-/.](?<d>\d{1,2})"
    r"(?:[T ]+(?<H>\d{1,2}):(?<M>\d{2})(?::(?<S>\d{2})(?:[.,]\d+)?)?)?"
    r"\s*(?<z>Z|[+-]\d{2}:?\d{2})?$"
)
_FORMATS = (
    "1700000000 (seconds; or milli-, micro-, nanoseconds), 20240131, 2024-01-31, 2024-01-31T12:30:00+09:00"
)


class Clock:
    """Reads one column of times; how it is written is decided on the first batch and holds for the file.

    A number is taken for seconds, milliseconds, microseconds or nanoseconds since 1970, whichever puts it between 1990
    and 2100 (at most one of them can), eight digits that form a date for a day. Text is ISO 8601, year first; without
    a zone it is taken as UTC. At least 99 % of the first batch's values must fit one way of writing, or it is an error;
    a row whose time does not fit is left out and counted. A missing time stays missing.
    """

    def __init__(self, path: Path, column: str, drops: Drops) -> None:
        self.path, self.column, self.drops = path, column, drops
        self.way = ""

    def read(self, table: pl.DataFrame) -> pl.DataFrame:
        """The table with its column `timestamp` (text, or a time of Parquet) as Int64 seconds.

        Raises:
            UserError: the values fit no known way of writing, or none alone.
        """
        import polars as pl

        published = table["timestamp"]
        if published.dtype.is_temporal():
            times = published.cast(pl.Datetime("us")).dt.epoch("s")
            return table.with_columns(timestamp=times)
        stripped = published.str.strip_chars()
        filled = table.with_columns(timestamp=pl.when(stripped != "").then(stripped))
        if not self.way:
            self.way = self._decide(filled["timestamp"].drop_nulls())
        if not self.way:
            return filled.with_columns(timestamp=pl.lit(None, dtype=pl.Int64))
        timed = filled.with_columns(read=_seconds(filled["timestamp"], self.way))
        bad = pl.col("timestamp").is_not_null() & pl.col("read").is_null()
        kept = timed.filter(~bad)
        self.drops.add("time that cannot be read", timed.height - kept.height, self.path.name)
        return kept.drop("timestamp").rename({"read": "timestamp"})

    def _decide(self, values: pl.Series) -> str:
        """The way of writing; "" while there is no value to tell."""
        if values.is_empty():
            return ""
        fits = {way: 1 - _seconds(values, way).null_count() / len(values) for way in (*_UNITS, "day", "text")}
        way, share = max(fits.items(), key=lambda each: each[1])
        if share >= _ENOUGH:
            return way
        odd = values.filter(_seconds(values, way).is_null())[0]
        found = f"times of the column {self.column!r} are written in no known way, or in several: {odd!r}"
        hint = f'write them as one of: {_FORMATS}; or map timestamp to "" to read without times'
        raise UserError(found, where=str(self.path), hint=hint)


def _seconds(values: pl.Series, way: str) -> pl.Series:
    """Seconds since 1970 (UTC); null for what is not written that way."""
    import polars as pl

    column = pl.col("")
    read: pl.Expr
    if way in _UNITS:
        number = column.cast(pl.Float64, strict=False) / _UNITS[way]
        read = pl.when(number.is_between(_FROM, _TO)).then(number.floor().cast(pl.Int64, strict=False))
    elif way == "day":
        day = column.str.replace(r"\.0+$", "")
        read = pl.when(day.str.contains(_COMPACT)).then(day.str.to_date("%Y%m%d", strict=False).dt.epoch("s"))
    else:
        read = _iso()
    return values.alias("").to_frame().select(read.alias("")).to_series()


def _iso() -> pl.Expr:
    import polars as pl

    part = pl.col("").str.extract_groups(_ISO).struct
    clock = [part.field(name).fill_null("0").str.zfill(2) for name in "HMS"]
    date = [part.field(name).str.zfill(2) for name in "ymd"]
    written = pl.concat_str(
        [pl.concat_str(date, separator="-"), pl.concat_str(clock, separator=":")], separator=" "
    )
    zone = part.field("z").fill_null("Z").str.replace("Z", "+0000").str.replace(":", "")
    minutes = zone.str.slice(1, 2).cast(pl.Int64) * 60 + zone.str.slice(3, 2).cast(pl.Int64)
    ahead = pl.when(zone.str.starts_with("-")).then(-minutes).otherwise(minutes) * 60
    return written.str.to_datetime("%Y-%m-%d %H:%M:%S", strict=False).dt.epoch("s") - ahead
