"""Two rankers side by side: which users get which, by a hash, so that nobody changes sides."""

from __future__ import annotations

import hashlib
from copy import copy
from dataclasses import dataclass

from rectune.core.errors import UserError
from rectune.rankers.base import Ranker
from rectune.recommender.load_ranker import check_fitted_on
from rectune.recommender.recommender import Recommender


@dataclass(frozen=True)
class Comparison:
    """An experiment with two arms.

    Attributes:
        first: the name of the ranker of one half, and of requests without a user.
        second: that of the other half.

    Raises:
        UserError: both are the same.
    """

    first: str
    second: str

    def __post_init__(self) -> None:
        if self.first == self.second:
            hint = "name another ranker, or leave it out"
            raise UserError(f"{self.first} ranks already", where="--compare", hint=hint)

    @property
    def name(self) -> str:
        """What answers of this experiment are kept under; the same rankers have the same name."""
        return f"{self.first} or {self.second}"

    def arm_of(self, user: str | None) -> str | None:
        """Which ranker a user gets: by the first bit of SHA-256 of the experiment's name, NUL, and their id.

        Args:
            user: their id as clients know it. None, for nobody, has no arm: the first ranker ranks.
        """
        if user is None:
            return None
        text = f"{self.name}\0{user}".encode(errors="surrogatepass")
        return self.second if hashlib.sha256(text).digest()[0] & 0x80 else self.first

    def assigned(self, user: str | None) -> tuple[str, str] | None:
        """The experiment's name and the user's arm; None for nobody."""
        arm = self.arm_of(user)
        return (self.name, arm) if arm else None


def ranked_by(recommender: Recommender, ranker: Ranker) -> Recommender:
    """The same catalogue, index and language model, ranked by another ranker of its items.

    What a model adds to the ranking was measured beside the first ranker, so it is left out.

    Raises:
        UserError: the ranker was fitted on other items.
    """
    check_fitted_on(ranker, recommender.items)
    found = copy(recommender)
    found.ranker, found.model_ranking = ranker, None
    found.__dict__.pop("rank_by", None)
    return found
