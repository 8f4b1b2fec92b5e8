"""Token ids of what is trained on: a prompt as the chat template renders it, an assistant's turn to its end.

Titles and answers are data from elsewhere and may hold anything, `<|im_end|>` included. Message contents are
therefore never parsed for control tokens; only the template's own text is.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from models.chat import encode, end_of_turn
from rectune.errors import UserError
from rectune.types import Prompt

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase


def prompt_ids(tokenizer: PreTrainedTokenizerBase, prompt: Prompt) -> list[int]:
    """System message (where there is one) and instruction, up to where the assistant's answer begins."""
    system = [("system", prompt.system)] if prompt.system else []
    return encode(tokenizer, [*system, ("user", prompt.instruction)], generation_prompt=True)


def response_ids(tokenizer: PreTrainedTokenizerBase, text: str) -> list[int]:
    """An answer as plain text and the control tokens that end its turn; a model learns to stop by them."""
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
        mend = "use a model whose template ends every assistant turn with a special token"
        raise UserError(f"the chat template ends a turn with {ending!r}, which no model stops at", mend=mend)
    return ids[: last + 1]  # a line break after the token belongs to the next turn
