"""What the rankers share that join a frozen recommender to a frozen language model: fitting, saving."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from copy import copy
from dataclasses import asdict
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar, NamedTuple, Self, get_args

import torch
from torch import nn

from rectune.core.digests import content_digest
from rectune.core.errors import UserError
from rectune.core.progress import say
from rectune.core.types import Locale, content_id
from rectune.models.integrity_checks import check_base
from rectune.models.reference import ModelReference, locate
from rectune.models.training.loss_spike_guard import LossSpikeGuard
from rectune.rankers.allmrec.items import JointItems
from rectune.rankers.allmrec.items_ranker import AllmrecItems
from rectune.rankers.allmrec.language_model import ComputeType, FrozenLanguageModel, open_language_model
from rectune.rankers.allmrec.llm_training import (
    LlmTrainer,
    LlmTrainingOptions,
    LlmTrainingRecord,
    Objective,
)
from rectune.rankers.allmrec.projections import Projections
from rectune.rankers.allmrec.prompt import TITLE_TOKENS, PromptWriter
from rectune.rankers.allmrec.soft_inputs import ItemSpace, SoftInputs
from rectune.rankers.allmrec.train_cases import TrainCases, draw_cases
from rectune.rankers.base import Ranker
from rectune.rankers.domain_data import DomainData
from rectune.rankers.liked_items import one_of, positive
from rectune.rankers.saved import SavedRanker, load_saved, save_ranker

_ITEMS = "items"  # the folder of stage 1
_TRAINING = ("learning_rate", "batch_size", "epochs", "patience")
_STATES = 1000  # user states by which their projection is standardised, at most


class Sizes(NamedTuple):
    """The lengths of the recommender's states and of joint vectors, and of the language model's input
    embeddings and states.
    """

    user: int
    item: int
    width: int
    state: int


class SoftModule(nn.Module):
    """All that is trained in stage 2.

    Args:
        projections: into the language model.
    """

    def __init__(self, projections: Projections) -> None:
        super().__init__()
        self.projections = projections
        self.out: nn.Parameter | None = None


class SoftRanker(Ranker):
    """Stage 1 and a language model, both frozen, and a small module between them that is trained.

    Args:
        parameters: all arguments of the constructor of the subclass: `model`, `load_in_4bit`,
            `compute_dtype`, `adapter` (see `open_language_model`), `recommender` (see `AllmrecItems`),
            `locale`, `cases` (how many are trained on), those of `LlmTrainingOptions`, and what the subclass
            needs.

    Attributes:
        items: stage 1, fitted.
        record: what training came to.
        checkpoint: a file that training keeps its state in and goes on from.
        guard: sees the loss of every step of training.
        save_seconds: how often training keeps its state.
    """

    learns_from_texts: ClassVar[bool] = True
    costly: ClassVar[bool] = True
    items: AllmrecItems
    module: SoftModule

    def __init__(self, parameters: Mapping[str, Any]) -> None:
        self.parameters = dict(parameters)
        positive(**{name: self.parameters[name] for name in (*_TRAINING, "cases")})
        one_of(get_args(Locale), locale=self.parameters["locale"])
        one_of(get_args(ComputeType), compute_dtype=self.parameters["compute_dtype"])
        self.record = LlmTrainingRecord()
        self.checkpoint: Path | None = None
        self.guard: LossSpikeGuard | None = None
        self.save_seconds = LlmTrainingOptions().save_seconds
        self._domain, self._titles, self._digest = "", dict[str, str](), ""

    @abstractmethod
    def new_module(self, sizes: Sizes, norm: float) -> SoftModule:
        """A module with first weights by `seed`; `norm` as in `Projections`."""

    @abstractmethod
    def objective(self, data: DomainData, cases: TrainCases) -> Objective:
        """What `module` is trained for."""

    def fit(self, data: DomainData) -> Self:
        """Fit the recommender and stage 1, then train stage 2."""
        self._locate()  # stage 1 may take long: who names no model hears of it now
        given = {"recommender": self.parameters["recommender"], "seed": self.parameters["seed"]}
        return self.fit_beside(AllmrecItems(**given).fit(data), data)

    def fit_beside(self, items: AllmrecItems, data: DomainData) -> Self:
        """Train stage 2 beside a stage 1 that was fitted on the same data; it stays as it is.

        Where nobody liked two items nothing can be trained, and stage 1 ranks alone.
        """
        given = self.parameters
        self.seed = data.seed if given["seed"] is None else int(given["seed"])
        self._take(items, data.domain, data.titles)
        self._digest = self.model_digest()
        if items.joint is None:
            say(f"  {self.name}: nobody liked two items, so nothing is trained")
            return self
        cases = draw_cases(data.likes, given["cases"], self.seed)
        space = self.space
        states = torch.from_numpy(space.user_states([case.history for case in cases.train[:_STATES]]))
        vectors = torch.from_numpy(space.vectors(list(self.item_ids)))
        model = self.language_model
        sizes = Sizes(states.shape[1], vectors.shape[1], model.width, model.state_width)
        self.module, self._sizes = self.new_module(sizes, model.norm), sizes
        self.module.projections.user.standardise_on(states)
        self.module.projections.item.standardise_on(vectors)
        self.module.to(model.device)
        if cut := self.writer.cut:
            say(f"  {self.name}: of {cut:,} titles only the first {TITLE_TOKENS} tokens are shown and scored")
        how = {name: given[name] for name in _TRAINING}
        options = LlmTrainingOptions(**how, seed=self.seed, save_seconds=self.save_seconds)
        objective, frozen = self.objective(data, cases), items.joint.digest()
        of = content_id(frozen, self.trained_by)
        trainer = LlmTrainer(model, self.module, cases, objective, options, self.name, self.guard, of)
        self.record = trainer.train(self.checkpoint)
        check_base(frozen, items.joint.digest())
        self.record.items_digest = frozen
        return self

    @property
    def trained_by(self) -> list[object]:
        """What decides, beside data, stage 1 and the language model, what is trained."""
        return [self.parameters]

    def model_digest(self) -> str:
        """What identifies the language model, by its files.

        Raises:
            UserError: there is no such model, or no such adapter.
        """
        reference, adapter = self._locate()
        found = reference.digest()
        return f"{found} {content_digest(adapter)}" if adapter else found

    def _locate(self) -> tuple[ModelReference, Path | None]:
        """The language model, and the folder of its adapter; see `model_digest`."""
        adapter = self.parameters.get("adapter")
        if adapter and not (Path(adapter) / "adapter_config.json").is_file():
            raise UserError("holds no adapter", where=adapter, hint="name a folder that peft wrote, or none")
        return locate(self.parameters["model"]), Path(adapter) if adapter else None

    def _take(self, items: AllmrecItems, domain: str, titles: Mapping[str, str]) -> None:
        for name in ("place", "writer", "inputs"):  # of other items
            self.__dict__.pop(name, None)
        self.items, self.item_ids = items, tuple(items.item_ids)
        self._domain, self._titles = domain, {item: titles[item] for item in self.item_ids}

    @property
    def joint(self) -> JointItems:
        """Stage 1 where something was trained."""
        assert self.items.joint is not None
        return self.items.joint

    @property
    def space(self) -> ItemSpace:
        """What stands for items and users in prompts: the joint space, unless a subclass takes another."""
        return self.joint

    @cached_property
    def language_model(self) -> FrozenLanguageModel:
        """The language model, opened when it is first needed.

        Raises:
            UserError: it is not the one that the ranker was trained beside.
        """
        given = self.parameters
        if (found := self.model_digest()) != self._digest:
            raise UserError(
                f"the model has changed since the ranker {self.name} was trained ({found})",
                where=given["model"],
                hint="fit the ranker again, or name the model that it was trained beside",
            )
        return self.new_language_model()

    def new_language_model(self) -> FrozenLanguageModel:
        """The language model that the parameters name, whichever it is now."""
        given = self.parameters
        how = given["load_in_4bit"], given["compute_dtype"], given.get("adapter", "")
        return open_language_model(given["model"], *how)

    @cached_property
    def writer(self) -> PromptWriter:
        """Words the prompts."""
        return PromptWriter(self.language_model, self._titles, self._domain, self.parameters["locale"])

    @cached_property
    def inputs(self) -> SoftInputs:
        """Puts vectors into prompts."""
        module = self.module.to(self.language_model.device)
        return SoftInputs(self.language_model, self.space, module.projections, module.out)

    def of_items(self, data: DomainData) -> Self | None:
        """The same for another catalogue, whose new items are known by title and text alone.

        None where stage 1 has none for it; see `AllmrecItems.of_items`.
        """
        if (items := self.items.of_items(data)) is None:
            return None
        other = copy(self)
        other._take(items, data.domain, data.titles)
        return other

    def save(self, folder: Path) -> None:
        """See `Ranker.save`; the language model is saved by its name and a digest."""
        self.items.save(folder / _ITEMS)
        trained = self.items.joint is not None
        about: dict[str, Any] = {
            "given": self.parameters, "seed": self.seed, "domain": self._domain, "model": self._digest
        }  # fmt: skip
        state = self.module.state_dict() if trained else {}
        if trained:
            about |= {"sizes": list(self._sizes), "record": asdict(self.record)}
        items = {"item_id": list(self._titles), "title": list(self._titles.values())}
        arrays = {name: value.cpu().numpy() for name, value in state.items()}
        save_ranker(folder, SavedRanker(self.name, items, about, arrays | self.saved_arrays()))

    def saved_arrays(self) -> dict[str, Any]:
        """What a subclass saves beside the module; its names begin with `own.`."""
        return {}

    @classmethod
    def load(cls, folder: Path) -> Self:
        """See `Ranker.load`."""
        saved = load_saved(folder, cls.name)
        about = saved.parameters
        ranker = cls(**about["given"])
        ranker.seed, ranker._digest = about["seed"], about["model"]
        ranker.record = LlmTrainingRecord(**about.get("record", {}))
        titles = dict(zip(saved.items["item_id"], saved.items["title"], strict=True))
        ranker._take(AllmrecItems.load(folder / _ITEMS), about["domain"], titles)
        if "sizes" in about:
            ranker._sizes = Sizes(*about["sizes"])
            ranker.module = ranker.new_module(ranker._sizes, norm=1.0)
            state = {
                name: torch.from_numpy(value)
                for name, value in saved.arrays.items()
                if not name.startswith("own.")
            }
            ranker.module.load_state_dict(state)
            ranker.module.eval().requires_grad_(False)
            ranker.load_arrays(saved.arrays)
        return ranker

    def load_arrays(self, arrays: Mapping[str, Any]) -> None:
        """Take what `saved_arrays` gave."""
