"""Seeds derived from hashes: the same on any machine, in any order, on any number of workers."""

from __future__ import annotations

import typing

from rectune.core.types import content_id

if typing.TYPE_CHECKING:
    import numpy as np


def seed_of(*parts: object) -> int:
    """A seed of 31 bits (the range of samplers), derived from the parts."""
    return int(content_id(*parts)[:8], 16) >> 1


def generator_of(*parts: object) -> np.random.Generator:
    """A numpy generator, seeded by the parts."""
    import numpy as np

    return np.random.default_rng(int(content_id(*parts), 16))
