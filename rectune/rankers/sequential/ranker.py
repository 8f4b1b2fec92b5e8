"""What all rankers share that score with a sequence network: fitting, scoring, saving."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Mapping, Sequence
from copy import copy
from pathlib import Path
from typing import Any, Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from rectune.core.errors import UserError
from rectune.core.progress import say
from rectune.core.rng import seed_of
from rectune.core.text.plain import duration
from rectune.rankers.base import CatalogueRanker, Scores
from rectune.rankers.domain_data import DomainData
from rectune.rankers.liked_items import most_liked, positive
from rectune.rankers.saved import SavedRanker, load_saved, save_ranker
from rectune.rankers.sequential.item_table import ItemTable
from rectune.rankers.sequential.network import SequenceNetwork
from rectune.rankers.sequential.sequences import Codes, padded, sequences_of
from rectune.rankers.sequential.training import Trainer, TrainingOptions, TrainingRecord

_AT_ONCE = 64  # histories that are scored together
_USUAL_EPOCHS = (15, 40)
_AGAIN = "fit the ranker and save it again"
_TRAINING = ("max_length", "loss", "learning_rate", "weight_decay", "positions", "epochs", "patience")
_ABOVE_ZERO = ("dim", "layers", "heads", "max_length", "learning_rate", "positions", "epochs", "patience")


class SequentialRanker(CatalogueRanker):
    """Scores the catalogue by the state of a network after the items of a history, in their order.

    A history counts from its last `max_length` items that the network knows; one without any gets the
    logarithms of the numbers of likes. What the network does not know (an item that nobody liked, without
    texts) scores as the lowest of what it knows: it comes last and not anywhere. An item whose id was never
    trained is known by its text, where items have texts.

    The network's items are in an order of their own, the most liked first, so the order of the catalogue does
    not matter. Nothing is learnt of single users: a train user's history scores as that of a new user.

    It knows the items of one domain: an item of another one is new to it, whatever its id is.

    Args:
        parameters: all arguments of the constructor of the subclass; `dim`, those of `TrainingOptions`, and
            what its `network` needs.

    Attributes:
        domain: whose items it was fitted on.
        items_by: what vectors of items are made of: `id`, `text` or `id+text`.
        record: what training came to; empty for a ranker that was loaded.
        watch: called after each epoch of training with the ranker as it is then; on a processor only.
    """

    costly = True
    items_by = "id"
    watch: Callable[[SequentialRanker], None] | None = None

    def __init__(self, parameters: Mapping[str, Any]) -> None:
        self.parameters = dict(parameters)
        positive(**{name: self.parameters[name] for name in _ABOVE_ZERO if name in self.parameters})
        self.record = TrainingRecord()

    @abstractmethod
    def network(self, table: ItemTable) -> SequenceNetwork:
        """A new network on this table, by `parameters`."""

    def fit(self, data: DomainData) -> Self:
        """Train on the likes of train users; takes the seed of the data, unless it was given one."""
        self._begin(data)
        if data.likes.times is None and len(self.covered):
            say(f"  {self.name}: likes have no times: every epoch draws an order of each history")
        if not len(self.covered):  # nobody liked two items: there is nothing that follows another
            return self
        watch = None if self.watch is None else self._watched(self.watch)
        self.record = self._trainer(data).train(self.checkpoint, watch=watch)
        self._network.table.fix()
        return self

    def _watched(self, watch: Callable[[SequentialRanker], None]) -> Callable[[SequenceNetwork], None]:
        def watched(network: SequenceNetwork) -> None:
            other = copy(self)
            other._network = network
            watch(other)

        return watched

    def fit_cost(self, data: DomainData) -> str:
        """See `Ranker.fit_cost`."""
        self._begin(data)
        if not len(self.covered):
            return "there is nothing to learn"
        seconds = self._trainer(data).epoch_seconds()
        few, many = _USUAL_EPOCHS
        fits = f"{few} epochs {duration(round(few * seconds))}, {many} {duration(round(many * seconds))}"
        return f"an epoch takes about {seconds:.1f} s here, {fits}"

    def _begin(self, data: DomainData) -> None:
        """Take over the items, and say which of them are trained and covered."""
        likes, given = data.likes, self.parameters["seed"]
        self.__dict__.pop("place", None)
        self.seed = data.seed if given is None else int(given)
        self.item_ids, self.embedder, self.domain = tuple(likes.item_ids), data.embedder, data.domain
        self.counts, self._trained = likes.counts, most_liked(likes)
        longest = int(np.unique(likes.users, return_counts=True)[1].max(initial=0))
        self.known_length = min(self.parameters["max_length"], longest - 1)
        if self.known_length < 1:
            self._cover(np.zeros(0, np.int64))
        else:
            self._cover(self._trained if self.items_by == "id" else self._with_the_others(self._trained))

    def _trainer(self, data: DomainData) -> Trainer:
        row_of = np.zeros(len(self.item_ids), np.int64)
        row_of[self._trained] = np.arange(1, len(self._trained) + 1)
        with torch.random.fork_rng([]):
            torch.manual_seed(seed_of("network", self.seed))
            self._network = self.network(self._table(data, len(self._trained)))
        if isinstance(self.start, SequentialRanker):
            self._take_over(self.start)
        how = {name: self.parameters[name] for name in _TRAINING if name in self.parameters}
        options = TrainingOptions(**how, seed=self.seed)
        sequences = sequences_of(data.likes, row_of)
        return Trainer(self._network, sequences, self.counts[self._trained], options, self.name)

    def _cover(self, covered: Codes) -> None:
        """Say which places of the catalogue the rows of the item table are."""
        self.covered = covered
        self._row_of = np.zeros(len(self.item_ids), np.int64)
        self._row_of[covered] = np.arange(1, len(covered) + 1)

    def _with_the_others(self, trained: Codes) -> Codes:
        """The places of trained items, and after them of all others, by id."""
        others = np.setdiff1d(np.arange(len(self.item_ids)), trained)
        by_id = sorted(others.tolist(), key=lambda place: self.item_ids[place])
        return np.concatenate([trained, np.array(by_id, np.int64)])

    def _table(self, data: DomainData, trained: int) -> ItemTable:
        text = None
        if self.items_by != "id":
            text = torch.from_numpy(data.vectors([self.item_ids[at] for at in self.covered]))
        return ItemTable(self.parameters["dim"], 0 if self.items_by == "text" else trained, text)

    def score_all(self, histories: Sequence[Sequence[str]]) -> Scores:
        """See `Ranker.score_all`."""
        found = np.tile(np.log1p(self.counts.astype(np.float64)), (len(histories), 1))
        if not len(self.covered):
            return found
        known = [self._known(history) for history in histories]
        order = sorted((at for at, rows in enumerate(known) if len(rows)), key=lambda at: len(known[at]))
        for start in range(0, len(order), _AT_ONCE):
            some = order[start : start + _AT_ONCE]
            scores = self._scores_of([known[at] for at in some])
            found[some] = scores.min(1, keepdims=True)
            found[np.array(some)[:, None], self.covered] = scores
        return found

    def _known(self, history: Sequence[str]) -> Codes:
        """The rows of the last items that the network knows, from 1 on."""
        rows = self._row_of[self.places_of(history)]
        return rows[rows > 0][-self.known_length :]

    @torch.no_grad()
    def _scores_of(self, histories: list[Codes]) -> NDArray[np.float32]:
        """[histories, covered items] the network's scores."""
        states = self._network.user_states(torch.from_numpy(padded(histories)))
        return np.asarray(self._network.scores(states).numpy())

    def of_items(self, data: DomainData) -> Self | None:
        """See `Ranker.of_items`: known items as before, new ones by their texts; None without texts, and with
        those of another embedder.
        """
        if self.items_by == "id" or not len(self.covered) or data.embedder != self.embedder:
            return None
        same = data.domain == self.domain
        known = {self.item_ids[at]: row for row, at in enumerate(self.covered.tolist())} if same else {}
        items = list(data.items)
        with torch.no_grad():
            vectors = self._network.table.of_text(torch.from_numpy(data.vectors(items)))
            for at, item in enumerate(items):
                if item in known:
                    vectors[at] = self._network.table.vectors()[known[item]]
        return self.with_vectors(data.domain, items, vectors)

    def with_vectors(self, domain: str, items: Sequence[str], vectors: Tensor) -> Self:
        """The same network for other items.

        Args:
            domain: that of the items; those of another one than this ranker's were liked by nobody.
            items: n item ids; what is no item of this catalogue was liked by nobody.
            vectors: [n, dim] theirs, in the space of the network's item vectors.
        """
        other = copy(self)
        other.__dict__.pop("place", None)
        other.domain, other.item_ids = domain, tuple(items)
        same = domain == self.domain
        counts = dict(zip(self.item_ids, self.counts.tolist(), strict=True)) if same else {}
        other.counts = np.array([counts.get(item, 0) for item in items], np.int64)
        other._cover(np.arange(len(items)))
        other._network = copy(self._network)
        other._network._modules = dict(self._network._modules)
        table = copy(self._network.table)
        table.fix(vectors)
        other._network.table = table
        return other

    @property
    def fitted_network(self) -> SequenceNetwork:
        """The network, whose item table has the rows `covered`; only where `covered` has any."""
        return self._network

    @torch.no_grad()
    def user_states(self, histories: Sequence[Sequence[str]]) -> NDArray[np.float32]:
        """[len(histories), d] the states by which the next item is told; 0 where no item is known."""
        known = [self._known(history) for history in histories]
        order = sorted((at for at, rows in enumerate(known) if len(rows)), key=lambda at: len(known[at]))
        found = np.zeros((len(histories), self.parameters["dim"]), np.float32)
        for start in range(0, len(order), _AT_ONCE):
            some = order[start : start + _AT_ONCE]
            items = torch.from_numpy(padded([known[at] for at in some]))
            found[some] = self._network.user_states(items).numpy()
        return found

    def _take_over(self, earlier: SequentialRanker) -> None:
        """Start from the weights of an earlier ranker; known items keep the vectors of their ids."""
        if not len(earlier.covered):
            return
        now, before = self._network.state_dict(), earlier._network.state_dict()
        ids = "table.ids"
        for name, value in before.items():
            if name != ids and name in now and now[name].shape == value.shape:
                now[name] = value
        if ids in now and ids in before:
            row = {
                earlier.item_ids[at]: n for n, at in enumerate(earlier.covered[: len(before[ids])].tolist())
            }
            for n, at in enumerate(self.covered[: len(now[ids])].tolist()):
                if (old := row.get(self.item_ids[at])) is not None:
                    now[ids][n] = before[ids][old]
        self._network.load_state_dict(now)

    def save(self, folder: Path) -> None:
        """See `Ranker.save`."""
        arrays: dict[str, np.ndarray[Any, Any]] = {"covered": self.covered, "counts": self.counts}
        if len(self.covered):
            arrays["vectors"] = self._network.table.vectors().numpy()
            state = self._network.state_dict()
            arrays |= {f"network.{name}": value.numpy() for name, value in state.items()}
        about = {
            "given": self.parameters, "seed": self.seed, "embedder": self.embedder,
            "known_length": self.known_length, "domain": self.domain,
        }  # fmt: skip
        save_ranker(folder, SavedRanker(self.name, {"item_id": self.item_ids}, about, arrays))

    @classmethod
    def load(cls, folder: Path) -> Self:
        """See `Ranker.load`."""
        saved = load_saved(folder, cls.name)
        about, arrays = saved.parameters, saved.arrays
        if "domain" not in about:
            raise UserError(f"{cls.name} was saved without its domain", where=str(folder), hint=_AGAIN)
        ranker = cls(**about["given"])
        ranker.seed, ranker.embedder, ranker.domain = about["seed"], about["embedder"], about["domain"]
        ranker.known_length = about["known_length"]
        ranker.item_ids, ranker.counts = tuple(saved.items["item_id"]), arrays["counts"]
        ranker._cover(arrays["covered"])
        if len(ranker.covered):
            state = {
                name.removeprefix("network."): torch.from_numpy(value)
                for name, value in arrays.items()
                if name.startswith("network.")
            }
            ids, mean = state.get("table.ids"), state.get("table.mean")
            text = None if mean is None else torch.zeros(0, len(mean))
            table = ItemTable(ranker.parameters["dim"], 0 if ids is None else len(ids), text)
            ranker._network = ranker.network(table).eval()
            try:
                ranker._network.load_state_dict(state)
            except RuntimeError as other:
                raise UserError(
                    f"{cls.name} was saved in another form", where=str(folder), hint=_AGAIN
                ) from other
            table.fix(torch.from_numpy(arrays["vectors"]))
        return ranker
