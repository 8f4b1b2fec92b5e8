"""LLM-SRec: users and items each go once through the frozen language model, and then meet in a product."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from rectune.core.progress import progress
from rectune.core.rng import generator_of, seed_of
from rectune.core.types import Locale
from rectune.models.distributed import own_part, rows_of_all, shared_value
from rectune.rankers.allmrec.items_ranker import AllmrecItems
from rectune.rankers.allmrec.language_model import ComputeType, FrozenLanguageModel
from rectune.rankers.allmrec.llm_training import Objective
from rectune.rankers.allmrec.projections import Projections
from rectune.rankers.allmrec.prompt import PromptWriter, SoftPrompt
from rectune.rankers.allmrec.soft_inputs import SoftInputs, padded
from rectune.rankers.allmrec.soft_ranker import Sizes, SoftModule, SoftRanker
from rectune.rankers.allmrec.train_cases import TrainCase, TrainCases
from rectune.rankers.base import Scores
from rectune.rankers.domain_data import DomainData
from rectune.rankers.liked_items import positive

DIM = 128  # of the vectors that meet
_SCALE = 10.0  # of the products of unit vectors, before training
_AT_ONCE = 16  # prompts that are read together


class SRecModule(SoftModule):
    """The projections, the out-token, and a network of two layers each on users, items and user states.

    Args:
        projections: into the language model.
        sizes, norm: see `SoftRanker.new_module`.
        seed: of the first weights.
    """

    def __init__(self, projections: Projections, sizes: Sizes, norm: float, seed: int) -> None:
        super().__init__(projections)
        projections.user.requires_grad_(False)  # no prompt of this form has a user's vector
        with torch.random.fork_rng([]):
            torch.manual_seed(seed_of("llmsrec", seed))
            self.out = nn.Parameter(torch.randn(sizes.width) * norm / sizes.width**0.5)
            self.user, self.item = _network(sizes.state), _network(sizes.state)
            self.recommender = _network(sizes.user)
        self.scale = nn.Parameter(torch.tensor(_SCALE).log())


def _network(inputs: int) -> nn.Sequential:
    return nn.Sequential(nn.LayerNorm(inputs), nn.Linear(inputs, 2 * DIM), nn.GELU(), nn.Linear(2 * DIM, DIM))


def unit(network: nn.Module, rows: Tensor) -> Tensor:
    """[n, inputs] -> [n, DIM] unit rows."""
    return functional.normalize(network(rows), dim=-1)


def uniformity(rows: Tensor) -> Tensor:
    """The logarithm of the mean of exp(-2 d^2) over all pairs of unit rows, [n, d] with n of at least 2: low
    where they are spread (Wang and Isola 2020, "Understanding Contrastive Representation Learning").
    """
    return torch.pdist(rows).square().mul(-2.0).exp().mean().log()


def read_states(model: FrozenLanguageModel, inputs: SoftInputs, prompts: Sequence[SoftPrompt]) -> Tensor:
    """[prompts, width] the language model's last state of each."""
    return model.last_states(*padded(inputs(prompts)))


@dataclass(frozen=True)
class SRecLoss:
    """Cross-entropy of the target among the targets of all cases and drawn items, the squared distance of a
    user's vector from that of the recommender's state, and the uniformity of both; the last two with weights.

    Attributes:
        module: is trained.
        writer, inputs: of prompts.
        cases: whose catalogue is drawn from.
        negatives: items that are drawn for a batch.
        distillation, spread: the weights; 0 switches off.
        seed: of what is drawn.
    """

    module: SRecModule
    writer: PromptWriter
    inputs: SoftInputs
    cases: TrainCases
    negatives: int
    distillation: float
    spread: float
    seed: int

    def length(self, case: TrainCase) -> int:
        """See `Objective.length`."""
        return len(self.writer.user(case.history).ids)

    def loss(self, cases: Sequence[TrainCase], salt: str) -> tuple[Tensor, int]:
        """See `Objective.loss`; one for each case."""
        rng = generator_of("items", self.seed, salt)
        drawn = rng.integers(len(self.cases.item_ids), size=self.negatives).tolist()
        targets = [self.inputs.place[case.target] for case in cases]
        places = list(dict.fromkeys([*targets, *drawn]))
        items = self._read(self.module.item, [self.writer.item(self.cases.item_ids[at]) for at in places])
        users = self._read(self.module.user, [self.writer.user(case.history) for case in cases])
        products = shared_value(self.module.scale.exp()) * users @ items.T
        right = torch.tensor([places.index(at) for at in targets], device=products.device)
        liked = [[at in self.cases.liked[case.user] for at in places] for case in cases]
        others = torch.tensor(liked, device=products.device).scatter(1, right[:, None], False)
        found = functional.cross_entropy(products.masked_fill(others, -torch.inf), right)
        states = self.inputs.states([case.history for case in cases])
        taught = shared_value(unit(self.module.recommender, states))
        found = found + self.distillation * (users - taught).square().sum(1).mean()
        if len(cases) > 1 and self.spread:
            found = found + self.spread * (uniformity(users) + uniformity(taught))
        return found * len(cases), len(cases)

    @property
    def least(self) -> float:
        """See `Objective.least`: of unit vectors no mean of exp(-2 d^2) is below exp(-8)."""
        return -16.0 * self.spread

    def _read(self, network: nn.Module, prompts: Sequence[SoftPrompt]) -> Tensor:
        """[prompts, DIM] what a network makes of them; a process reads every n-th prompt."""
        own = own_part(prompts)
        if not own:
            return rows_of_all(torch.zeros(0, DIM, device=self.inputs.model.device), len(prompts))
        states = read_states(self.inputs.model, self.inputs, own)
        return rows_of_all(unit(network, states), len(prompts))


