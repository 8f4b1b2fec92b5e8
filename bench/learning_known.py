"""Rows of `bench.learning_curve` by whether the untuned model knows by heart what they teach.

A title is known by heart as far as the model completes it: the mean log-probability of the second half of its
tokens, given the first half as the beginning of a list. Titles that many like are known better, so rows are
compared with rows whose titles are about as well liked: of every four neighbours in that order the one with
the highest mean counts as known, the one with the lowest as unknown.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Literal

import numpy as np

from bench.learning_model import Learner
from bench.learning_rows import Pick, Source, World
from rectune.prompts.title_list import next_line
from rectune.rankers.domain_data import DomainData

Known = Literal["known", "unknown"]
KNOWN: tuple[Known, ...] = ("known", "unknown")
_BLOCK, _GROUP = 64, 4  # rows that are put in order at once, and of which one is known and one is unknown
_TOGETHER = 48  # titles that are read in one pass


class ByHeart:
    """How well the untuned model completes titles; what was read is kept in a file.

    Args:
        world: whose titles.
        learner: its adapters change nothing once a title had to be read.
        file: lines of domain, item and score; it may not be there yet.
    """

    def __init__(self, world: World, learner: Learner, file: Path) -> None:
        self._world, self._learner, self._file = world, learner, file
        self._taken: list[tuple[float, float]] = []
        self._scores: dict[tuple[str, str], float] = {}
        for line in file.read_text().splitlines() if file.exists() else ():
            if line.endswith("]"):  # the last one may have been cut short
                domain, item, score = json.loads(line)
                self._scores[domain, item] = score

    def scores(self, domain: str, items: Sequence[str]) -> list[float]:
        """Nats a token of each title's second half; NaN where a title is a single token."""
        missing = [item for item in dict.fromkeys(items) if (domain, item) not in self._scores]
        if missing:
            self._learner.reset(0)
            prompt = self._world.list_prompt(domain) + self._world.ids("-")
            with self._file.open("a") as stream:
                stream.write("\n")
                for start in range(0, len(missing), _TOGETHER):
                    part = missing[start : start + _TOGETHER]
                    titles = [self._world.ids(next_line(self._title(domain, item))) for item in part]
                    logs = self._learner.token_logs(prompt, titles)
                    for item, one in zip(part, logs, strict=True):
                        self._scores[domain, item] = second_half(one)
                        print(json.dumps([domain, item, self._scores[domain, item]]), file=stream)
        return [self._scores[domain, item] for item in items]

    def pick(self, kind: Known) -> Pick:
        """What leaves only the known or the unknown rows of a stream, and begins to count them anew."""
        self._taken = []
        return partial(self._picked, kind)

    def picked(self) -> str:
        """What the rows have in common that were left since then, in words; empty where none were picked."""
        if not self._taken:
            return ""
        known, liked = np.mean(self._taken, axis=0)
        return f"second halves {known:.2f} nats a token, log(1 + likes) {liked:.2f}"

    def _picked(self, kind: Known, domain: str, sources: Iterator[Source]) -> Iterator[Source]:
        while block := list(islice(sources, _BLOCK)):
            known = self._of_rows(domain, block)
            liked = [liking(self._world.domains[domain], one.taught) for one in block]
            for at in one_of_each_group(known, liked, kind):
                self._taken.append((known[at], liked[at]))
                yield block[at]

    def _of_rows(self, domain: str, block: Sequence[Source]) -> list[float]:
        """The mean over the titles that a row teaches; NaN where it can be told of none."""
        scores = iter(self.scores(domain, [item for one in block for item in one.taught]))
        rows = [np.array(list(islice(scores, len(one.taught)))) for one in block]
        return [float(np.nanmean(row)) if not np.isnan(row).all() else np.nan for row in rows]

    def _title(self, domain: str, item: str) -> str:
        return self._world.catalogue.get(domain, item).title


def second_half(logs: Sequence[float]) -> float:
    """The mean behind the first half, which has the token in the middle."""
    rest = logs[(len(logs) + 1) // 2 :]
    return float(np.mean(rest)) if rest else float("nan")


def liking(data: DomainData, items: Sequence[str]) -> float:
    """The mean of log(1 + likes) of train users."""
    likes = data.likes
    return float(np.mean([np.log1p(likes.counts[likes.place[item]]) for item in items]))


def one_of_each_group(known: Sequence[float], liked: Sequence[float], kind: Known) -> list[int]:
    """Places in their order: of each whole group of rows liked alike, the best or the least known one.

    Rows of which it cannot be told are in no group.
    """
    able = sorted((at for at in range(len(known)) if known[at] == known[at]), key=lambda at: liked[at])
    groups = [able[start : start + _GROUP] for start in range(0, len(able) - _GROUP + 1, _GROUP)]
    choose = max if kind == "known" else min
    return sorted(choose(group, key=lambda at: known[at]) for group in groups)
