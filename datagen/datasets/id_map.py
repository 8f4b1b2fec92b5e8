"""Published ids as dense numbers: strings in millions of rows would not fit into memory, codes of four bytes
do.
"""

from __future__ import annotations

import typing
from typing import Any

if typing.TYPE_CHECKING:
    import numpy as np
    import polars as pl
    from numpy.typing import NDArray

_LARGEST = (
    1 << 26
)  # the highest number that is looked up in a table (of 256 MiB then); beyond it numbers are texts
_NONE = 0xFFFFFFFF


class IdMap:
    """Gives every id a code, from 0, in the order in which ids are first met. A number is the same id as its
    text.
    """

    def __init__(self) -> None:
        self._numbers: _Numbers | None = None
        self._texts: _Texts | None = None

    def __len__(self) -> int:
        return len(self._numbers or self._texts or ())

    def of(self, ids: pl.Series) -> pl.Series:
        """[n] String or UInt32 -> [n] UInt32; ids not met before get the next codes. Null texts stay null."""
        import polars as pl

        if ids.dtype == pl.UInt32() and self._texts is None and (ids.len() == 0 or ids.max() <= _LARGEST):  # type: ignore[operator]
            self._numbers = self._numbers or _Numbers()
            return self._numbers.of(ids)
        if self._texts is None:
            known = self._numbers.texts() if self._numbers else pl.Series(dtype=pl.String)
            self._texts, self._numbers = _Texts(), None
            self._texts.of(known)
        return self._texts.of(ids.cast(pl.String))

    def texts(self) -> pl.Series:
        """[len(self)] String: all ids by code."""
        import polars as pl

        held = self._numbers or self._texts
        return held.texts() if held else pl.Series(dtype=pl.String)


class _Texts:
    """By polars' own pool of words."""

    def __init__(self) -> None:
        import polars as pl

        self._type = pl.Categorical(pl.Categories.random())
        # Polars forgets a pool that no column uses.
        self._held = pl.Series([""], dtype=pl.String).clear().cast(self._type)
        self._count = 0

    def __len__(self) -> int:
        return self._count

    def of(self, texts: pl.Series) -> pl.Series:
        codes = texts.cast(self._type).to_physical()
        highest = typing.cast("int | None", codes.max())
        self._count = max(self._count, 0 if highest is None else highest + 1)
        return codes

    def texts(self) -> pl.Series:
        import polars as pl

        codes = pl.int_range(0, self._count, dtype=pl.UInt32, eager=True)
        return codes.cat.to(self._type).cast(pl.String)


class _Numbers:
    """By a table from number to code, ten times as fast."""

    def __init__(self) -> None:
        import numpy as np

        self._table: NDArray[np.uint32] = np.zeros(0, np.uint32)
        self._met: list[NDArray[Any]] = []
        self._count = 0

    def __len__(self) -> int:
        return self._count

    def of(self, numbers: pl.Series) -> pl.Series:
        import numpy as np
        import polars as pl

        values = numbers.to_numpy()
        if len(values) and values.max() >= len(self._table):
            grown = np.full(int(values.max()) + 1, _NONE, np.uint32)
            grown[: len(self._table)] = self._table
            self._table = grown
        codes = self._table[values]
        missing = codes == _NONE
        if missing.any():
            new = pl.Series(values[missing]).unique(maintain_order=True).to_numpy()
            self._table[new] = np.arange(self._count, self._count + len(new), dtype=np.uint32)
            self._met.append(new)
            self._count += len(new)
            codes = self._table[values]
        return pl.Series(codes)

    def texts(self) -> pl.Series:
        import numpy as np
        import polars as pl

        return pl.Series(np.concatenate([np.zeros(0, np.uint32), *self._met])).cast(pl.String)
