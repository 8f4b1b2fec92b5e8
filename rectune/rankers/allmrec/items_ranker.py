"""Ranking by the joint space of A-LLMRec alone, without its language model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, Self, get_args

import numpy as np

from rectune.core.errors import UserError
from rectune.rankers.allmrec.examples import Positions
from rectune.rankers.allmrec.items import COLD_QUANTILE, By, JointItems, check_recommender, train_joint_items
from rectune.rankers.allmrec.joint_space import LossWeights
from rectune.rankers.allmrec.training import JointOptions
from rectune.rankers.base import CatalogueRanker, Scores, ranker_class
from rectune.rankers.domain_data import DomainData
from rectune.rankers.item_text import MAX_TOKENS, ItemText, TextOptions
from rectune.rankers.liked_items import one_of, positive
from rectune.rankers.saved import SavedRanker, load_saved, save_ranker
from rectune.rankers.sequential.ranker import SequentialRanker

_JOINT = "joint_items"


class AllmrecItems(CatalogueRanker):
    """A-LLMRec's stage 1 (Kim et al. 2024, "Large Language Models meet Collaborative Filtering: An Efficient
    All-round LLM-based Recommender System").

    A sequence recommender is fitted and frozen. Its item vectors, and vectors of the items' texts, go through
    a tower each into one space, where those of an item are to match and from where both can be decoded. An
    item scores the product of the recommender's state of a user and the vector decoded from the joint one: of
    the item's own where it is warm, of its text where it is cold (`cold_items`). A history of which the
    recommender knows nothing gets the logarithms of the numbers of likes.

    Other than in the paper the vectors of both sides are standardised, users count with every like and not
    the last alone (`positions`), and the learning rate is higher: with hundreds of users the paper's makes
    too few steps.

    Args:
        recommender: the name of a sequence ranker that scores by products.
        text, max_tokens: what is embedded of an item, see `TextOptions`.
        by: `joint`, or for comparison `text`: every item by its text.
        positions, learning_rate, batch_size, epochs: see `JointOptions`.
        recommendation, matching, item_reconstruction, text_reconstruction: see `LossWeights`.
        cold_quantile: see `cold_items`.
        seed: of all that is drawn; by default the data's.

    Attributes:
        joint: what was trained; None where nobody liked two items.
    """

    name = "allmrec_items"
    learns_from_texts: ClassVar[bool] = True
    costly: ClassVar[bool] = True

    def __init__(
        self,
        recommender: str = "sasrec",
        text: ItemText = "title+categories",
        by: By = "joint",
        positions: Positions = "all",
        learning_rate: float = 1e-4,
        batch_size: int = 32,
        epochs: int = 10,
        recommendation: float = 1.0,
        matching: float = 1.0,
        item_reconstruction: float = 0.5,
        text_reconstruction: float = 0.2,
        cold_quantile: float = COLD_QUANTILE,
        seed: int | None = None,
        max_tokens: int = MAX_TOKENS,
    ) -> None:
        positive(max_tokens=max_tokens, learning_rate=learning_rate, batch_size=batch_size, epochs=epochs)
        one_of(get_args(ItemText), text=text)
        one_of(get_args(By), by=by)
        one_of(get_args(Positions), positions=positions)
        self.parameters: dict[str, Any] = {
            "recommender": recommender, "text": text, "by": by, "positions": positions,
            "learning_rate": learning_rate, "batch_size": batch_size, "epochs": epochs,
            "recommendation": recommendation, "matching": matching,
            "item_reconstruction": item_reconstruction, "text_reconstruction": text_reconstruction,
            "cold_quantile": cold_quantile, "seed": seed, "max_tokens": max_tokens,
        }  # fmt: skip
        self.joint: JointItems | None = None
        weights = (recommendation, matching, item_reconstruction, text_reconstruction)
        if min(weights) < 0 or not any(weights):
            raise UserError(
                f"the weights of the losses are {weights}", hint="give none below 0, and one above"
            )
        self._weights = LossWeights(*weights)

    def fit(self, data: DomainData) -> Self:
        """Fit the recommender on the likes of train users, then train the joint space beside it.

        Raises:
            UserError: no joint space can be trained beside such a recommender; nothing is fitted then.
        """
        recommender = self._unfitted()
        check_recommender(recommender, self.parameters["positions"])
        recommender.checkpoint = self.checkpoint
        if isinstance(self.start, AllmrecItems) and self.start.joint is not None:
            recommender.start = self.start.joint.recommender
        return self.fit_beside(recommender.fit(data), data)

    def fit_cost(self, data: DomainData) -> str:
        """See `Ranker.fit_cost`: that of the recommender, beside which the joint space takes little."""
        return self._unfitted().fit_cost(data)

    def _unfitted(self) -> SequentialRanker:
        given = self.parameters["seed"]
        found = ranker_class(self.parameters["recommender"])(**({} if given is None else {"seed": given}))
        if not isinstance(found, SequentialRanker):
            raise UserError(
                f"{found.name} is no ranker of sequences", hint="let recommender be sasrec, for example"
            )
        return found

    def fit_beside(
        self, recommender: SequentialRanker, data: DomainData, texts: Mapping[str, str] | None = None
    ) -> Self:
        """Train the joint space beside a recommender that is fitted on the same data; it stays as it is.

        Args:
            recommender: fitted.
            data: its items and likes.
            texts: what is read of each item, by id; by default its text, cut where it is too long.
        """
        given = self.parameters
        self.item_ids, self.counts = tuple(recommender.item_ids), recommender.counts
        seed = data.seed if given["seed"] is None else int(given["seed"])
        options = JointOptions(
            self._weights,
            given["positions"],
            given["learning_rate"],
            given["batch_size"],
            given["epochs"],
            seed,
        )
        if len(recommender.covered):
            text = TextOptions(given["text"], given["max_tokens"])
            cold = given["cold_quantile"]
            self.joint = train_joint_items(recommender, data, options, text, cold, texts)
        return self

    def score_all(self, histories: Sequence[Sequence[str]]) -> Scores:
        """See `Ranker.score_all`."""
        found = np.tile(np.log1p(self.counts.astype(np.float64)), (len(histories), 1))
        if self.joint is not None:
            states = self.joint.user_states(histories)
            known = states.any(1)
            found[known] = states[known] @ self.joint.decoded(self.parameters["by"]).T
        return found

    def of_items(self, data: DomainData) -> Self | None:
        """See `Ranker.of_items`: known items as before, new ones by their text; None where nothing was
        trained, and with texts of another embedder.
        """
        joint = self.joint.of_items(data) if self.joint is not None else None
        return None if joint is None else self.of(joint)

    def of(self, joint: JointItems) -> Self:
        """A ranker of these parameters on a joint space that was trained already."""
        found = type(self)(**self.parameters)
        found.joint, found.item_ids, found.counts = joint, joint.item_ids, joint.recommender.counts
        return found

    def save(self, folder: Path) -> None:
        """See `Ranker.save`."""
        if self.joint is not None:
            self.joint.save(folder / _JOINT)
        about = {"given": self.parameters, "trained": self.joint is not None}
        arrays = {"counts": self.counts}
        save_ranker(folder, SavedRanker(self.name, {"item_id": self.item_ids}, about, arrays))

    @classmethod
    def load(cls, folder: Path) -> Self:
        """See `Ranker.load`."""
        saved = load_saved(folder, cls.name)
        ranker = cls(**saved.parameters["given"])
        if saved.parameters["trained"]:
            return ranker.of(JointItems.load(folder / _JOINT))
        ranker.item_ids, ranker.counts = tuple(saved.items["item_id"]), saved.arrays["counts"]
        return ranker
