"""Stochastic gradient steps of the WARP loss, as loops compiled by numba: once per machine, in some three
seconds.

Imported inside the function that needs it, since importing numba takes a quarter of a second.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numba
import numpy as np
from numpy.typing import NDArray

Places = NDArray[np.int64]
Rows = NDArray[np.float32]
State = NDArray[np.uint64]

MAX_SAMPLED = 10  # candidates that are drawn for a like, at most
_MAX_LOSS = 10.0


class Bags(NamedTuple):
    """Rows of weighted features: row r has those from starts[r] to starts[r + 1].

    Attributes:
        starts: [rows + 1].
        features: [weighted features] numbers of features, within a row in any order.
        weights: [weighted features].
    """

    starts: Places
    features: Places
    weights: Rows


class Embeddings(NamedTuple):
    """Vectors of features.

    Attributes:
        vectors: [features, d]. Those of items have one number more, the bias.
        squares: the same shape, 1 plus the sum of squared gradients of each number: adagrad's.
    """

    vectors: Rows
    squares: Rows


class Side(NamedTuple):
    """Users, or items: the features of each, and their vectors."""

    bags: Bags
    embeddings: Embeddings


def train(users: Side, likes: Bags, items: Side, rate: float, state: State) -> None:
    """Go once through all likes, in a new order of users; changes the embeddings and the state.

    A user u and an item i are the weighted sums of the vectors of their features, and the score is u'i plus
    the bias of i. For a like, items are drawn uniformly, at most `MAX_SAMPLED`, until one that the user does
    not like scores above the liked one less 1; if it was the n-th, the loss is log((items - 1) / n), rounded
    down within, times the difference of the two scores (Weston, Bengio and Usunier 2011, "WSABIE", by the
    numbers of drawn items as in Kula's LightFM), and one gradient step of adagrad is taken.

    The likes of a user are gone through together. Each step moves items and the user's vector at once, and
    the vectors of the user's features follow when the user is done: what a step of each like would do to
    them, but that adagrad's squares grow once a user. That takes the features of a user twice in place of
    twice a like.

    Args:
        users: their features.
        likes: [users] rows of items, in ascending order; weights are not looked at.
        items: their features.
        rate: of learning.
        state: [1] of the random numbers, not 0.
    """
    _compiled_epoch(users, likes, items, np.float32(rate), state)


def _random(state: State, below: int) -> np.int64:
    """A number from 0 to below - 1 (xorshift64*, Marsaglia 2003 and Vigna 2016)."""
    x = state[0]
    x ^= x >> np.uint64(12)
    x ^= x << np.uint64(25)
    x ^= x >> np.uint64(27)
    state[0] = x
    return np.int64(((x * np.uint64(2685821657736338717)) >> np.uint64(33)) % np.uint64(below))


def _add_up(side: Side, row: int, found: Rows) -> None:
    """The vector of a user or item into `found`."""
    bags, vectors = side.bags, side.embeddings.vectors
    found[:] = 0
    for at in range(bags.starts[row], bags.starts[row + 1]):
        feature, weight = bags.features[at], bags.weights[at]
        for c in range(vectors.shape[1]):
            found[c] += weight * vectors[feature, c]


def _score(side: Side, row: int, user: Rows) -> np.float32:
    """The score of an item."""
    bags, vectors, found = side.bags, side.embeddings.vectors, np.float32(0)
    for at in range(bags.starts[row], bags.starts[row + 1]):
        feature, product = bags.features[at], np.float32(0)
        for c in range(vectors.shape[1]):
            product += user[c] * vectors[feature, c]
        found += bags.weights[at] * product
    return found


def _likes(likes: Bags, user: int, item: int) -> bool:
    low, end = likes.starts[user], likes.starts[user + 1]
    high = end
    while low < high:
        middle = (low + high) // 2
        if likes.features[middle] < item:
            low = middle + 1
        else:
            high = middle
    return bool(low < end and likes.features[low] == item)


def _move(side: Side, row: int, user: Rows, loss: np.float32, rate: np.float32) -> None:
    """A step of an item down the gradient loss * user."""
    bags, (vectors, squares) = side.bags, side.embeddings
    for at in range(bags.starts[row], bags.starts[row + 1]):
        feature, weight = bags.features[at], bags.weights[at]
        for c in range(vectors.shape[1]):
            gradient = weight * loss * user[c]
            vectors[feature, c] -= rate / math.sqrt(squares[feature, c]) * gradient
            squares[feature, c] += gradient * gradient


def _steps(side: Side, row: int, rate: np.float32, found: Rows) -> None:
    """How far a gradient of 1 moves a user's vector, when each of the features takes its step."""
    bags, squares = side.bags, side.embeddings.squares
    found[:] = 0
    for at in range(bags.starts[row], bags.starts[row + 1]):
        feature, weight = bags.features[at], bags.weights[at]
        for c in range(squares.shape[1]):
            found[c] += weight * weight * rate / math.sqrt(squares[feature, c])


def _follow(side: Side, row: int, total: Rows, squared: Rows, rate: np.float32) -> None:
    """The features of a user take their steps, by the sums of gradients and of squared gradients."""
    bags, (vectors, squares) = side.bags, side.embeddings
    for at in range(bags.starts[row], bags.starts[row + 1]):
        feature, weight = bags.features[at], bags.weights[at]
        for c in range(vectors.shape[1]):
            vectors[feature, c] -= rate / math.sqrt(squares[feature, c]) * weight * total[c]
            squares[feature, c] += weight * weight * squared[c]


def _epoch(users: Side, likes: Bags, items: Side, rate: np.float32, state: State) -> None:
    """See `train`."""
    count, size = len(items.bags.starts) - 1, users.embeddings.vectors.shape[1]
    user, liked, other = (  # the last number of a user stays 1, and meets the item's bias
        np.ones(size + 1, np.float32),
        np.zeros(size + 1, np.float32),
        np.zeros(size + 1, np.float32),
    )
    steps, total, squared = np.zeros(size, np.float32), np.zeros(size, np.float32), np.zeros(size, np.float32)
    order = np.arange(len(likes.starts) - 1)
    for at in range(len(order) - 1, 0, -1):
        chosen = _compiled_random(state, at + 1)
        order[at], order[chosen] = order[chosen], order[at]
    for row in order:
        _compiled_add_up(users, row, user[:size])
        _compiled_steps(users, row, rate, steps)
        total[:] = 0
        squared[:] = 0
        for at in range(likes.starts[row], likes.starts[row + 1]):
            item = likes.features[at]
            least = _compiled_score(items, item, user) - np.float32(1)
            for sampled in range(1, MAX_SAMPLED + 1):
                drawn = _compiled_random(state, count)
                if _compiled_score(items, drawn, user) > least and not _compiled_likes(likes, row, drawn):
                    _compiled_add_up(items, item, liked)
                    _compiled_add_up(items, drawn, other)
                    loss = np.float32(min(_MAX_LOSS, math.log(max(1, (count - 1) // sampled))))
                    _compiled_move(items, item, user, -loss, rate)
                    _compiled_move(items, drawn, user, loss, rate)
                    for c in range(size):
                        gradient = loss * (other[c] - liked[c])
                        user[c] -= steps[c] * gradient
                        total[c] += gradient
                        squared[c] += gradient * gradient
                    break
        _compiled_follow(users, row, total, squared, rate)


# Within one compiled function: calls among several count references to every array.
_compiled_random = numba.njit(inline="always")(_random)
_compiled_add_up = numba.njit(inline="always")(_add_up)
_compiled_score = numba.njit(inline="always")(_score)
_compiled_likes = numba.njit(cache=True)(_likes)
_compiled_move = numba.njit(inline="always")(_move)
_compiled_steps = numba.njit(inline="always")(_steps)
_compiled_follow = numba.njit(inline="always")(_follow)
_compiled_epoch = numba.njit(cache=True, nogil=True, fastmath=True)(_epoch)
