"""TALLRec: a language model that is tuned, by an adapter, to say whether somebody will like an item."""

from __future__ import annotations

from collections.abc import Sequence
from copy import copy
from dataclasses import asdict
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar, Self, get_args

import numpy as np
import torch
from torch import nn

from rectune.core.errors import UserError
from rectune.core.progress import progress
from rectune.core.rng import seed_of
from rectune.core.settings import LoraSection
from rectune.core.types import Locale, content_id
from rectune.models.lora import lora_config
from rectune.models.reference import locate
from rectune.rankers.allmrec.language_model import ComputeType, FrozenLanguageModel, load_language_model
from rectune.rankers.allmrec.llm_training import LlmTrainer, LlmTrainingOptions, LlmTrainingRecord
from rectune.rankers.allmrec.prompt import PromptWriter
from rectune.rankers.allmrec.train_cases import draw_cases
from rectune.rankers.allmrec.yes_no import YesNoLoss, yes_and_no, yes_less_no
from rectune.rankers.base import Ranker, Scores, unknown_ids
from rectune.rankers.domain_data import DomainData
from rectune.rankers.liked_items import one_of, positive
from rectune.rankers.saved import SavedRanker, load_saved, save_ranker

_TRAINING = ("learning_rate", "batch_size", "epochs", "patience")
_MODEL = ("model", "load_in_4bit", "compute_dtype")


class Adapter(nn.Module):
    """The low-rank weights that were put into a model, as a module of their own.

    Args:
        model: gets them: A drawn by the seed, B zero, so that nothing changes yet.
        rank: of the weights; they are scaled by 2, as lora_alpha is twice the rank.
        layers: names of the linear layers that get them, or all-linear.
        seed: of the first weights.
    """

    def __init__(self, model: nn.Module, rank: int, layers: str | Sequence[str], seed: int) -> None:
        from peft import get_peft_model

        super().__init__()
        targets = layers if isinstance(layers, str) else list(layers)
        lora = LoraSection(r=rank, lora_alpha=2 * rank, lora_dropout=0.0, target_modules=targets)
        with torch.random.fork_rng([]):
            torch.manual_seed(seed_of("tallrec", seed))
            get_peft_model(model, lora_config(lora))
        own = {name: value for name, value in model.named_parameters() if "lora_" in name}
        self.weights = nn.ParameterDict({name.replace(".", "/"): value for name, value in own.items()})


