"""MLP-LLM: A-LLMRec without its joint space, the baseline of its paper."""

from __future__ import annotations

from typing import Self

from rectune.rankers.allmrec.ranker import AllmRec
from rectune.rankers.allmrec.soft_inputs import ItemSpace
from rectune.rankers.allmrec.spaces import RecommenderSpace
from rectune.rankers.domain_data import DomainData


class MlpLlm(AllmRec):
    """`allmrec` whose items are the frozen recommender's own vectors, as in the baseline MLP-LLM of Kim et
    al. 2024: what it lacks beside `allmrec` is what the joint space is worth.

    An item that the recommender has no vector of gets the mean of the others'. Stage 1 is fitted all the
    same: of more than `shown` candidates it says which ones the model ranks.

    Args:
        see `AllmRec`; `by` makes no difference.
    """

    name = "mlp_llm"

    @property
    def space(self) -> ItemSpace:
        """See `SoftRanker.space`."""
        return RecommenderSpace(self.joint)

    def of_items(self, data: DomainData) -> Self | None:
        """None: it has no vectors of new items."""
        return None
