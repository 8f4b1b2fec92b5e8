"""A fast tokenizer made in a moment: byte-level BPE over a few words, with a special token."""

from typing import Any

WORDS = [
    "a good answer about a quiet film",
    "again again and again",
    "조용한 영화에 대한 좋은 답",
    "one two three",
]


def small_tokenizer() -> Any:
    """A transformers tokenizer; `</s>` is special, and it truncates and pads unless told otherwise."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast

    core = Tokenizer(models.BPE())
    core.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    core.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    core.train_from_iterator(
        WORDS,
        trainers.BpeTrainer(
            vocab_size=320, initial_alphabet=alphabet, special_tokens=["</s>"], show_progress=False
        ),
    )
    core.enable_truncation(3)
    core.enable_padding(length=5)
    return PreTrainedTokenizerFast(tokenizer_object=core, eos_token="</s>", pad_token="</s>")
