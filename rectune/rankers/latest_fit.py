"""The latest ranker of a kind that was fitted on all likes, from which the next one may start."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from rectune.core.artifacts import write_atomically


@dataclass(frozen=True)
class LatestFit:
    """A fitted ranker in the cache.

    Attributes:
        ranker: its folder.
        made_of: what identifies the data that it was fitted on.
        users: digests of the ids of the users whose likes it has seen, itself or what it started from.
    """

    ranker: str
    made_of: str
    users: frozenset[str]

    def knows_only(self, user_ids: Iterable[str]) -> bool:
        """Whether all that it has seen are of these users. Nobody else's likes may be in what starts from it:
        they may be in a test now, or have been deleted.
        """
        return self.users <= digests(user_ids)

    def write(self, file: Path) -> None:
        """Write it as JSON."""
        write_atomically(file, json.dumps(vars(self) | {"users": sorted(self.users)}))

    @classmethod
    def read(cls, file: Path) -> LatestFit | None:
        """What `write` wrote; None where nothing is there, or it is damaged."""
        try:
            found = json.loads(file.read_text(encoding="utf-8"))
            return cls(str(found["ranker"]), str(found["made_of"]), frozenset(found["users"]))
        except (OSError, ValueError, KeyError, TypeError):
            return None


def digests(user_ids: Iterable[str]) -> frozenset[str]:
    """Of each user's id 16 hexadecimal digits."""
    return frozenset(hashlib.blake2b(one.encode(), digest_size=8).hexdigest() for one in user_ids)
