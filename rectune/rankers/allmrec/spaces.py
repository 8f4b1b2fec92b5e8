"""What may stand for items in a prompt in place of their joint vectors."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from rectune.rankers.allmrec.items import By, JointItems

Floats = NDArray[np.float32]


class TextSpace:
    """Every item, cold or warm, where its text lies in the joint space.

    Args:
        joint: stage 1.
    """

    def __init__(self, joint: JointItems) -> None:
        self._joint, self.item_ids = joint, joint.item_ids

    def vectors(self, item_ids: Sequence[str], by: By = "text") -> Floats:
        """[len(item_ids), 128] the joint vectors of their texts, whatever `by` is."""
        return self._joint.vectors(item_ids, "text")

    def user_states(self, histories: Sequence[Sequence[str]]) -> Floats:
        """See `JointItems.user_states`."""
        return self._joint.user_states(histories)


class RecommenderSpace:
    """Every item as the frozen recommender has it, without texts.

    Args:
        joint: stage 1, of which the recommender alone is used.
    """

    def __init__(self, joint: JointItems) -> None:
        self._recommender, self.item_ids = joint.recommender, joint.item_ids

    def vectors(self, item_ids: Sequence[str], by: By = "joint") -> Floats:
        """[len(item_ids), d] the recommender's item vectors, whatever `by` is; an item that it has none of
        gets the mean of those that it has.
        """
        return self._table[[self._recommender.place[item] for item in item_ids]]

    def user_states(self, histories: Sequence[Sequence[str]]) -> Floats:
        """See `JointItems.user_states`."""
        return self._recommender.user_states(histories)

    @cached_property
    def _table(self) -> Floats:
        own = self._recommender.fitted_network.item_vectors().detach().numpy()
        found = np.tile(own.mean(0), (len(self.item_ids), 1)).astype(np.float32)
        found[self._recommender.covered] = own
        return found
