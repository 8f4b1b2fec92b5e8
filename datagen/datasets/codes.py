"""Published ids as dense numbers: strings in millions of rows would not fit into memory, codes of four bytes do."""

from __future__ import annotations

import typing

if typing.TYPE_CHECKING:
    import polars as pl


class Codes:
    """Gives every text a code, from 0, in the order in which texts are first met."""

    def __init__(self) -> None:
        import polars as pl

        self._type = pl.Categorical(pl.Categories.random())
        self._held = (
            pl.Series([""], dtype=pl.String).clear().cast(self._type)
        )  # polars forgets a pool that no column uses
        self._count = 0

    def __len__(self) -> int:
        return self._count

    def of(self, texts: pl.Series) -> pl.Series:
        """[n] String -> [n] UInt32; texts not met before get the next codes. Null stays null."""
        codes = texts.cast(self._type).to_physical()
        highest = typing.cast("int | None", codes.max())
        self._count = max(self._count, 0 if highest is None else highest + 1)
        return codes

    def texts(self) -> pl.Series:
        """[len(self)] String: all texts by code."""
        import polars as pl

        codes = pl.int_range(0, self._count, dtype=pl.UInt32, eager=True)
        return codes.cat.to(self._type).cast(pl.String)
