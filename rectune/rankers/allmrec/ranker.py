"""A-LLMRec whole: a frozen language model reads titles and vectors, and says which title comes next."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from copy import copy
from dataclasses import dataclass
from types import MappingProxyType
from typing import Self, get_args

import numpy as np
import torch
from torch import Tensor

from rectune.core.errors import UserError
from rectune.core.progress import progress, say
from rectune.core.rng import generator_of
from rectune.core.types import Locale, content_id
from rectune.rankers.allmrec.answer_loss import AnswerLoss
from rectune.rankers.allmrec.items import By
from rectune.rankers.allmrec.items_ranker import AllmrecItems
from rectune.rankers.allmrec.language_model import ComputeType
from rectune.rankers.allmrec.likelihoods import answer_logs, answer_losses
from rectune.rankers.allmrec.llm_training import Objective
from rectune.rankers.allmrec.projections import Projections
from rectune.rankers.allmrec.prompt import PromptWriter, SoftPrompt
from rectune.rankers.allmrec.soft_inputs import ItemSpace, SoftInputs
from rectune.rankers.allmrec.soft_ranker import Sizes, SoftModule
from rectune.rankers.allmrec.spaces import TextSpace
from rectune.rankers.allmrec.train_cases import TrainCase, TrainCases
from rectune.rankers.allmrec.wishes import TrainWishes
from rectune.rankers.allmrec.writing_ranker import WritingRanker
from rectune.rankers.base import ScoredItem, Scores, unknown_ids
from rectune.rankers.domain_data import DomainData
from rectune.rankers.liked_items import one_of, positive


@dataclass(frozen=True)
class TitleLoss(AnswerLoss):
    """Minus the log-probability of the target's title, behind a prompt with it and drawn other candidates.

    Attributes:
        writer, inputs: of prompts.
        cases: other candidates are drawn from their catalogue, those that the user does not like.
        shown: candidates of a prompt.
        wishes: what the cases ask for in words.
        seed: of what is drawn.
    """

    writer: PromptWriter
    inputs: SoftInputs
    cases: TrainCases
    shown: int
    wishes: TrainWishes
    seed: int

    def length(self, case: TrainCase) -> int:
        """See `Objective.length`."""
        return len(self.writer.choose(case.history, [case.target]).ids)

    @property
    def device(self) -> torch.device:
        """See `AnswerLoss.device`."""
        return self.inputs.model.device

    def own_loss(self, cases: Sequence[TrainCase], salt: str) -> tuple[Tensor, int]:
        """See `AnswerLoss.own_loss`; one for each token."""
        prompts = []
        for case in cases:
            rng = generator_of("candidates", self.seed, salt, case.user, case.target)
            others = self.cases.negatives(case, self.shown - 1, rng)
            shown = [*others, case.target]
            order = rng.permutation(len(shown)).tolist()
            wish = self.wishes.wish(case, rng)
            prompts.append(self.writer.choose(case.history, [shown[at] for at in order], wish))
        answers = [self.writer.answer(case.target) for case in cases]
        return answer_losses(self.inputs.model, self.inputs(prompts), answers)


class AllmRec(WritingRanker):
    """A-LLMRec (Kim et al. 2024, "Large Language Models meet Collaborative Filtering: An Efficient All-round
    LLM-based Recommender System"): `allmrec_items`, and a language model that reads its vectors.

    The prompt has the user's vector, the last ten titles of the history and all candidates, each title with
    its vector. What is scored is the log-probability of a candidate's title and the line end behind it, of
    all candidates behind one prompt; the paper lets the model write, and looks whether the right title is in
    what it wrote. Two small projections of the vectors are trained, the model is not. Candidates stand in an
    order that depends on history and candidates alone, so their given order does not matter.

    Of more than `shown` candidates the model ranks the first ones of `allmrec_items` alone; the others follow
    in its order. So does `top`: the first `shown` of `allmrec_items` are put in order by the model.

    Args:
        model, load_in_4bit, compute_dtype, adapter: see `open_language_model`.
        recommender: see `AllmrecItems`.
        shown: candidates in a prompt, at most.
        cases: likes that are trained on, each with the likes before it; every user once before any twice.
        learning_rate, batch_size, epochs, patience: see `LlmTrainingOptions`.
        normalised: whether a title scores the mean over its tokens in place of their sum.
        by: what stands for an item: `joint`, as in the paper: its joint vector where it is warm, that of its
            text where it is cold; or `text`: that of its text always. See `reading` to change it afterwards.
        wish_share: share of the training cases that ask in words for one of the target's categories, or by
            one of its `queries`, so that wishes are heeded (`score_wishes`).
        locale: of the prompt, en or ko.
        seed: of all that is drawn; by default the data's.

    Attributes:
        queries: by item, in what words people look for it; set before fitting, for `wish_share`. None of test
            users belong here.
    """

    name = "allmrec"
    queries: Mapping[str, Sequence[str]] = MappingProxyType({})

    def __init__(
        self,
        model: str = "embedded",
        recommender: str = "sasrec",
        shown: int = 20,
        cases: int = 2000,
        learning_rate: float = 1e-3,
        batch_size: int = 4,
        epochs: int = 5,
        patience: int = 2,
        normalised: bool = False,
        by: By = "joint",
        wish_share: float = 0.2,
        load_in_4bit: bool = False,
        compute_dtype: ComputeType = "auto",
        locale: Locale = "en",
        seed: int | None = None,
        adapter: str = "",
    ) -> None:
        super().__init__(
            {
                "model": model, "recommender": recommender, "shown": shown, "cases": cases,
                "learning_rate": learning_rate, "batch_size": batch_size, "epochs": epochs,
                "patience": patience, "normalised": normalised, "by": by, "wish_share": wish_share,
                "load_in_4bit": load_in_4bit, "compute_dtype": compute_dtype, "locale": locale, "seed": seed,
                "adapter": adapter,
            }
        )  # fmt: skip
        positive(shown=shown)
        one_of(get_args(By), by=by)
        if not 0 <= wish_share <= 1:
            raise UserError(f"wish_share is {wish_share}", hint="give a share, from 0 to 1")

    @property
    def space(self) -> ItemSpace:
        """See `SoftRanker.space`."""
        return TextSpace(self.joint) if self.parameters["by"] == "text" else self.joint

    def reading(self, by: By) -> Self:
        """The same, as it was trained, with other vectors for items; see `by`."""
        other = copy(self)
        other.parameters = self.parameters | {"by": by}
        other._take(self.items, self._domain, self._titles)
        return other

    @property
    def trained_by(self) -> list[object]:
        """See `SoftRanker.trained_by`."""
        return [*super().trained_by, {item: list(texts) for item, texts in self.queries.items()}]

    def new_module(self, sizes: Sizes, norm: float) -> SoftModule:
        """See `SoftRanker.new_module`."""
        return SoftModule(Projections(sizes.user, sizes.item, sizes.width, norm, self.seed))

    def objective(self, data: DomainData, cases: TrainCases) -> Objective:
        """See `SoftRanker.objective`."""
        wishes = self.train_wishes(data, cases)
        return TitleLoss(self.writer, self.inputs, cases, self.parameters["shown"], wishes, self.seed)

    def train_wishes(self, data: DomainData, cases: TrainCases) -> TrainWishes:
        """What the cases ask for; `fit_beside` records how many do."""
        categories = {item: data.items[item].categories for item in self.item_ids}
        wishes = TrainWishes(self.queries, categories, self.parameters["wish_share"], self.seed)
        self._asked = wishes.counts(cases.train)
        return wishes

    def fit_beside(self, items: AllmrecItems, data: DomainData) -> Self:
        """See `SoftRanker.fit_beside`; the record counts the cases that asked for something."""
        super().fit_beside(items, data)
        if items.joint is not None:
            self.record.wishes = self._asked
            told = ", ".join(f"{count:,} by {kind}" for kind, count in self._asked.items())
            count, cases = sum(self._asked.values()), self.record.cases
            say(f"  {self.name}: {count:,} of {cases:,} cases asked for something in words: {told}")
        return self

    def score(self, histories: Sequence[Sequence[str]], candidates: Sequence[Sequence[str]]) -> list[Scores]:
        """See `CandidateScorer.score`; in nats, of a title or of a token of it (`normalised`).

        Raises:
            UserError: a candidate is unknown, and has no title to be scored.
        """
        return self.score_wishes(histories, candidates, [""] * len(histories))

    def score_wishes(
        self,
        histories: Sequence[Sequence[str]],
        candidates: Sequence[Sequence[str]],
        wishes: Sequence[str],
    ) -> list[Scores]:
        """The same for users of whom each also asks for something in words; an empty text asks for nothing.

        Args:
            histories, candidates: see `score`.
            wishes: a query, or facts of a chat, for each history.
        """
        if unknown := unknown_ids(self._titles, (item for case in candidates for item in case)):
            raise UserError(f"{len(unknown)} candidates are not in the catalogue, as {unknown[0]!r}")
        first = self.items.score(histories, candidates)
        if self.items.joint is None:
            return first
        found = []
        with progress(f"{self.name}: scoring", len(histories), "histories") as advance:
            for history, shown, base, wish in zip(histories, candidates, first, wishes, strict=True):
                found.append(self._scores(history, shown, base, wish))
                advance(1)
        return found

    def top(
        self,
        histories: Sequence[Sequence[str]],
        k: int,
        exclude: Sequence[Collection[str]] | None = None,
        within: Collection[str] | None = None,
    ) -> list[list[ScoredItem]]:
        """The best of the whole catalogue by `allmrec_items`, of which the first `shown` are put in order by
        the language model; see `Ranker.top`.
        """
        wanted = max(k, self.parameters["shown"])
        first = self.items.top(histories, wanted, exclude, within)
        scores = self.score(histories, [[one.item_id for one in row] for row in first])
        return [
            [ScoredItem(row[at].item_id, float(own[at])) for at in np.argsort(-own, kind="stable")[:k]]
            for row, own in zip(first, scores, strict=True)
        ]

    def _scores(self, history: Sequence[str], candidates: Sequence[str], first: Scores, wish: str) -> Scores:
        """The scores of one history; `first` are those of stage 1."""
        by_first = [candidates[at] for at in np.argsort(-first, kind="stable")]
        order = list(dict.fromkeys(by_first))
        shown, others = order[: self.parameters["shown"]], order[self.parameters["shown"] :]
        own = dict(zip(shown, self._likelihoods(history, shown, wish), strict=True))
        least = min(own.values(), default=0.0)
        own |= {item: least - 1.0 - behind for behind, item in enumerate(others)}
        return np.array([own[item] for item in candidates], np.float64)

    def _likelihoods(self, history: Sequence[str], candidates: Sequence[str], wish: str) -> list[float]:
        """The log-likelihood of each of these different candidates, all of which the prompt shows."""
        total = np.mean if self.parameters["normalised"] else np.sum
        return [float(total(row)) for row in self.title_logs(history, candidates, wish)]

    @torch.no_grad()
    def title_logs(
        self, history: Sequence[str], candidates: Sequence[str], wish: str = "", vectors: bool = True
    ) -> list[list[float]]:
        """The log-probabilities of the tokens of each candidate's title and of the line end, in nats.

        Args:
            history: item ids, oldest first.
            candidates: different items, all of which the prompt shows.
            wish: see `score_wishes`.
            vectors: False leaves all vectors out of the prompt: what the language model knows by itself.
        """
        if not candidates:
            return []
        asked = self.asked(history, candidates, wish)
        (prompt,) = self.inputs([asked if vectors else asked.without_vectors()])
        return answer_logs(self.language_model, prompt, [self.writer.answer(item) for item in candidates])

    def asked(self, history: Sequence[str], candidates: Sequence[str], wish: str) -> SoftPrompt:
        """The prompt behind which titles are scored; see `title_logs`."""
        shown = sorted(candidates, key=lambda item: content_id(self.seed, list(history), item))
        return self.writer.choose(history, shown, wish)
