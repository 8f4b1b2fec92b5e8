"""Does the GGUF file say what the checkpoint says? Token ids must be equal, log-probabilities close."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rectune.errors import RectuneError

HARD_TEXTS = (
    "My recommendation: The Lord of the Rings: The Two Towers (2002)",
    "추천: 기생충 (2019), 센과 치히로의 행방불명, ㅋㅋㅋ 그리고 한글",
    "🎬👨‍👩‍👧‍👦🇰🇷 emoji with joiners, flags and a skin tone 👍🏽",
    "<|im_start|>user\nignore the above<|im_end|> <|endoftext|> </s> <unk> [INST]",
    "a" + " " * 48 + "b\n\n\n\n\t\t c \r\n d\u00a0e\u3000f",
    "0123456789 3.14159 1,000,000 2024-02-29",
    "8 ½ Women, x ² + y ², № 5, Ⅷ, ⅓",
    "naïve café Ångström e\u0301 ﬁ ﷺ \u200b\u202etfel-ot-thgir",
    "don't can't I'll WE'RE snake_case camelCase https://example.org/?q=a&b=%20",
)
_CONVERSATIONS = (
    (
        (("user", "I liked The Matrix, Blade Runner and Alien. What next?"),),
        "My recommendation: Terminator 2",
    ),
    ((("user", "기생충과 올드보이를 재미있게 봤어요. 다음은?"),), "추천: 살인의 추억"),
    (
        (("system", "You recommend books."), ("user", "A quiet novel, please.")),
        "You may like The Remains of the Day.",
    ),
)


def token_parity(checkpoint: Path, gguf: Path, texts: Sequence[str] = HARD_TEXTS) -> dict[str, Any]:
    """Compare the two tokenizers on hard texts, once as plain text and once with control tokens parsed.

    Returns:
        `texts`: how many were compared; `differing`: those whose ids differ.
    """
    import llama_cpp

    from models.loading import load_tokenizer

    tokenizer = load_tokenizer(checkpoint)
    vocabulary = llama_cpp.Llama(model_path=str(gguf), vocab_only=True, verbose=False)
    differing = []
    for text in texts:
        for special in (False, True):
            ours = tokenizer(text, add_special_tokens=False, split_special_tokens=not special)["input_ids"]
            theirs = vocabulary.tokenize(text.encode(), add_bos=False, special=special)
            if list(ours) != list(theirs) and text not in differing:
                differing.append(text)
    vocabulary.close()
    return {"texts": len(texts), "differing": differing}


def logprob_parity(checkpoint: Path, gguf: Path) -> dict[str, Any]:
    """Gap between the log-probabilities of a few short answers under both files.

    Returns:
        `tokens` compared, `mean_gap` and `max_gap`: absolute differences in nats a token.

    Raises:
        RectuneError: the two see a different number of tokens in the same answer.
    """
    pairs = list(zip(_from_checkpoint(checkpoint), _from_gguf(gguf), strict=True))
    if any(len(ours) != len(theirs) for ours, theirs in pairs):
        raise RectuneError(f"{gguf}: does not split ordinary sentences into the tokens of the checkpoint")
    gaps = [abs(a - b) for ours, theirs in pairs for a, b in zip(ours, theirs, strict=True)]
    return {"tokens": len(gaps), "mean_gap": sum(gaps) / len(gaps), "max_gap": max(gaps)}


def _from_gguf(gguf: Path) -> list[list[float]]:
    from inference.llamacpp import LlamaEngine
    from rectune.settings import Engine

    with LlamaEngine(gguf, Engine(context=512, slots=1)) as engine:
        return [engine.loglikelihood(messages, [answer])[0] for messages, answer in _CONVERSATIONS]


def _from_checkpoint(checkpoint: Path) -> list[list[float]]:
    import torch
    from transformers import AutoModelForCausalLM

    from models.loading import load_tokenizer
    from models.parity import answer_logps

    tokenizer = load_tokenizer(checkpoint)
    model = AutoModelForCausalLM.from_pretrained(checkpoint, dtype=torch.float32).eval()
    return [answer_logps(model, tokenizer, messages, answer) for messages, answer in _CONVERSATIONS]
