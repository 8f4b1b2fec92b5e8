"""Items as a frozen recommender and their texts know them together: what stage 1 of A-LLMRec comes to."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from functools import cached_property
from pathlib import Path
from typing import Literal, Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from rectune.core.errors import UserError
from rectune.core.progress import say
from rectune.models.integrity_checks import weights_digest
from rectune.rankers.allmrec.examples import (
    NegativeSampler,
    Positions,
    check_positions,
    examples_of,
    train_sequences,
)
from rectune.rankers.allmrec.joint_space import JointSpace
from rectune.rankers.allmrec.training import JointOptions, JointRecord, JointTrainer, new_space
from rectune.rankers.base import ranker_class, unknown_ids
from rectune.rankers.domain_data import DomainData
from rectune.rankers.item_text import ItemTexts, TextOptions, texts_of, token_budget
from rectune.rankers.saved import SavedRanker, load_saved, save_ranker
from rectune.rankers.sequential.item_table import ItemTable
from rectune.rankers.sequential.network import SequenceNetwork
from rectune.rankers.sequential.ranker import SequentialRanker

By = Literal["joint", "text"]
Floats = NDArray[np.float32]

COLD_QUANTILE = 0.35  # of the numbers of likes of a domain's items

_NAME, _RECOMMENDER = "joint_items", "recommender"
_AT_ONCE = 16_384  # items whose vectors are computed together


class JointItems:
    """A frozen recommender, the joint space, and where each item of a catalogue lies in it.

    Args:
        recommender: fitted on the same items.
        space: trained beside it.
        read: [items, space.dim] where the texts of the items lie.
        cold: [items] which items lie where their texts are read, and not where the recommender has them.
        options: which text that is.

    Attributes:
        item_ids: the items, in the order of the catalogue.
        record: what training came to.
    """

    def __init__(
        self,
        recommender: SequentialRanker,
        space: JointSpace,
        read: Floats,
        cold: NDArray[np.bool_],
        options: TextOptions,
    ) -> None:
        self.recommender, self.space, self.options = recommender, space.eval(), options
        self.item_ids: tuple[str, ...] = tuple(recommender.item_ids)
        self.cold, self.record = cold, JointRecord()
        self._read = read

    def vectors(self, item_ids: Sequence[str], by: By = "joint") -> Floats:
        """[len(item_ids), 128] the joint vectors of items.

        Args:
            item_ids: of the catalogue.
            by: `joint`: of the recommender's vector where the item is warm, of the text where it is cold.
                `text`: of the text.

        Raises:
            UserError: an id is not in the catalogue.
        """
        if unknown := unknown_ids(self.recommender.place, item_ids):
            raise UserError(
                f"{len(unknown)} items are not in the catalogue, the first is {unknown[0]}",
                hint="leave them out, or call of_items with the catalogue that has them",
            )
        return self._placed(by)[[self.recommender.place[item] for item in item_ids]]

    def decoded(self, by: By = "joint") -> Floats:
        """[items, d] the vectors of all items in the recommender's space, decoded from the joint ones.

        The product with a user's state is the score of an item.
        """
        return self._decoded_joint if by == "joint" else self._decoded_text

    def user_states(self, histories: Sequence[Sequence[str]]) -> Floats:
        """[len(histories), d] the states of the frozen recommender; 0 where it knows no item of a history."""
        return self.recommender.user_states(histories)

    def of_items(self, data: DomainData) -> Self | None:
        """The same for another catalogue: known items as before, new ones by their text alone. Every item of
        another domain is new, whatever its id is. Texts of new items are cut where they are too long, and
        never summarised.

        For what a history holds of new items, the recommender is given their decoded vectors. None where the
        texts are those of another embedder.
        """
        if data.embedder != self.recommender.embedder:
            return None
        items = list(data.items)
        place = self.recommender.place if data.domain == self.recommender.domain else {}
        before = np.array([place.get(item, -1) for item in items], np.int64)
        known, new = np.flatnonzero(before >= 0), np.flatnonzero(before < 0)
        read = np.zeros((len(items), self.space.dim), np.float32)
        read[known] = self._read[before[known]]
        if len(new):
            texts = cut_texts(data, [items[at] for at in new], self.options)
            read[new] = read_texts(self.space, data.vectors_of(texts))
        cold = np.ones(len(items), np.bool_)
        cold[known] = self.cold[before[known]]
        vectors = self._decoded(read)
        there = known[self._rows[before[known]] >= 0]
        own = self.recommender.fitted_network.item_vectors().detach().numpy()
        vectors[there] = own[self._rows[before[there]]]
        recommender = self.recommender.with_vectors(data.domain, items, torch.from_numpy(vectors))
        return type(self)(recommender, self.space, read, cold, self.options)

    @cached_property
    def _rows(self) -> NDArray[np.int64]:
        """[items] the row of the recommender's item table, -1 where it has none."""
        rows = np.full(len(self.item_ids), -1, np.int64)
        rows[self.recommender.covered] = np.arange(len(self.recommender.covered))
        return rows

    def _placed(self, by: By) -> Floats:
        return self._joint if by == "joint" else self._read

    @cached_property
    def _joint(self) -> Floats:
        found = self._read.copy()
        warm = np.flatnonzero(~self.cold)
        vectors = self.recommender.fitted_network.item_vectors()[torch.from_numpy(self._rows[warm])]
        found[warm] = _in_parts(self.space.of_items, vectors)
        return found

    @cached_property
    def _decoded_joint(self) -> Floats:
        return self._decoded(self._joint)

    @cached_property
    def _decoded_text(self) -> Floats:
        return self._decoded(self._read)

    def _decoded(self, joint: Floats) -> Floats:
        return _in_parts(self.space.decoded, torch.from_numpy(joint))

    def save(self, folder: Path) -> None:
        """Write recommender, space and vectors into a folder, which is created."""
        self.recommender.save(folder / _RECOMMENDER)
        arrays = {f"space.{name}": value.numpy() for name, value in self.space.state_dict().items()}
        arrays |= {"read": self._read, "cold": self.cold.astype(np.int64)}
        about = {"recommender": self.recommender.name, "dim": self.space.dim}
        about |= {"options": asdict(self.options), "record": asdict(self.record)}
        save_ranker(folder, SavedRanker(_NAME, {"item_id": self.item_ids}, about, arrays))

    @classmethod
    def load(cls, folder: Path) -> Self:
        """What `save` wrote.

        Raises:
            UserError: the folder has none, or is damaged.
        """
        saved = load_saved(folder, _NAME)
        about, arrays = saved.parameters, saved.arrays
        recommender = ranker_class(about["recommender"]).load(folder / _RECOMMENDER)
        assert isinstance(recommender, SequentialRanker)  # no other was saved
        state = {
            name.removeprefix("space."): torch.from_numpy(value)
            for name, value in arrays.items()
            if name.startswith("space.")
        }
        space = JointSpace(len(state["item_mean"]), len(state["text_mean"]), about["dim"])
        space.load_state_dict(state)
        options = TextOptions(**about["options"])
        found = cls(recommender, space, arrays["read"], arrays["cold"].astype(np.bool_), options)
        found.record = JointRecord(**about.get("record", {}))
        return found

    def digest(self) -> str:
        """A hash of all weights of the recommender and of the joint space."""
        return weights_digest(nn.ModuleList([self.recommender.fitted_network, self.space]))


