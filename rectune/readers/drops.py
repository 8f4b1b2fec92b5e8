"""What was left out on reading: how often, by reason, and where it was met first in each file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from rectune.core.errors import UserError

MALFORMED_LIMIT = 0.01  # default share of a file's lines; beyond it the file is broken, or not what it seems
_HOPELESS = 1000  # lines: after this many malformed ones and no other, the rest is not worth the time
_PLACES = 20  # files of which the first place is kept


@dataclass(frozen=True)
class Sizes:
    """How much of a file is in memory at a time.

    Attributes:
        chunk: bytes of lines that are parsed together.
        piece: bytes that are parsed together once more where a chunk holds anything odd.
        longest: bytes (in an array: characters); no record is longer.
        scanned: rows of a batch that `scan_scalars` gives, about.
    """

    chunk: int = 8 << 20
    piece: int = 128 << 10
    longest: int = 64 << 20
    scanned: int = 250_000


REVIEWS = Sizes(scanned=20_000)  # batches that hold long texts


@dataclass
class Drops:
    """What was left out.

    Attributes:
        counts: reason -> how often.
        first: reason -> the first place of each file where it was met (`file:line: why`).
        notes: what else is worth a look although nothing was left out for it.
        malformed_limit: the share of a file's lines that may be malformed before reading it is an error.
    """

    counts: dict[str, int] = field(default_factory=dict)
    first: dict[str, list[str]] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    malformed_limit: float = MALFORMED_LIMIT

    def add(self, reason: str, count: int, where: str = "") -> None:
        """Count something left out; `where` is kept if it is the first of its reason in its file."""
        if not count:
            return
        self.counts[reason] = self.counts.get(reason, 0) + count
        places = self.first.setdefault(reason, [])
        file = where.partition(":")[0]
        if where and len(places) < _PLACES and all(file != place.partition(":")[0] for place in places):
            places.append(where)
        if not places:
            del self.first[reason]

    def note(self, said: str) -> None:
        """Keep something to be said, once."""
        if said not in self.notes:
            self.notes.append(said)

    def uncounted(self) -> Drops:
        """For a pass over lines that are counted in another pass."""
        return Drops(malformed_limit=self.malformed_limit)


@dataclass
class Faults:
    """The malformed lines of one file, by reason."""

    path: Path
    bad: int = 0
    line: int = 0
    why: str = ""
    hint: str = ""

    def add(self, line: int, why: str, count: int = 1) -> None:
        """Count malformed lines; `line` (from 1) and `why` describe the first of them."""
        if not self.bad:
            self.line, self.why = line, why
        self.bad += count
        if count == 1 and self.bad == line >= _HOPELESS:
            raise self._error(line, 0.0)

    def close(self, seen: int, drops: Drops) -> None:
        """Tell `drops` about them after `seen` lines were read.

        Raises:
            UserError: more were malformed than `drops.malformed_limit` allows.
        """
        if self.bad > drops.malformed_limit * seen:
            raise self._error(seen, drops.malformed_limit)
        drops.add("malformed line", self.bad, f"{self.path.name}:{self.line}: {self.why}")

    def _error(self, seen: int, limit: float) -> UserError:
        hint = f"fix the lines, or get the file again (`malformed` lets {limit:.1%} of them pass)"
        return UserError(
            f"{self.why}; {self.bad:,} of {seen:,} lines are malformed",
            where=f"{self.path}:{self.line}",
            hint=f"{self.hint}; or {hint}" if self.hint else hint,
        )


def left_out_lines(drops: Drops) -> list[str]:
    """`drop_lines` under a heading; nothing where nothing was left out."""
    return ["left out:", *drop_lines(drops.counts, drops.first)] if drops.counts else []


def drop_lines(counts: Mapping[str, int], first: Mapping[str, list[str]], indent: str = "  ") -> list[str]:
    """A table for a person: count and reason, and below it the first places."""
    lines = []
    for reason, count in counts.items():
        lines.append(f"{indent}{count:>12,}  {reason}")
        lines += [f"{indent}{'':>12}    first: {place}" for place in first.get(reason, ())]
    return lines
