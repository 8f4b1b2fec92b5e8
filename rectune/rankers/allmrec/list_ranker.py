"""A-LLMRec whose language model goes on with a list: every title of a history is a target."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from rectune.core.rng import generator_of
from rectune.rankers.allmrec.answer_loss import AnswerLoss
from rectune.rankers.allmrec.likelihoods import NOT_COUNTED, label_losses
from rectune.rankers.allmrec.llm_training import Objective
from rectune.rankers.allmrec.prompt import ITEM, USER, PromptWriter, SoftPrompt
from rectune.rankers.allmrec.ranker import AllmRec
from rectune.rankers.allmrec.soft_inputs import SoftInputs
from rectune.rankers.allmrec.train_cases import TrainCase, TrainCases
from rectune.rankers.domain_data import DomainData


@dataclass(frozen=True)
class ListLoss(AnswerLoss):
    """Minus the log-probabilities of all titles of a list but the first, each with its line end.

    Attributes:
        writer, inputs: of prompts.
        wishes: by item, what somebody may ask for who wants it; a list that asks counts such titles alone.
        wish_share: of the cases, that ask for something.
        seed: of what is drawn.
    """

    writer: PromptWriter
    inputs: SoftInputs
    wishes: Mapping[str, Sequence[str]]
    wish_share: float
    seed: int

    def length(self, case: TrainCase) -> int:
        """See `Objective.length`."""
        return len(self.writer.listing(case.history).ids)

    @property
    def device(self) -> torch.device:
        """See `AnswerLoss.device`."""
        return self.inputs.model.device

    def own_loss(self, cases: Sequence[TrainCase], salt: str) -> tuple[Tensor, int]:
        """See `AnswerLoss.own_loss`; one for each token."""
        prompts, labels, answers = [], [], []
        for case in cases:
            wish = self._wish(case, salt)
            prompt, answer = self.writer.listing(case.history, wish), self.writer.answer(case.target)
            prompts.append(prompt)
            answers.append(torch.tensor(answer, device=self.device))
            labels.append(torch.tensor([*self._labels(prompt, wish), *answer], device=self.device))
        rows = [
            torch.cat([vectors, self.inputs.model.embed(answer)])
            for vectors, answer in zip(self.inputs(prompts), answers, strict=True)
        ]
        return label_losses(self.inputs.model, rows, labels)

    def _wish(self, case: TrainCase, salt: str) -> str:
        """What a case asks for, which its target has; mostly nothing."""
        rng, wishes = (
            generator_of("wishes", self.seed, salt, case.user, case.target),
            self.wishes[case.target],
        )
        asked = bool(wishes) and rng.random() < self.wish_share
        return wishes[int(rng.integers(len(wishes)))] if asked else ""

    def _labels(self, prompt: SoftPrompt, wish: str) -> Iterator[int]:
        """The ids of titles that count, `NOT_COUNTED` elsewhere: what stands between a user's vector and that
        of the item.
        """
        items, counted = iter(prompt.items[1:]), False
        for token in prompt.ids:
            if token == USER:
                item = next(items, None)
                counted = item is not None and (not wish or wish in self.wishes[item])
            elif token == ITEM:
                counted = False
            yield token if counted and token >= 0 else NOT_COUNTED


class AllmRecList(AllmRec):
    """`allmrec` with a prompt that shows no candidates: the history as a list, each title behind the vector
    of the user as of then and before that of the item (`PromptWriter.listing`).

    The published prompt has one target, the title of what came next, for some 300 tokens that are read; here
    all titles of the list but the first are targets of one reading, as in the training of any language model.
    A candidate's score is the log-probability of its title as the next line.

    Args:
        see `AllmRec`; `shown` says how many candidates the model ranks, which stand in no prompt here.
    """

    name = "allmrec_list"

    def objective(self, data: DomainData, cases: TrainCases) -> Objective:
        """See `SoftRanker.objective`."""
        wishes = {item: data.items[item].categories for item in self.item_ids}
        return ListLoss(self.writer, self.inputs, wishes, self.parameters["wish_share"], self.seed)

    def asked(self, history: Sequence[str], candidates: Sequence[str], wish: str) -> SoftPrompt:
        """See `AllmRec.asked`."""
        return self.writer.listing(history, wish)
