"""How close two forms of one model are: log-probabilities of the same answers, token by token."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rectune.core.errors import RectuneError
from rectune.core.figures.models import Divergence
from rectune.models.chat import encode

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


@dataclass(frozen=True)
class AnswerLogprobs:
    """Log-probabilities of one form of a model at every token of some answers.

    `tokens` [n] are the ids of all answers one after the other; `logs` [n, vocabulary]
    float32 the log-probabilities (nats) of all ids there could be.
    """

    tokens: NDArray[np.int64]
    logs: NDArray[np.float32]

    def save(self, path: Path) -> None:
        """Write to a file, which appears whole or not at all."""
        import numpy as np

        partial = path.with_name(path.name + ".partial")
        with partial.open("wb") as file:
            np.savez(file, tokens=self.tokens, logs=self.logs)
        partial.replace(path)

    @classmethod
    def load(cls, path: Path) -> AnswerLogprobs:
        """Read what `save` wrote."""
        import numpy as np

        with np.load(path, allow_pickle=False) as stored:
            return cls(stored["tokens"], stored["logs"])


def answer_rows(
    model: Any, tokenizer: Any, conversations: Sequence[tuple[Sequence[tuple[str, str]], str]]
) -> AnswerLogprobs:
    """`AnswerLogprobs` of a Hugging Face model for (messages, answer) pairs; see `answer_logps`."""
    import numpy as np

    tokens: list[int] = []
    logs = []
    for messages, answer in conversations:
        tail, scores = _scored(model, tokenizer, messages, answer)
        tokens += tail
        logs.append(scores.cpu().numpy())
    return AnswerLogprobs(np.array(tokens, np.int64), np.concatenate(logs))


def divergence(ours: AnswerLogprobs, theirs: AnswerLogprobs) -> Divergence:
    """How far the second form is from the first.

    Returns:
        Gaps are of the log-probabilities of the tokens that stand there; `kl` is of the second form's
        distribution over the vocabulary from the first's (Kullback and Leibler 1951). What is not a number,
        because a form is not, is None.

    Raises:
        RectuneError: the two do not see the same tokens.
    """
    import numpy as np

    if not np.array_equal(ours.tokens, theirs.tokens):
        raise RectuneError("the two models split the same answers into different tokens")
    size = min(ours.logs.shape[1], theirs.logs.shape[1])  # some checkpoints pad their vocabulary
    places = np.arange(len(ours.tokens)), ours.tokens
    gaps = np.abs(ours.logs[places].astype(np.float64) - theirs.logs[places])
    kl = [_kl(one[:size], other[:size]) for one, other in zip(ours.logs, theirs.logs, strict=True)]
    mean_gap, max_gap, mean_kl = (
        float(value) if np.isfinite(value) else None for value in (gaps.mean(), gaps.max(), np.mean(kl))
    )
    return Divergence(tokens=len(gaps), mean_gap=mean_gap, max_gap=max_gap, kl=mean_kl)


def _kl(one: NDArray[np.float32], other: NDArray[np.float32]) -> float:
    """sum of p ln(p/q) - p + q: no term is negative, so that rounded sums of p and q cannot make it so."""
    import numpy as np

    log_p, log_q = one.astype(np.float64), other.astype(np.float64)
    p, q = np.exp(log_p), np.exp(log_q)
    terms = np.where(p > 0.0, p * (log_p - log_q), 0.0) - p + q
    return max(0.0, float(terms.sum()))


def answer_logps(model: Any, tokenizer: Any, messages: Sequence[tuple[str, str]], answer: str) -> list[float]:
    """The log-probability (nats) of each token of an answer under a Hugging Face model.

    Args:
        model: a causal language model, adapters included; it is run as it is, without gradients.
        tokenizer: its fast tokenizer with a chat template.
        messages: (role, content) pairs before the answer.
        answer: taken as plain text; no part of it becomes a control token.
    """
    tail, logs = _scored(model, tokenizer, messages, answer)
    found: list[float] = [float(row[token]) for row, token in zip(logs, tail, strict=True)]
    return found


def _scored(
    model: Any, tokenizer: Any, messages: Sequence[tuple[str, str]], answer: str
) -> tuple[list[int], Any]:
    """An answer's token ids, and log-probabilities [ids, vocabulary] (float32) at each."""
    import torch

    prompt = encode(tokenizer, messages, generation_prompt=True)
    tail = tokenizer(answer, add_special_tokens=False, split_special_tokens=True)["input_ids"]
    ids = torch.tensor([[*prompt, *tail]], device=model.device)  # (1, tokens)
    with torch.inference_mode():
        logits = model(input_ids=ids).logits[0, len(prompt) - 1 : -1].float()  # row i predicts tail[i]
    return tail, torch.log_softmax(logits, dim=-1)


def gap(ours: Sequence[Sequence[float]], theirs: Sequence[Sequence[float]]) -> float:
    """Mean over answers of the absolute difference between the two means of log-probability a token (nats).

    Args:
        ours: per answer the log-probabilities of its tokens under one form of the model.
        theirs: the same under the other; an answer without tokens has no mean and is left out.

    Raises:
        ValueError: no answer has tokens, or the lists do not pair up.
    """
    pairs = [(a, b) for a, b in zip(ours, theirs, strict=True) if a and b]
    if not pairs:
        raise ValueError("no answer with tokens to compare")
    return sum(abs(sum(a) / len(a) - sum(b) / len(b)) for a, b in pairs) / len(pairs)
