"""Points in time, however a file writes them, as milliseconds since 1970."""

from __future__ import annotations

import typing
from pathlib import Path

from rectune.core.errors import UserError
from rectune.readers.drops import Drops

if typing.TYPE_CHECKING:
    import polars as pl

EARLIEST = 631_152_000_000  # ms: 1990; no log is older, and a number before it was cut off or is no time
_FROM, _TO = 631_152_000, 4_102_444_800  # seconds: 1990 to 2100
# Seconds, milliseconds and so on since 1970, a second of each: within those years no number can be two of
# them.
_UNITS = {"seconds": 1, "milliseconds": 10**3, "microseconds": 10**6, "nanoseconds": 10**9}
_ENOUGH = 0.99  # share of a batch's values that have to fit the unit
_COMPACT = r"^(?:19[89]\d|20\d\d)(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01])$"
_ISO = (
    r"^(?<y>\d{4})[-/.](?<m>\d{1,2})[-/.](?<d>\d{1,2})"
    r"(?:[T ]+(?<H>\d{1,2}):(?<M>\d{2})(?::(?<S>\d{2})(?:[.,](?<f>\d+))?)?)?"
    r"\s*(?<z>Z|[+-]\d{2}:?\d{2})?$"
)
_FORMATS = (
    "1700000000 (seconds; or milli-, micro-, nanoseconds), 20240131, 2024-01-31, 2024-01-31T12:30:00+09:00"
)


class Clock:
    """Reads one column of times; how it is written is decided on the first batch and holds for the file.

    Where a format is given, it is that one. Otherwise a number is taken for seconds, milliseconds,
    microseconds or nanoseconds since 1970, whichever puts it between 1990 and 2100 (at most one of them can),
    eight digits that form a date for a day. Text is ISO 8601, year first; without a zone it is taken as UTC.
    At least 99 % of the first batch's values must fit one way of writing, or it is an error; a row whose time
    does not fit is left out and counted. A missing time stays missing.
    """

    def __init__(self, path: Path, column: str, drops: Drops, time_format: str = "") -> None:
        self.path, self.column, self.drops = path, column, drops
        self.way, self._decided = time_format, False

    def read(self, table: pl.DataFrame) -> pl.DataFrame:
        """The table with its column `timestamp` (text, or a time of Parquet) as Int64 milliseconds.

        Raises:
            UserError: the values fit no known way of writing, or none alone; or are times of day or
                durations.
        """
        import polars as pl

        published = table["timestamp"]
        if published.dtype.is_temporal():
            return table.with_columns(timestamp=self._of_parquet(published))
        stripped = published.cast(pl.String).str.strip_chars()
        filled = table.with_columns(timestamp=pl.when(stripped != "").then(stripped))
        values = filled["timestamp"].drop_nulls()
        if not self._decided and len(values):
            self.way, self._decided = self._decide(values), True
        if not self._decided:
            return filled.with_columns(timestamp=pl.lit(None, dtype=pl.Int64))
        timed = filled.with_columns(read=_milliseconds(filled["timestamp"], self.way))
        bad = pl.col("timestamp").is_not_null() & pl.col("read").is_null()
        kept = timed.filter(~bad)
        if kept.height < timed.height:
            first = timed.filter(bad)["timestamp"][0]
            where = f"{self.path.name}: {self.column} {first[:60]}"
            self.drops.add("time that cannot be read", timed.height - kept.height, where)
        return kept.drop("timestamp").rename({"read": "timestamp"})

    def _of_parquet(self, published: pl.Series) -> pl.Series:
        import polars as pl

        if not isinstance(published.dtype, (pl.Datetime, pl.Date)):
            what = "times of day" if published.dtype == pl.Time() else "durations"
            raise UserError(
                f"the column {self.column} holds {what} and not points in time",
                where=str(self.path),
                hint='map timestamp to another column, or to "" to read without times',
            )
        return published.cast(pl.Datetime("ms")).dt.epoch("ms")

    def _decide(self, values: pl.Series) -> str:
        """The way of writing."""
        ways = (self.way,) if self.way else (*_UNITS, "day", "text")
        fits = {way: 1 - _milliseconds(values, way).null_count() / len(values) for way in ways}
        way, share = max(fits.items(), key=lambda each: each[1])
        if share >= _ENOUGH:
            return way
        odd = values.filter(_milliseconds(values, way).is_null())[0][:60]
        if self.way:
            found = f"times of the column {self.column} are not written as {self.way}: {odd}"
            raise UserError(found, where=str(self.path), hint="give another time_format (as of strptime)")
        found = f"times of the column {self.column} are written in no known way, or in several: {odd}"
        hint = (
            "say how, with time_format (as of strptime: %d-%m-%Y %H:%M is 31-01-2024 12:30); or write them "
            f'as one of: {_FORMATS}; or map timestamp to "" to read without times'
        )
        raise UserError(found, where=str(self.path), hint=hint)


def _milliseconds(values: pl.Series, way: str) -> pl.Series:
    """Milliseconds since 1970 (UTC); null for what is not written that way."""
    import polars as pl

    column = pl.col("")
    read: pl.Expr
    if "%" in way:
        return _formatted(values, way)
    if way in _UNITS:
        seconds = column.cast(pl.Float64, strict=False) / _UNITS[way]
        whole = column.cast(pl.Int64, strict=False)
        parts = whole * (1000 // _UNITS[way]) if _UNITS[way] <= 1000 else whole // (_UNITS[way] // 1000)
        exact = pl.coalesce(parts, (seconds * 1000).floor().cast(pl.Int64, strict=False))
        read = pl.when(seconds.is_between(_FROM, _TO)).then(exact)
    elif way == "day":
        day = column.str.replace(r"\.0+$", "")
        read = pl.when(day.str.contains(_COMPACT)).then(
            day.str.to_date("%Y%m%d", strict=False).dt.epoch("ms")
        )
    else:
        read = _iso()
    return values.alias("").to_frame().select(read.alias("")).to_series()


def _formatted(values: pl.Series, time_format: str) -> pl.Series:
    import polars as pl

    for kind in (pl.Datetime("ms"), pl.Date()):
        try:
            read = values.str.strptime(kind, time_format, strict=False)
        except pl.exceptions.PolarsError:
            continue
        if read.null_count() < len(read):
            return read.cast(pl.Datetime("ms", getattr(read.dtype, "time_zone", None))).dt.epoch("ms")
    return pl.Series(values.name, [None] * len(values), dtype=pl.Int64)


def _iso() -> pl.Expr:
    import polars as pl

    part = pl.col("").str.extract_groups(_ISO).struct
    clock = [part.field(name).fill_null("0").str.zfill(2) for name in "HMS"]
    date = [part.field(name).str.zfill(2) for name in "ymd"]
    written = pl.concat_str(
        [pl.concat_str(date, separator="-"), pl.concat_str(clock, separator=":")], separator=" "
    )
    thousandths = part.field("f").fill_null("0").str.slice(0, 3).str.pad_end(3, "0").cast(pl.Int64)
    zone = part.field("z").fill_null("Z").str.replace("Z", "+0000").str.replace(":", "")
    minutes = zone.str.slice(1, 2).cast(pl.Int64) * 60 + zone.str.slice(3, 2).cast(pl.Int64)
    ahead = pl.when(zone.str.starts_with("-")).then(-minutes).otherwise(minutes) * 60_000
    read = written.str.to_datetime("%Y-%m-%d %H:%M:%S", strict=False).dt.epoch("ms") + thousandths - ahead
    return pl.when(read >= EARLIEST).then(read)
