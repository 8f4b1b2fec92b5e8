"""Which users are held out of training: their rows are only ever measured on."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable


def split_eval_users(users: Iterable[str], share: float) -> set[str]:
    """A share of the users; who it is follows from a hash of each id, so it does not change when data are
    added.

    Where that holds nobody out the user with the lowest hash is; one user at least is left to train on.

    Args:
        users: ids.
        share: in [0, 1); 0 holds nobody out, and so does having one user only.
    """
    places = {user: _place(user) for user in users}
    if not share or len(places) < 2:
        return set()
    limit = max(share, min(places.values()))
    out = {user for user, place in places.items() if place <= limit}
    if len(out) == len(places):  # a large share of a few users
        out.discard(max(places, key=lambda user: (places[user], user)))
    return out


def _place(user: str) -> float:
    """Where a user falls, uniform in [0, 1)."""
    return int.from_bytes(hashlib.blake2b(user.encode(), digest_size=8).digest(), "big") / 2**64
