"""Do GGUF file and checkpoint split texts into the same tokens?"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from rectune.core.figures.models import TokenParity
from rectune.inference.vocabulary import Vocabulary, opened_vocabulary
from rectune.release.parity_texts import HARD_TEXTS, MIXED, Conversation

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

_BATCH = 4096  # texts a call of the tokenizer
_SHOWN = 20  # differing texts that are kept word for word


def token_parity(checkpoint: Path, gguf: Path, conversations: Sequence[Conversation] = ()) -> TokenParity:
    """Compare the two tokenizers on hard texts, on every token's own text, and on whole conversations.

    Hard texts are split twice, with special tokens as plain letters and parsed. Among them is every special
    token of the vocabulary, alone and between letters.

    `control` counts special tokens that are not one and the same token to both when parsed, or are one when
    they should be letters.
    """
    from rectune.models.loading import load_tokenizer

    tokenizer = load_tokenizer(checkpoint)
    special = {int(t): str(added) for t, added in tokenizer.added_tokens_decoder.items() if added.special}
    hard = [*HARD_TEXTS, MIXED, *special.values(), *(f"a{text}b {text}" for text in special.values())]
    with opened_vocabulary(gguf) as theirs:
        own = _own_texts(tokenizer)
        differing = _differing(tokenizer, theirs, own, parsed=False)
        differing += [
            text for way in (True, False) for text in _differing(tokenizer, theirs, hard, parsed=way)
        ]
        differing += _conversations(tokenizer, theirs, conversations)
        control = sum(theirs.parsed(text) != [token] for token, text in special.items())
        control += sum(theirs.plain(text) == [token] for token, text in special.items())
    differing = list(dict.fromkeys(differing))
    return TokenParity(
        texts=len(hard),
        vocabulary=len(own),
        differing=tuple(differing[:_SHOWN]),
        differing_count=len(differing),
        control=control,
    )


def _own_texts(tokenizer: PreTrainedTokenizerBase) -> list[str]:
    """The text of every ordinary token; half a character has none."""
    special = {token for token, added in tokenizer.added_tokens_decoder.items() if added.special}
    ids = [[token] for token in range(len(tokenizer)) if token not in special]
    texts: list[str] = tokenizer.batch_decode(ids, clean_up_tokenization_spaces=False)
    return [text for text in texts if text and "\ufffd" not in text]


def _differing(
    tokenizer: PreTrainedTokenizerBase, theirs: Vocabulary, texts: Sequence[str], *, parsed: bool
) -> list[str]:
    """The texts whose ids differ, with special tokens parsed or taken as letters."""
    found, split = [], theirs.parsed if parsed else theirs.plain
    for start in range(0, len(texts), _BATCH):
        batch = list(texts[start : start + _BATCH])
        ours = tokenizer(batch, add_special_tokens=False, split_special_tokens=not parsed)["input_ids"]
        found += [text for text, ids in zip(batch, ours, strict=True) if list(ids) != split(text)]
    return found


def _conversations(
    tokenizer: PreTrainedTokenizerBase, theirs: Vocabulary, conversations: Sequence[Conversation]
) -> list[str]:
    """The first words of conversations whose prompts differ: chat templates count too."""
    from rectune.models.chat import encode

    return [
        conversation.messages[-1][1][:80]
        for conversation in conversations
        if encode(tokenizer, conversation.messages, generation_prompt=True)
        != theirs.prompt(conversation.messages)
    ]
