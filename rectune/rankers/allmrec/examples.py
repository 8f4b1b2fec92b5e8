"""What stage 1 of A-LLMRec is trained on: users' states, what each liked next, and drawn items."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from rectune.core.errors import UserError
from rectune.core.progress import say
from rectune.core.rng import generator_of
from rectune.rankers.domain_data import TrainLikes
from rectune.rankers.sequential.network import SequenceNetwork
from rectune.rankers.sequential.ranker import SequentialRanker
from rectune.rankers.sequential.sequences import PADDING, Codes, Sequences, padded, sequences_of

Positions = Literal["last", "all"]

_MOST = 1_000_000  # examples, whose states are held in memory
_AT_ONCE = 64  # histories whose states are computed together
_DRAWS = 10  # rounds in which an item that a user likes is drawn again, before the others are listed


@dataclass(frozen=True)
class Examples:
    """n examples: a history, and what came next.

    Attributes:
        states: [n, d] the state of the frozen recommender after each history.
        targets: [n] rows of the item table, from 0, of what came next.
        users: [n] numbers of the users, from 0.
    """

    states: Tensor
    targets: Codes
    users: Codes

    def of(self, places: Codes) -> Examples:
        """Some of them."""
        return Examples(self.states[torch.from_numpy(places)], self.targets[places], self.users[places])


def check_positions(name: str, network: SequenceNetwork, positions: Positions) -> None:
    """Refuse a recommender of this name whose network has no state at each of these positions.

    Raises:
        UserError: it has one after the last item alone, and `positions` is `all`.
    """
    if positions == "all" and network.objective == "masked":
        raise UserError(
            f"{name} has a state only after the last item of a history",
            hint='take sasrec, for example; or fit allmrec_items with positions="last", and other rankers '
            "beside it, with fit_beside",
        )


@torch.no_grad()
def examples_of(recommender: SequentialRanker, sequences: Sequences, positions: Positions) -> Examples:
    """The examples of histories.

    Args:
        recommender: is not changed.
        sequences: see `train_sequences`.
        positions: only what each user liked last, or every like but the first.

    Raises:
        UserError: the recommender has no state at every position, and `positions` is `all`.
    """
    network = recommender.fitted_network
    check_positions(recommender.name, network, positions)
    windows, users = _windows(sequences, recommender.known_length, positions)
    order = np.argsort([len(window) for window in windows], kind="stable")
    states, targets, owners = [], [], []
    for start in range(0, len(order), _AT_ONCE):
        some = order[start : start + _AT_ONCE]
        before = padded([windows[at][:-1] for at in some])
        items = torch.from_numpy(before)
        if positions == "last":
            states.append(network.user_states(items))
            targets.append(np.array([windows[at][-1] for at in some]))
            owners.append(users[some])
            continue
        there = before != PADDING
        states.append(network(items)[torch.from_numpy(there)])
        targets.append(padded([windows[at][1:] for at in some])[there])
        owners.append(np.repeat(users[some], there.sum(1)))
    return Examples(torch.cat(states), np.concatenate(targets) - 1, np.concatenate(owners))


def train_sequences(recommender: SequentialRanker, likes: TrainLikes, seed: int) -> Sequences:
    """The histories of train users in rows of the recommender's item table, from 1 on.

    Histories with more examples than fit into memory are left out, drawn by the seed, and it is said.
    """
    row_of = np.zeros(len(likes.item_ids), np.int64)
    liked = recommender.covered[recommender.counts[recommender.covered] > 0]
    row_of[liked] = np.arange(1, len(liked) + 1)
    sequences = sequences_of(likes, row_of).in_drawn_order(generator_of("joint space, order", seed))
    if len(sequences.items) <= _MOST:
        return sequences
    mixed = generator_of("joint space, users", seed).permutation(len(sequences.lengths))
    kept = np.sort(mixed[np.cumsum(sequences.lengths[mixed]) <= _MOST])
    say(f"  joint space: trained on {len(kept):,} of {len(mixed):,} users, whose states fit into memory")
    pieces = [sequences.items[sequences.bounds[at] : sequences.bounds[at + 1]] for at in kept]
    bounds = np.cumsum([0, *map(len, pieces)])
    return Sequences(np.concatenate(pieces), bounds, sequences.ordered)


def _windows(sequences: Sequences, length: int, positions: Positions) -> tuple[list[Codes], Codes]:
    """Pieces of the histories of at most `length` items and what follows each of them; whose they are."""
    found, users = list[Codes](), list[int]()
    for user, (begin, end) in enumerate(zip(sequences.bounds[:-1], sequences.bounds[1:], strict=True)):
        last = int(end)
        while last - begin >= 2:
            first = max(int(begin), last - length - 1)
            found.append(sequences.items[first:last])
            users.append(user)
            if positions == "last":
                break
            last = first + 1
    return found, np.array(users, np.int64)


class NegativeSampler:
    """Draws items, each alike, that a user does not like.

    Args:
        sequences: what users like.
        items: how many rows of the item table are drawn from.
    """

    def __init__(self, sequences: Sequences, items: int) -> None:
        users = np.repeat(np.arange(len(sequences.lengths)), sequences.lengths)
        self._items = items
        self._keys = np.unique(users * items + sequences.items - 1)

    def able(self, users: Codes) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
        """[n] whether there is anything that each user does not like."""
        begin, end = (np.searchsorted(self._keys, (users + add) * self._items) for add in (0, 1))
        return np.asarray(end - begin < self._items, np.bool_)

    def draw(self, users: Codes, rng: np.random.Generator) -> Codes:
        """[n] rows, from 0, one for each of these users, all of whom are `able`."""
        found = rng.integers(self._items, size=len(users))
        for _ in range(_DRAWS):
            again = np.flatnonzero(self._likes(users, found))
            if not len(again):
                return found
            found[again] = rng.integers(self._items, size=len(again))
        for at in np.flatnonzero(self._likes(users, found)):
            every = np.arange(self._items)
            found[at] = rng.choice(every[~self._likes(np.full(self._items, users[at]), every)])
        return found

    def _likes(self, users: Codes, rows: Codes) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
        wanted = users * self._items + rows
        places = np.minimum(np.searchsorted(self._keys, wanted), len(self._keys) - 1)
        return np.asarray(self._keys[places] == wanted, np.bool_)
