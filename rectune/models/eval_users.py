"""Which users are held out from training; their rows are only evaluated on."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable


def split_eval_users(users: Iterable[str], share: float) -> set[str]:
    """A share of the users, chosen by a hash of each id, so that adding data does not change it.

    If that holds out nobody, the user with the lowest hash is held out; at least one user is left to train
    on.

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
    """A hash of the user id, uniform in [0, 1)."""
    return int.from_bytes(hashlib.blake2b(user.encode(), digest_size=8).digest(), "big") / 2**64
