"""What the language model's side is trained on: histories of train users, and what each liked next."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from rectune.core.rng import generator_of
from rectune.rankers.domain_data import TrainLikes
from rectune.rankers.sequential.sequences import Codes, Sequences, sequences_of

_HELD_OUT, _HELD_OUT_SHARE = 200, 0.1  # users who tell when to stop: at most so many, and this share
_HELD_OUT_CASES = 0.2  # at most, for each case that is trained on: judging takes time as well
_SEEN = 50  # likes before the target that are kept: the latest


@dataclass(frozen=True)
class TrainCase:
    """A history, oldest first, and what came next; `user` is a number of `TrainCases`."""

    history: tuple[str, ...]
    target: str
    user: int


@dataclass(frozen=True)
class TrainCases:
    """Cases of train users; those of held-out users are in no other case.

    Attributes:
        item_ids: the catalogue.
        train, held_out: the cases.
        liked: places in the catalogue of all that each user likes.
    """

    item_ids: Sequence[str]
    train: tuple[TrainCase, ...]
    held_out: tuple[TrainCase, ...]
    liked: Sequence[frozenset[int]] = field(repr=False)

    def negatives(self, case: TrainCase, count: int, rng: np.random.Generator) -> list[str]:
        """So many items, each alike, that the user does not like; fewer where there are no more."""
        liked, items = self.liked[case.user], len(self.item_ids)
        wanted = min(count, items - len(liked))
        found: dict[int, None] = {}
        while len(found) < wanted:
            drawn = rng.integers(items, size=2 * wanted).tolist()
            found |= dict.fromkeys(at for at in drawn if at not in liked)
        return [self.item_ids[at] for at in list(found)[:wanted]]


def draw_cases(likes: TrainLikes, count: int, seed: int) -> TrainCases:
    """Cases from the likes of train users: every user once before any twice.

    Args:
        likes: of train users; where they have no times, each history has one drawn order.
        count: cases to train on, if there are so many.
        seed: of the choice of users and of where their histories are cut.
    """
    rng = generator_of("language model, cases", seed)
    sequences = sequences_of(likes, np.arange(1, len(likes.item_ids) + 1)).in_drawn_order(rng)
    owners, places = _every(sequences)
    order = _in_turns(owners, rng)
    able = np.unique(owners)
    wanted = min(_HELD_OUT, len(able) * _HELD_OUT_SHARE, count * _HELD_OUT_CASES)
    held = rng.permutation(able)[: int(wanted)]
    apart = np.isin(owners[order], held)
    chosen = order[~apart][:count], order[apart][: len(held)]
    train, held_out = (tuple(_case(likes, sequences, owners[at], places[at]) for at in row) for row in chosen)
    rows = np.split(sequences.items - 1, sequences.bounds[1:-1])
    return TrainCases(likes.item_ids, train, held_out, [frozenset(row.tolist()) for row in rows])


def _every(sequences: Sequences) -> tuple[Codes, Codes]:
    """The user of every like but each user's first, and its place in the history."""
    counts = np.maximum(sequences.lengths - 1, 0)
    owners = np.repeat(np.arange(len(counts)), counts)
    starts = np.repeat(np.cumsum(counts) - counts, counts)
    return owners, np.arange(len(owners)) - starts + 1


def _in_turns(owners: Codes, rng: np.random.Generator) -> Codes:
    """A drawn order in which every owner is once before any is twice, and so on."""
    mixed = rng.permutation(len(owners))
    by_owner = np.argsort(owners[mixed], kind="stable")
    grouped = owners[mixed][by_owner]
    first = np.searchsorted(grouped, grouped)
    turn = np.empty(len(owners), np.int64)
    turn[by_owner] = np.arange(len(owners)) - first
    found: Codes = mixed[np.argsort(turn, kind="stable")]
    return found


def _case(likes: TrainLikes, sequences: Sequences, user: int, place: int) -> TrainCase:
    start = int(sequences.bounds[user])
    row = sequences.items[start : start + int(place) + 1] - 1
    ids = [likes.item_ids[at] for at in row]
    return TrainCase(tuple(ids[:-1][-_SEEN:]), ids[-1], int(user))
