"""What a language model is tuned for that answers yes or no: whether an item comes next."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from rectune.core.errors import UserError
from rectune.core.rng import generator_of
from rectune.core.types import Locale
from rectune.rankers.allmrec.answer_loss import AnswerLoss
from rectune.rankers.allmrec.language_model import FrozenLanguageModel
from rectune.rankers.allmrec.likelihoods import answer_losses, next_logs
from rectune.rankers.allmrec.prompt import PromptWriter
from rectune.rankers.allmrec.train_cases import TrainCase, TrainCases

_WORDS: dict[Locale, tuple[str, str]] = {"en": ("Yes", "No"), "ko": ("네", "아니요")}


def yes_and_no(model: FrozenLanguageModel, locale: Locale) -> tuple[int, int]:
    """The first token of either answer.

    Raises:
        UserError: both begin with the same token.
    """
    yes, no = (model.plain(word)[0] for word in _WORDS[locale])
    if yes == no:
        found = f"{model.name or 'the model'} begins both {' and '.join(_WORDS[locale])} with the same token"
        raise UserError(found, hint="take another locale, or a model that tells them apart")
    return yes, no


@dataclass(frozen=True)
class YesNoLoss(AnswerLoss):
    """Minus the log-probability of yes behind each case's target, and of no behind an item that is drawn
    from those that the user does not like.

    Attributes:
        model: reads, and is tuned.
        writer: of prompts.
        cases: whose catalogue is drawn from.
        answers: the tokens of yes and no.
        seed: of what is drawn.
    """

    model: FrozenLanguageModel
    writer: PromptWriter
    cases: TrainCases
    answers: tuple[int, int]
    seed: int

    def length(self, case: TrainCase) -> int:
        """See `Objective.length`."""
        return len(self.writer.like(case.history, case.target))

    @property
    def device(self) -> torch.device:
        """See `AnswerLoss.device`."""
        return self.model.device

    def own_loss(self, cases: Sequence[TrainCase], salt: str) -> tuple[Tensor, int]:
        """See `AnswerLoss.own_loss`; one for each answer."""
        prompts, answers = list[tuple[int, ...]](), list[tuple[int]]()
        for case in cases:
            rng = generator_of("yes or no", self.seed, salt, case.user, case.target)
            asked = [case.target, *self.cases.negatives(case, 1, rng)]  # of who likes all, no second
            for item, answer in zip(asked, self.answers, strict=False):
                prompts.append(self.writer.like(case.history, item))
                answers.append((answer,))
        return answer_losses(self.model, [self.model.embed(torch.tensor(ids)) for ids in prompts], answers)


@torch.no_grad()
def yes_less_no(
    model: FrozenLanguageModel, prompts: Sequence[tuple[int, ...]], answers: tuple[int, int]
) -> list[float]:
    """log p(yes) - log p(no) behind each prompt, in nats; what they begin with alike is read once.

    Args:
        model: reads.
        prompts: ids of each, at least two.
        answers: the tokens of yes and no.
    """
    if not prompts:
        return []
    first, last = min(prompts), max(prompts)  # what these two begin with, all begin with
    alike = [one == other for one, other in zip(first, last, strict=False)]
    start = max(min([*alike, False].index(False), min(map(len, prompts)) - 1), 1)
    prefix = model.embed(torch.tensor(prompts[0][:start]))
    logs = next_logs(model, prefix, [ids[start:] for ids in prompts], answers)
    found: list[float] = (logs[:, 0] - logs[:, 1]).tolist()
    return found