def cold_items(recommender: SequentialRanker, quantile: float = COLD_QUANTILE) -> NDArray[np.bool_]:
    """[items] which items are cold: liked no more often than the 35 % least liked items are, or without a
    vector in the recommender.

    Where all items would be cold, as where all are liked alike, only those are that nobody liked.
    """
    counts = recommender.counts
    limit = float(np.quantile(counts, quantile)) if len(counts) else 0.0
    cold = counts <= (limit if limit < counts.max(initial=0) else 0)
    there = np.zeros(len(counts), np.bool_)
    there[recommender.covered] = True
    return np.asarray(cold | ~there, np.bool_)


def train_joint_items(
    recommender: SequentialRanker,
    data: DomainData,
    options: JointOptions | None = None,
    text: TextOptions | None = None,
    cold_quantile: float = COLD_QUANTILE,
    texts: Mapping[str, str] | None = None,
) -> JointItems:
    """Train the joint space beside a fitted recommender, which stays as it is.

    Args:
        recommender: fitted on `data`, of any class whose scores are products of states and item vectors.
        data: its items, likes and vectors of texts.
        options: how.
        text: which text of the items is read.
        cold_quantile: of the numbers of likes; see `cold_items`.
        texts: what is read of each item, by id, where it was made already; by default as `text` says.

    Raises:
        UserError: the recommender scores otherwise, or nobody liked two items.
    """
    options, text = options or JointOptions(), text or TextOptions()
    if not len(recommender.covered):
        raise UserError("nobody liked two items, so there are no histories", hint="give more interactions")
    _check_network(recommender.name, recommender.fitted_network, options.positions)
    sequences = train_sequences(recommender, data.likes, options.seed)
    covered, counts = recommender.covered, recommender.counts
    liked = covered[counts[covered] > 0]
    with torch.no_grad():
        items = recommender.fitted_network.item_vectors(len(liked)).clone()
    if texts is None:
        texts = cut_texts(data, recommender.item_ids, text)
    vectors = data.vectors_of({item: texts[item] for item in recommender.item_ids})
    examples = examples_of(recommender, sequences, options.positions)
    sampler = NegativeSampler(sequences, len(liked))
    examples = examples.of(np.flatnonzero(sampler.able(examples.users)))
    of_liked = torch.from_numpy(vectors[liked])
    space = new_space(items, of_liked, options.seed)
    record = JointRecord()
    if len(examples.targets):
        record = JointTrainer(space, items, of_liked, examples, sampler, options).train()
    else:
        # Every example needs an item that its user does not like.
        say(f"  {data.domain}: nobody who liked two items left one out, so the joint space is not trained")
    read = read_texts(space, vectors)
    found = JointItems(recommender, space, read, cold_items(recommender, cold_quantile), text)
    found.record = record
    return found


