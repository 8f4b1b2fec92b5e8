"""A ranker beside a language model that also says why: the model reads the vectors, and writes."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from rectune.core.errors import UserError
from rectune.core.settings import SamplingConfig
from rectune.core.types import Locale
from rectune.inference.requests import GenerationResult
from rectune.prompts.locale_words import one_line
from rectune.prompts.teacher_prompts import rationale_opening
from rectune.rankers.allmrec.prompt import PromptWriter
from rectune.rankers.allmrec.soft_ranker import SoftRanker
from rectune.rankers.allmrec.written_text import write_text
from rectune.rankers.base import unknown_ids
from rectune.rankers.reason_writer import ReasonRequest

_GREEDY = SamplingConfig(temperature=0.0)
_LAST = 4  # ids of a prompt that decide how the next word is spelt


class WritingRanker(SoftRanker):
    """A `SoftRanker` whose language model writes reasons behind a prompt with the vectors of user and items,
    as the prompt of A-LLMRec has them. It is trained to name titles, and never to write reasons. Implements
    `rectune.rankers.reason_writer.ReasonWriter`.
    """

    @property
    def writes(self) -> bool:
        """Whether anything was trained, so that there are vectors to read."""
        return self.items.joint is not None

    def explain(self, history: Sequence[str], item_id: str, wish: str = "", facts: str = "") -> str:
        """Why an item suits a user: what the language model writes, greedily, raw and unchecked. It may be
        untrue. A `Recommender` of this ranker checks it, with `model="ranker"`.

        Args:
            history: item ids, oldest first.
            item_id: what is recommended.
            wish: what the user asks for in words.
            facts: what is known of the item, in one line; without it the model has title and vector alone.

        Raises:
            UserError: the item is unknown, or nothing was trained.
        """
        if unknown_ids(self._titles, [item_id]):
            raise UserError(f"the item is not in the catalogue: {item_id!r}")
        if not self.writes:
            raise UserError(f"{self.name} has no vectors: nobody liked two items", hint="give more likes")
        locale, wish = self.parameters["locale"], wish.strip()
        liked = [one_line(self._titles[item]) for item in history if item in self._titles]
        opening = rationale_opening(liked, wish, locale, 0) if liked or wish else ""
        asked = ReasonRequest(tuple(history), item_id, wish, facts, opening, locale)
        return f"{opening}{self.write_reason(asked, _GREEDY, self.seed).text}".strip()

    def write_reason(self, asked: ReasonRequest, sampling: SamplingConfig, seed: int) -> GenerationResult:
        """See `ReasonWriter.write_reason`."""
        if not self.writes or asked.item_id not in self._titles:
            return GenerationResult("", "", "error", 0, 0, f"{self.name} has no vector of the item")
        prompt = self._writer_of(asked.locale).explain(
            asked.history, asked.item_id, asked.wish, asked.facts, asked.opening
        )
        with torch.no_grad():
            (inputs,) = self.inputs([prompt])
        last = [token for token in prompt.ids[-_LAST:] if token >= 0]
        return write_text(self.language_model, inputs, last, sampling, seed)

    def _writer_of(self, locale: Locale) -> PromptWriter:
        """What words prompts in a language, which need not be that of the training."""
        if locale == self.writer.locale:
            return self.writer
        return PromptWriter(self.language_model, self._titles, self._domain, locale)
