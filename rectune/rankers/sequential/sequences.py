"""Histories as arrays for training: windows of them, batches of windows, and what is held out of them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from rectune.core.rng import generator_of
from rectune.rankers.domain_data import TrainLikes

Codes = NDArray[np.int64]

PADDING, MASK = 0, -1  # in place of an item: nothing is there, or what is there is to be told

_MASKED = 0.2  # of the items
_ASKED = 0.25  # of the windows, as when the next item is asked for
_HISTORIES, _HELD_OUT = 500, 2_000  # histories and likes, at most, that tell when to stop
_HELD_OUT_SHARE = 0.05  # of all likes, at most
_SHORTEST = 3  # likes of a history that one is held out of
_LAST = 5  # likes of a history, at most, that are held out


@dataclass(frozen=True)
class Sequences:
    """The likes of all users, one history after another.

    Attributes:
        items: [likes] rows of the item table, from 1 on; 0 stands for no item.
        bounds: [histories + 1] where each history begins, and the last one ends.
        ordered: whether a history is in the order of time; if not, another order is drawn in every epoch.
    """

    items: Codes
    bounds: Codes
    ordered: bool = True

    @property
    def lengths(self) -> Codes:
        """[histories] the number of items of each."""
        return np.diff(self.bounds)

    def in_drawn_order(self, rng: np.random.Generator) -> Sequences:
        """The same histories, each in an order of its own, where they have none."""
        if self.ordered:
            return self
        users = np.repeat(np.arange(len(self.lengths)), self.lengths)
        return replace(self, items=self.items[np.lexsort((rng.random(len(users)), users))])


@dataclass(frozen=True)
class HeldOut:
    """The last items of some histories, which training does not see.

    Those are left out that nobody else likes: training knows nothing of them, and would only seem worse
    the more it learns.

    Attributes:
        windows: the latest items of each of these histories, those that are held out included.
        rows, columns: [held-out items] the window of each, and its place there, at least 1.
    """

    windows: tuple[Codes, ...]
    rows: Codes
    columns: Codes


def sequences_of(likes: TrainLikes, row_of: Codes) -> Sequences:
    """The histories of train users by time; of equal times in the order of the likes, which is the file's.

    Args:
        likes: of train users.
        row_of: [items] the row of the item table, from 1 on, of each place in `likes.item_ids`; 0: left out.
    """
    rows = row_of[likes.items]
    kept = np.flatnonzero(rows > 0)
    users = likes.users[kept]
    keys = (users,) if likes.times is None else (likes.times[kept], users)
    order = np.lexsort(keys)  # stable
    starts = np.flatnonzero(np.diff(users[order], prepend=-1 if not len(users) else users[order[0]] - 1))
    bounds = np.append(starts, len(order)).astype(np.int64)
    return Sequences(rows[kept][order], bounds, likes.times is not None)


def hold_out(sequences: Sequences, max_length: int, seed: int) -> tuple[Sequences, HeldOut]:
    """Take the last items out of some histories; at least two items of each are left.

    At most a twentieth of all likes, 2,000 likes and 500 histories; several of a history, at most five and a
    tenth of `max_length`, where there are not so many histories.

    Args:
        sequences: all of them.
        max_length: items that a network sees of a history.
        seed: of the choice; where there is no order, of the order too.
    """
    rng = generator_of("held out", seed)
    sequences = sequences.in_drawn_order(rng)
    able = np.flatnonzero(sequences.lengths >= _SHORTEST)
    wanted = min(_HELD_OUT, int(np.ceil(len(sequences.items) * _HELD_OUT_SHARE)))
    chosen = np.sort(rng.permutation(able)[: min(_HISTORIES, wanted)])
    each = max(1, min(wanted // max(len(chosen), 1), _LAST, max_length // 10))
    told = np.minimum(each, sequences.lengths[chosen] - _SHORTEST + 1)
    ends = sequences.bounds[chosen + 1]
    first = np.maximum(sequences.bounds[chosen], ends - max_length - 1)
    rows = np.repeat(np.arange(len(chosen)), told)
    places = np.repeat(ends, told) - 1 - _counted(told)
    fewer = np.zeros(len(sequences.bounds), np.int64)
    fewer[chosen + 1] = told
    bounds = sequences.bounds - np.cumsum(fewer)
    rest = Sequences(np.delete(sequences.items, places), bounds, sequences.ordered)
    known = np.isin(sequences.items[places], rest.items)
    windows = tuple(sequences.items[begin:end] for begin, end in zip(first, ends, strict=True))
    return rest, HeldOut(windows, rows[known], (places - first[rows])[known])


def _counted(sizes: Codes) -> Codes:
    """0, 1, … below each of the sizes, one after the other."""
    ends = np.cumsum(sizes)
    found: Codes = np.arange(ends[-1] if len(ends) else 0) - np.repeat(ends - sizes, sizes)
    return found


def batches(
    sequences: Sequences, max_length: int, positions: int, rng: np.random.Generator
) -> Iterator[Codes]:
    """One epoch: each item but the first of a history is in exactly one window as one that follows others.

    A history longer than a window is cut at drawn places, and a window begins with the item that the one
    before it ends with. Windows of about the same length form a batch, so that little is padding.

    Args:
        sequences: what is trained on.
        max_length: the items of a window, less one.
        positions: about how many items a batch has.
        rng: of the order, and of where long histories are cut.

    Yields:
        [windows, at most max_length + 1] rows of the item table, 0 on the left where a window is shorter.
    """
    sequences = sequences.in_drawn_order(rng)
    starts, lengths = _windows(sequences, max_length, rng)
    mixed = rng.permutation(len(starts))
    by_length = mixed[np.argsort(-lengths[mixed], kind="stable")]
    cuts, at = [], 0
    while at < len(by_length):
        size = max(1, positions // int(lengths[by_length[at]]))
        cuts.append(by_length[at : at + size])
        at += size
    for number in rng.permutation(len(cuts)):
        yield _padded(sequences.items, starts[cuts[number]], lengths[cuts[number]])


def shifted(windows: Codes) -> tuple[Codes, Codes]:
    """[b, n + 1] windows -> [b, n] items, and [b, n] the one that follows each; 0 where nothing is told."""
    items = windows[:, :-1]
    return items, np.where(items == PADDING, PADDING, windows[:, 1:])


def masked(windows: Codes, rng: np.random.Generator) -> tuple[Codes, Codes]:
    """[b, n] windows -> the same with some items masked, and [b, n] what was there; 0 where nothing is told.

    A fifth of the items is masked, at least one of each window. A quarter of the windows is as when the next
    item is asked for: cut after an item that is drawn, which is masked and no other.
    """
    windows = windows.copy()
    asked = np.flatnonzero(rng.random(len(windows)) < _ASKED)
    for row in asked:
        own = windows[row][windows[row] != PADDING]
        kept = int(rng.integers(2, len(own) + 1)) if len(own) > 1 else len(own)
        windows[row] = 0
        windows[row, windows.shape[1] - kept :] = own[:kept]
    hidden = (windows != PADDING) & (rng.random(windows.shape) < _MASKED)
    hidden[asked] = False
    hidden[~hidden.any(1), -1] = True
    return np.where(hidden, MASK, windows), np.where(hidden, windows, PADDING)


def _windows(sequences: Sequences, max_length: int, rng: np.random.Generator) -> tuple[Codes, Codes]:
    """Where each window begins, and how many items it has, at least two."""
    lengths, begins = sequences.lengths, sequences.bounds[:-1]
    short = (lengths >= 2) & (lengths <= max_length + 1)
    starts, sizes = [begins[short]], [lengths[short]]
    for user in np.flatnonzero(lengths > max_length + 1):
        follow = int(lengths[user]) - 1  # items that follow another one
        ends = np.arange(int(rng.integers(1, max_length + 1)), follow, max_length)
        edges = np.concatenate([[0], ends, [follow]])
        starts.append(begins[user] + edges[:-1])
        sizes.append(np.diff(edges) + 1)
    return np.concatenate(starts), np.concatenate(sizes)


def _padded(items: Codes, starts: Codes, lengths: Codes) -> Codes:
    width = int(lengths.max())
    columns = np.arange(width) - (width - lengths)[:, None]
    there = columns >= 0
    found = np.zeros(there.shape, np.int64)
    found[there] = items[(starts[:, None] + columns)[there]]
    return found


def padded(histories: tuple[Codes, ...] | list[Codes]) -> Codes:
    """[histories, items of the longest] with 0 on the left of shorter ones."""
    lengths = np.array([len(history) for history in histories], np.int64)
    ends = np.cumsum(lengths)
    return _padded(np.concatenate(histories), ends - lengths, lengths)
