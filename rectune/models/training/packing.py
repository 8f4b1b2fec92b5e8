"""Packing: which examples share a row."""

from __future__ import annotations

from collections.abc import Sequence


def pack(lengths: Sequence[int], capacity: int) -> list[list[int]]:
    """Fill rows of `capacity` tokens, best fit first, the longest example first (best-fit decreasing).

    Open rows are kept by their remaining capacity, and the capacities present as the bits of one integer, so
    that the tightest fit is found without a search: n examples take O(n log n + n capacity / 64).

    Args:
        lengths: tokens of each example, from 1 to `capacity`.
        capacity: tokens a row.

    Returns:
        The examples of each row, by their place in `lengths`.

    Raises:
        ValueError: an example is longer than a row.
    """
    if lengths and max(lengths) > capacity:
        raise ValueError(f"an example of {max(lengths)} tokens does not fit a row of {capacity}")
    rows: list[list[int]] = []
    by_room: list[list[int]] = [[] for _ in range(capacity + 1)]
    rooms = 0  # bit r is set where a row has r tokens left
    for place in sorted(range(len(lengths)), key=lambda place: -lengths[place]):
        length = lengths[place]
        fitting = rooms >> length
        if fitting:
            room = length + (fitting & -fitting).bit_length() - 1
            row = by_room[room].pop()
            if not by_room[room]:
                rooms ^= 1 << room
        else:
            room, row = capacity, len(rows)
            rows.append([])
        rows[row].append(place)
        by_room[room - length].append(row)
        rooms |= 1 << (room - length)
    return rows
