"""Seeded random numbers for whole arrays at once, the same in every version of numpy."""

from __future__ import annotations

import hashlib
import typing
from collections.abc import Iterable
from typing import Any

if typing.TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_GOLDEN = 0x9E3779B97F4A7C15


def hash64(*parts: Any) -> int:
    """A 64-bit number that hashes the parts."""
    text = "\0".join(str(part) for part in parts)
    return int.from_bytes(
        hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).digest(), "little"
    )


def hashes64(parts: Iterable[tuple[Any, ...]]) -> NDArray[np.uint64]:
    """[n] numbers, one for each tuple of parts; see `hash64`."""
    import numpy as np

    return np.fromiter((hash64(*part) for part in parts), np.uint64)


def mixed(values: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Spread any numbers evenly over 64 bits (the finaliser of splitmix64, Steele, Lea and Flood 2014)."""
    import numpy as np

    values = (values ^ (values >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    values = (values ^ (values >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return values ^ (values >> np.uint64(31))


def uniform(seeds: NDArray[np.uint64], count: int) -> NDArray[np.float64]:
    """[n] seeds -> [n, count] numbers in [0, 1)."""
    import numpy as np

    steps = np.arange(1, count + 1, dtype=np.uint64) * np.uint64(_GOLDEN)
    return (mixed(seeds[:, None] + steps[None, :]) >> np.uint64(11)).astype(np.float64) * 2.0**-53
