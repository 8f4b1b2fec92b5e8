"""`rectune.models.logprob_parity.AnswerLogprobs` of every form that an export takes: adapter model, merged
checkpoint, GGUF file.
"""

from __future__ import annotations

import ctypes
import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rectune.core.errors import RectuneError
from rectune.core.settings import EngineConfig, ModelsConfig
from rectune.inference.context import ROWS, Context
from rectune.inference.vocabulary import opened_vocabulary
from rectune.models.logprob_parity import AnswerLogprobs, answer_rows
from rectune.release.parity_texts import Conversation

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_SPARE = 16  # tokens of room beyond the longest conversation


def rows_of_adapter(checkpoint: Path, adapter: Path, conversations: Sequence[Conversation]) -> AnswerLogprobs:
    """Of the model that was trained: the base in the form it was trained in, the adapter on top; float32
    arithmetic.
    """
    from rectune.models.loading import load_for_training, load_tokenizer, open_adapter, trained_in_4bit

    base = load_for_training(
        checkpoint, ModelsConfig(load_in_4bit=trained_in_4bit(adapter), compute_dtype="float32")
    )
    model = open_adapter(base, adapter, trainable=False).eval()
    return answer_rows(model, load_tokenizer(checkpoint), _pairs(conversations))


def rows_of_checkpoint(checkpoint: Path, conversations: Sequence[Conversation]) -> AnswerLogprobs:
    """Of an ordinary checkpoint, in float32; what accelerator and memory cannot hold stays on disk."""
    import torch
    from transformers import AutoModelForCausalLM

    from rectune.models.loading import load_tokenizer

    model = AutoModelForCausalLM.from_pretrained(
        checkpoint, dtype=torch.float32, device_map="auto", local_files_only=True, trust_remote_code=False
    ).eval()
    return answer_rows(model, load_tokenizer(checkpoint), _pairs(conversations))


def rows_of_gguf(
    model: Path, conversations: Sequence[Conversation], adapter: Path | None = None
) -> AnswerLogprobs:
    """Of a GGUF file as llama.cpp computes with it, with an adapter's GGUF file on it if one is given.

    Raises:
        RectuneError: llama.cpp does not take the adapter.
    """
    import numpy as np

    engine = EngineConfig(context=_longest(model, conversations) + _SPARE, max_num_seqs=1, weights="file")
    context = Context(model, engine) if adapter is None else _Adapted(model, engine, adapter)
    try:
        found = [_answered(context, conversation) for conversation in conversations]
    finally:
        context.close()
    tokens = [token for ids, _ in found for token in ids]
    return AnswerLogprobs(np.array(tokens, np.int64), np.concatenate([logs for _, logs in found]))


class _Adapted(Context):
    """A context whose model has a LoRA adapter on, at full strength."""

    def __init__(self, path: Path, engine: EngineConfig, adapter: Path) -> None:
        import llama_cpp

        super().__init__(path, engine)
        loaded = llama_cpp.llama_adapter_lora_init(self.model, os.fsencode(adapter))
        if not loaded:
            self.close()
            raise RectuneError(f"{adapter}: llama.cpp cannot put it onto {path}")
        self._adapters = (llama_cpp.llama_adapter_lora_p_ctypes * 1)(loaded)
        code = llama_cpp.llama_set_adapters_lora(self._context, self._adapters, 1, (ctypes.c_float * 1)(1.0))
        if code:
            self.close()
            raise RectuneError(f"{adapter}: llama.cpp did not set it (code {code})")


def _answered(context: Context, conversation: Conversation) -> tuple[list[int], NDArray[np.float32]]:
    """An answer's tokens, and the log-probabilities [tokens, vocabulary] at each."""
    import numpy as np

    prompt = context.vocabulary.prompt(conversation.messages)
    tail = context.vocabulary.plain(conversation.answer)
    context.hold(prompt, output=True)
    logs = [context.log_probabilities(-1)]
    context.share(0)
    for start in range(0, len(tail) - 1, ROWS):
        piece = tail[start : min(start + ROWS, len(tail) - 1)]
        context.batch.clear()
        last = context.batch.add(piece, len(prompt) + start, 0, output=len(piece))
        context.evaluate()
        logs += [context.log_probabilities(row) for row in range(last + 1 - len(piece), last + 1)]
    context.drop(0)
    return tail, np.array(logs, np.float32)


def _longest(model: Path, conversations: Sequence[Conversation]) -> int:
    """Tokens of the longest conversation, answer included."""
    with opened_vocabulary(model) as vocabulary:
        return max(
            len(vocabulary.prompt(c.messages)) + len(vocabulary.plain(c.answer)) for c in conversations
        )


def _pairs(conversations: Sequence[Conversation]) -> list[tuple[Any, str]]:
    return [(conversation.messages, conversation.answer) for conversation in conversations]