def cut_texts(data: DomainData, item_ids: Sequence[str], options: TextOptions) -> Mapping[str, str]:
    """The texts of items by id; how many were cut is said."""
    found = texts_of([data.items[item] for item in item_ids], options, data.embedder)
    say_cut(data, found, options)
    return found.texts


def say_cut(data: DomainData, texts: ItemTexts, options: TextOptions) -> None:
    """Say how many texts were cut, where any was."""
    if texts.cut:
        _, budget = token_budget(data.embedder, options.max_tokens)
        say(
            f"  {data.domain}: the texts of {len(texts.cut):,} of {len(texts.texts):,} items were cut to "
            f"{budget} tokens"
        )


def read_texts(space: JointSpace, vectors: Floats) -> Floats:
    """[n, d] vectors of texts -> [n, 128] where they lie."""
    return _in_parts(space.of_texts, torch.from_numpy(vectors))


def check_recommender(recommender: SequentialRanker, positions: Positions) -> None:
    """Refuse a recommender, which need not be fitted, beside which no joint space can be trained.

    Raises:
        UserError: it does not score by products, or has no state at each of these positions.
    """
    with torch.random.fork_rng([]):
        network = recommender.network(ItemTable(recommender.parameters["dim"], 1))
    _check_network(recommender.name, network, positions)


def _check_network(name: str, network: SequenceNetwork, positions: Positions) -> None:
    if type(network).scores is not SequenceNetwork.scores:
        raise UserError(
            f"{name} does not score by a product of a user's state and an item's vector",
            hint="take sasrec, sasrec_text or bert4rec",
        )
    check_positions(name, network, positions)


@torch.no_grad()
def _in_parts(function: object, rows: Tensor) -> Floats:
    """A function of rows, computed for some of them at a time."""
    assert callable(function)
    parts = [function(rows[start : start + _AT_ONCE]) for start in range(0, max(len(rows), 1), _AT_ONCE)]
    return np.asarray(torch.cat(parts).numpy(), np.float32)