class LlmSRec(SoftRanker):
    """LLM-SRec (Kim et al. 2025, "Lost in Sequence: Do Large Language Models Understand Sequential
    Recommendation?") with the vectors of A-LLMRec: the fast one of the two.

    The language model reads the last ten titles of a history, each with its vector, and a learnt out-token,
    whose last state a small network turns into the user's vector. Items go through the same model one by one,
    each once for all users. A score is the product of both, which are unit vectors. The user's vector is also
    taught to be that of the recommender's state, without which the model does not learn from the order.

    Each item's vector is made when it is first scored, and those of all items are saved with the ranker.

    Args:
        model, load_in_4bit, compute_dtype, adapter: see `open_language_model`.
        recommender: see `AllmrecItems`.
        cases: likes that are trained on, each with the likes before it; every user once before any twice.
        negatives: items that are drawn for a batch, beside the targets of the others.
        distillation, spread: weights of the losses beside the cross-entropy; see `SRecLoss`.
        learning_rate, batch_size, epochs, patience: see `LlmTrainingOptions`.
        locale: of the prompts, en or ko.
        seed: of all that is drawn; by default the data's.
    """

    name = "llmsrec"
    module: SRecModule

    def __init__(
        self,
        model: str = "embedded",
        recommender: str = "sasrec",
        cases: int = 2000,
        negatives: int = 16,
        distillation: float = 1.0,
        spread: float = 0.1,
        learning_rate: float = 1e-3,
        batch_size: int = 16,
        epochs: int = 5,
        patience: int = 2,
        load_in_4bit: bool = False,
        compute_dtype: ComputeType = "auto",
        locale: Locale = "en",
        seed: int | None = None,
        adapter: str = "",
    ) -> None:
        super().__init__(
            {
                "model": model, "recommender": recommender, "cases": cases, "negatives": negatives,
                "distillation": distillation, "spread": spread, "learning_rate": learning_rate,
                "batch_size": batch_size, "epochs": epochs, "patience": patience,
                "load_in_4bit": load_in_4bit, "compute_dtype": compute_dtype, "locale": locale, "seed": seed,
                "adapter": adapter,
            }
        )  # fmt: skip
        positive(negatives=negatives)

    def new_module(self, sizes: Sizes, norm: float) -> SRecModule:
        """See `SoftRanker.new_module`."""
        projections = Projections(sizes.user, sizes.item, sizes.width, norm, self.seed)
        return SRecModule(projections, sizes, norm, self.seed)

    def objective(self, data: DomainData, cases: TrainCases) -> Objective:
        """See `SoftRanker.objective`."""
        given = self.parameters
        return SRecLoss(
            self.module, self.writer, self.inputs, cases, given["negatives"], given["distillation"],
            given["spread"], self.seed,
        )  # fmt: skip

    def _take(self, items: AllmrecItems, domain: str, titles: Mapping[str, str]) -> None:
        super()._take(items, domain, titles)
        self._vectors = np.zeros((len(self.item_ids), DIM), np.float32)
        self._made = np.zeros(len(self.item_ids), np.bool_)

    def score(self, histories: Sequence[Sequence[str]], candidates: Sequence[Sequence[str]]) -> list[Scores]:
        """See `CandidateScorer.score`."""
        if self.items.joint is None:
            return self.items.score(histories, candidates)
        users = self.user_vectors(histories)
        self._make([at for shown in candidates for at in self.places_of(shown)])
        found = list[Scores]()
        for user, shown in zip(users, candidates, strict=True):
            scores = np.append(self._vectors @ user, 0.0)  # what an unknown item scores
            found.append(scores[[self.place.get(item, -1) for item in shown]].astype(np.float64))
        return found

    @torch.no_grad()
    def user_vectors(self, histories: Sequence[Sequence[str]]) -> NDArray[np.float32]:
        """[histories, DIM] the unit vectors of users."""
        return self._through(self.module.user, [self.writer.user(history) for history in histories])

    def item_vectors(self) -> NDArray[np.float32]:
        """[items, DIM] the unit vectors of all items."""
        self._make(range(len(self.item_ids)))
        return self._vectors

    def _make(self, places: Sequence[int]) -> None:
        """Make the vectors of these items that are not made yet."""
        new = sorted({at for at in places if not self._made[at]})
        if new:
            prompts = [self.writer.item(self.item_ids[at]) for at in new]
            self._vectors[new] = self._through(self.module.item, prompts)
            self._made[new] = True

    @torch.no_grad()
    def _through(self, network: nn.Module, prompts: Sequence[SoftPrompt]) -> NDArray[np.float32]:
        """[prompts, DIM] what a network makes of them; prompts of similar length are read together."""
        found = np.zeros((len(prompts), DIM), np.float32)
        order = sorted(range(len(prompts)), key=lambda at: len(prompts[at].ids))
        with progress(f"{self.name}: reading", len(order), "texts") as advance:
            for start in range(0, len(order), _AT_ONCE):
                some = order[start : start + _AT_ONCE]
                states = read_states(self.language_model, self.inputs, [prompts[at] for at in some])
                found[some] = unit(network, states).cpu().numpy()
                advance(len(some))
        return found

    def saved_arrays(self) -> dict[str, Any]:
        """See `SoftRanker.saved_arrays`: the vectors of all items."""
        return {"own.vectors": self.item_vectors()} if self.items.joint is not None else {}

    def load_arrays(self, arrays: Mapping[str, Any]) -> None:
        """See `SoftRanker.load_arrays`."""
        self._vectors = np.array(arrays["own.vectors"])
        self._made = np.ones(len(self.item_ids), np.bool_)
