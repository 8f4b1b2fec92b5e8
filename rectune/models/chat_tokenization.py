"""Token ids for training: a prompt as the chat template renders it, and an assistant's turn to its end.

Titles and answers are data from elsewhere and may hold anything, `<|im_end|>` included. Message contents are
therefore never parsed for control tokens; only the template's own text is.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import TYPE_CHECKING

from rectune.core.errors import UserError
from rectune.core.types import Prompt
from rectune.models.chat import encode, end_of_turn, segments, tokenise

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase


def prompt_ids(tokenizer: PreTrainedTokenizerBase, prompt: Prompt) -> list[int]:
    """System message (where there is one) and instruction, up to where the assistant's answer begins."""
    return encode(tokenizer, _messages(prompt.system, prompt.instruction), generation_prompt=True)


def _messages(system: str, instruction: str) -> list[tuple[str, str]]:
    return [*([("system", system)] if system else []), ("user", instruction)]


def response_ids(tokenizer: PreTrainedTokenizerBase, text: str) -> list[int]:
    """An answer as plain text, and the control tokens that end its turn, so that a model learns to stop."""
    plain: list[int] = tokenizer.encode(text, add_special_tokens=False, split_special_tokens=True)
    return plain + end_ids(tokenizer)


def end_ids(tokenizer: PreTrainedTokenizerBase) -> list[int]:
    """The control tokens that close an assistant's turn.

    Raises:
        UserError: the chat template closes a turn without any control token.
    """
    ending = end_of_turn(str(tokenizer.get_chat_template()), tokenizer.special_tokens_map)
    ids: list[int] = tokenizer.encode(ending, add_special_tokens=False)
    control = set(tokenizer.all_special_ids) | set(tokenizer.added_tokens_decoder)
    last = max((place for place, token in enumerate(ids) if token in control), default=None)
    if last is None:
        hint = "use a model whose template ends every assistant turn with a special token"
        raise UserError(f"the chat template ends a turn with {ending!r}, which no model stops at", hint=hint)
    return ids[: last + 1]  # a line break after the token belongs to the next turn


class ChatEncoder:
    """`prompt_ids` and `response_ids` of many at once; the template's texts are tokenised only once."""

    def __init__(self, tokenizer: PreTrainedTokenizerBase) -> None:
        self._tokenizer = tokenizer
        self._template = str(tokenizer.get_chat_template())
        self._names = tokenizer.special_tokens_map
        self._control = {token for token, added in tokenizer.added_tokens_decoder.items() if added.special}
        self._own = functools.cache(lambda text: self._encode([text], plain=False)[0])

    def prompts(self, systems: Sequence[str], instructions: Sequence[str]) -> list[list[int]]:
        """Ids of each pair's prompt, up to where the answer begins."""
        pieces = [
            segments(self._template, _messages(*said), generation_prompt=True, tokens=self._names)
            for said in zip(systems, instructions, strict=True)
        ]
        texts = ["".join(text for text, _ in row) for row in pieces]
        whole = dict(zip(texts, self._encode(texts, plain=False), strict=True))

        def parsed(text: str) -> list[int]:
            return whole[text] if text in whole else self._own(text)

        return [
            tokenise(row, parsed, lambda text: self._encode([text], plain=True)[0], self._control)
            for row in pieces
        ]

    def responses(self, texts: Sequence[str]) -> list[list[int]]:
        """Ids of each answer, with the tokens that end its turn."""
        end = end_ids(self._tokenizer)
        return [ids + end for ids in self._encode(texts, plain=True)]

    def _encode(self, texts: Sequence[str], *, plain: bool) -> list[list[int]]:
        if not texts:
            return []
        found: list[list[int]] = self._tokenizer(
            list(texts),
            add_special_tokens=False,
            return_attention_mask=False,
            split_special_tokens=plain,
        )["input_ids"]
        return found
