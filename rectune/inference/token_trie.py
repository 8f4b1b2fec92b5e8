"""A token trie over many titles in flat arrays, for constrained decoding.

The titles' tokens are sorted and stored one after another. A node of the trie is a range of rows with the
same prefix; its children are the runs of equal tokens in the next column. A million titles take some ten
megabytes, and building it is a sort.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

END = -1  # stands behind the last token of every title; sorts before all tokens
LONGEST = 64  # tokens of a title that are told apart; a longer one ends there


@dataclass(frozen=True, slots=True)
class Node:
    """Rows `low` to `high` - 1 of the trie, which agree in their first `depth` tokens."""

    low: int
    high: int
    depth: int


@dataclass(frozen=True, slots=True)
class Children:
    """The children of a node: token ids (`END` for the end of a title) and the nodes they lead to."""

    tokens: NDArray[np.int32]
    nodes: list[Node]


class TokenTrie:
    """Titles as rows of tokens.

    Args:
        titles: the tokens of each title. Of titles with the same tokens the first represents all.

    Attributes:
        order: which title each row is, [rows].
    """

    def __init__(self, titles: Sequence[Sequence[int]]) -> None:
        first: dict[tuple[int, ...], int] = {}
        stands = [
            first.setdefault((*tokens[:LONGEST], END), number) if len(tokens) else -1
            for number, tokens in enumerate(titles)
        ]
        self._stands = np.array(stands, np.int64)  # which title stands for each
        rows = sorted(first)
        self.order = np.array([first[row] for row in rows], np.int64)
        self._starts = np.zeros(len(rows) + 1, np.int64)
        np.cumsum([len(row) for row in rows], out=self._starts[1:])
        self._tokens = np.array([token for row in rows for token in row], np.int32)
        self._top: Children | None = None

    def __len__(self) -> int:
        return len(self.order)

    def root(self) -> Node:
        """The root node."""
        return Node(0, len(self), 0)

    def without(self, titles: Collection[int]) -> NDArray[np.int64]:
        """How many rows before each place are of these titles, [rows + 1]; `children` leaves them out."""
        banned = np.isin(self.order, self._stands[np.fromiter(titles, np.int64, len(titles))])
        return np.concatenate([[0], np.cumsum(banned)])

    def children(self, node: Node, banned: NDArray[np.int64] | None = None) -> Children:
        """The children of a node, ordered by token, without those that have only excluded titles."""
        if node.depth == 0 and node.high == len(self):
            self._top = self._top or self._split(node)
            found = self._top
        else:
            found = self._split(node)
        if banned is None:
            return found
        alive = [n for n in range(len(found.nodes)) if _alive(found.nodes[n], banned)]
        return Children(found.tokens[alive], [found.nodes[n] for n in alive])

    def title(self, node: Node) -> int:
        """Which title ends at a node that an `END` led to."""
        return int(self.order[node.low])

    def _split(self, node: Node) -> Children:
        if node.low == node.high:
            return Children(np.zeros(0, np.int32), [])
        column = self._tokens[self._starts[node.low : node.high] + node.depth]
        edges = np.flatnonzero(np.diff(column)) + 1
        bounds = [0, *edges.tolist(), len(column)]
        nodes = [Node(node.low + a, node.low + b, node.depth + 1) for a, b in pairwise(bounds)]
        return Children(column[bounds[:-1]], nodes)


def _alive(node: Node, banned: NDArray[np.int64]) -> bool:
    return int(banned[node.high] - banned[node.low]) < node.high - node.low