class TallRec(Ranker):
    """TALLRec (Bao et al. 2023, "TALLRec: An Effective and Efficient Tuning Framework to Align Large Language
    Model with Recommendation"): an adapter is trained on a language model that reads a history and one item,
    and answers by yes or no. An item scores log p(yes) - log p(no).

    The paper has items that users rated low for no; likes alone have none, so that for each item that came
    next another one is drawn from those that the user does not like. With `load_in_4bit` the frozen weights
    are in NF4 (QLoRA). The model knows titles only, so new items are ranked as all others.

    `top` reads every title of the catalogue, so give candidates if there are many.

    Args:
        model, load_in_4bit, compute_dtype: see `open_language_model`.
        cases: likes that are trained on, each with the likes before it; every user once before any twice.
        rank, layers: see `Adapter`; the paper's are 8, on queries and values.
        learning_rate, batch_size, epochs, patience: see `LlmTrainingOptions`; each case of a batch has two
            prompts.
        locale: of the prompt, en or ko.
        seed: of all that is drawn; by default the data's.

    Attributes:
        record: what training came to; empty for a ranker that was loaded.
        checkpoint: a file that training keeps its state in and goes on from.
    """

    name = "tallrec"
    learns_from_texts: ClassVar[bool] = True
    costly: ClassVar[bool] = True

    def __init__(
        self,
        model: str = "embedded",
        cases: int = 2000,
        rank: int = 8,
        layers: str | Sequence[str] = ("q_proj", "v_proj"),
        learning_rate: float = 1e-3,
        batch_size: int = 4,
        epochs: int = 5,
        patience: int = 2,
        load_in_4bit: bool = False,
        compute_dtype: ComputeType = "auto",
        locale: Locale = "en",
        seed: int | None = None,
    ) -> None:
        self.parameters: dict[str, Any] = {
            "model": model, "cases": cases, "rank": rank,
            "layers": layers if isinstance(layers, str) else list(layers), "learning_rate": learning_rate,
            "batch_size": batch_size, "epochs": epochs, "patience": patience, "load_in_4bit": load_in_4bit,
            "compute_dtype": compute_dtype, "locale": locale, "seed": seed,
        }  # fmt: skip
        positive(**{name: self.parameters[name] for name in (*_TRAINING, "cases", "rank")})
        one_of(get_args(Locale), locale=locale)
        one_of(get_args(ComputeType), compute_dtype=compute_dtype)
        self.record = LlmTrainingRecord()
        self._weights = dict[str, torch.Tensor]()
        self._digest = ""

    def fit(self, data: DomainData) -> Self:
        """Train the adapter on the likes of train users."""
        given = self.parameters
        self.seed = data.seed if given["seed"] is None else int(given["seed"])
        self._take(data.domain, data.titles)
        self._digest = locate(given["model"]).digest()
        cases = draw_cases(data.likes, given["cases"], self.seed)
        model, adapter = self._tuned
        objective = YesNoLoss(model, self.writer, cases, self._answers, self.seed)
        options = LlmTrainingOptions(**{name: given[name] for name in _TRAINING}, seed=self.seed)
        trainer = LlmTrainer(
            model, adapter, cases, objective, options, self.name, of=content_id(given, self._titles)
        )
        self.record = trainer.train(self.checkpoint)
        self._weights = {name: value.detach().cpu() for name, value in adapter.weights.items()}
        return self

    def _take(self, domain: str, titles: dict[str, str]) -> None:
        self.__dict__.pop("place", None)
        self.__dict__.pop("writer", None)
        self._domain, self._titles, self.item_ids = domain, dict(titles), tuple(titles)

    @property
    def language_model(self) -> FrozenLanguageModel:
        """The language model with the adapter, a copy of its own.

        Raises:
            UserError: it is not the one that the adapter was trained on.
        """
        return self._tuned[0]

    @cached_property
    def _tuned(self) -> tuple[FrozenLanguageModel, Adapter]:
        given = self.parameters
        if self._digest and (found := locate(given["model"]).digest()) != self._digest:
            raise UserError(
                f"the model has changed since the ranker {self.name} was trained ({found})",
                where=given["model"],
                hint="fit the ranker again, or name the model that it was trained on",
            )
        model = load_language_model(*(given[name] for name in _MODEL))
        adapter = Adapter(model.model, given["rank"], given["layers"], self.seed)
        if self._weights:
            adapter.weights.load_state_dict(self._weights)
        return model, adapter

    @cached_property
    def writer(self) -> PromptWriter:
        """Words the prompts."""
        return PromptWriter(self.language_model, self._titles, self._domain, self.parameters["locale"])

    @property
    def _answers(self) -> tuple[int, int]:
        return yes_and_no(self.language_model, self.parameters["locale"])

    def score(self, histories: Sequence[Sequence[str]], candidates: Sequence[Sequence[str]]) -> list[Scores]:
        """See `CandidateScorer.score`; in nats.

        Raises:
            UserError: a candidate is unknown, and has no title to be asked about.
        """
        if unknown := unknown_ids(self._titles, (item for case in candidates for item in case)):
            raise UserError(f"{len(unknown)} candidates are not in the catalogue, as {unknown[0]!r}")
        found = list[Scores]()
        with progress(f"{self.name}: scoring", len(histories), "histories") as advance:
            for history, shown in zip(histories, candidates, strict=True):
                prompts = [self.writer.like(history, item) for item in shown]
                scores = yes_less_no(self.language_model, prompts, self._answers)
                found.append(np.array(scores, np.float64))
                advance(1)
        return found

    def of_items(self, data: DomainData) -> Self:
        """See `Ranker.of_items`: every item is known by its title."""
        other = copy(self)
        other._take(data.domain, data.titles)
        return other

    def save(self, folder: Path) -> None:
        """See `Ranker.save`; the adapter, and of the language model its name and a digest."""
        items = {"item_id": list(self._titles), "title": list(self._titles.values())}
        about = {
            "given": self.parameters, "seed": self.seed, "domain": self._domain, "model": self._digest,
            "record": asdict(self.record),
        }  # fmt: skip
        arrays = {name: value.float().numpy() for name, value in self._weights.items()}
        save_ranker(folder, SavedRanker(self.name, items, about, arrays))

    @classmethod
    def load(cls, folder: Path) -> Self:
        """See `Ranker.load`."""
        saved = load_saved(folder, cls.name)
        about = saved.parameters
        ranker = cls(**about["given"])
        ranker.seed, ranker._digest = about["seed"], about["model"]
        ranker._take(about["domain"], dict(zip(saved.items["item_id"], saved.items["title"], strict=True)))
        ranker._weights = {name: torch.from_numpy(value) for name, value in saved.arrays.items()}
        return ranker
