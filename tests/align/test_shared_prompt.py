"""A prompt that is computed once for several answers gives the log-probs and gradients of single rows."""

from typing import Any

import pytest
import torch
from torch import Tensor
from transformers import LlamaConfig, LlamaForCausalLM
from trl.trainer.utils import add_fused_lm_head

from rectune.align.shared_prompt import PromptSharing, shared_rows

PROMPTS = ([5, 6, 7, 8, 9], [5, 6, 7], [11])
ANSWERS = {0: ([1, 2, 3], [2, 4], [3]), 1: ([8, 9],), 2: ([1, 1, 2, 3], [5])}


def model(**changes: Any) -> LlamaForCausalLM:
    torch.manual_seed(3)
    sizes = {"hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 2, "num_attention_heads": 4}
    made = LlamaForCausalLM(LlamaConfig(vocab_size=24, num_key_value_heads=2, **sizes, **changes))
    add_fused_lm_head(made, outputs=("log_probs", "entropy"))
    return made


def watched(made: LlamaForCausalLM) -> list[tuple[int, ...]]:
    """The shapes of what the layers are given, as they come."""
    seen: list[tuple[int, ...]] = []
    made.model.embed_tokens.register_forward_hook(lambda _, given, out: seen.append(tuple(given[0].shape)))
    return seen


def batch() -> dict[str, Tensor]:
    """Six rows in an order that parts those of one prompt, as a batch of pairs does."""
    pairs = [(PROMPTS[at], answer) for at, answers in ANSWERS.items() for answer in answers]
    pairs = [pairs[at] for at in (0, 4, 3, 1, 5, 2)]
    width = max(len(prompt) + len(answer) for prompt, answer in pairs)

    def table(rows: list[list[int]], filling: int) -> Tensor:
        return torch.tensor([row + [filling] * (width - len(row)) for row in rows])

    return {
        "input_ids": table([[*prompt, *answer] for prompt, answer in pairs], 0),
        "attention_mask": table([[1] * (len(prompt) + len(answer)) for prompt, answer in pairs], 0),
        "labels": table([[-100] * len(prompt) + list(answer) for prompt, answer in pairs], -100),
    }


@pytest.mark.parametrize("attention", ["sdpa", "blocks"])
def test_log_probs_and_gradients_are_those_of_single_rows(attention: str) -> None:
    from rectune.models.attention import register_blocks

    register_blocks()
    found = []
    for shared in (False, True):
        made = model(attn_implementation=attention)
        if shared:
            PromptSharing(made).on = True
        seen = watched(made)
        outputs = made(**batch(), inputs_embeds=None, use_cache=False, fused_lm_head=True)
        assert seen == [(3, 10) if shared else (6, 8)]  # rows, tokens
        (outputs.log_probs.sum(dim=1) * torch.arange(1.0, 7.0)).sum().backward()
        gradients = torch.cat([value.grad.reshape(-1) for value in made.parameters()])
        found.append((outputs.log_probs, outputs.entropy, outputs.label_mask, gradients))
    for single, together in zip(*found, strict=True):
        torch.testing.assert_close(together, single, atol=1e-5, rtol=1e-4)


def test_a_prompt_stands_once_and_answers_see_it_and_themselves() -> None:
    rows = shared_rows(**batch())
    assert rows is not None
    first = [5, 6, 7, 8, 9, 1, 2, 9, 2, 9]  # the last answers' last tokens are only predicted
    assert rows.inputs["input_ids"][0].tolist() == first
    assert rows.inputs["position_ids"][0].tolist() == [0, 1, 2, 3, 4, 5, 6, 4, 5, 4]
    assert rows.inputs["attention_mask"][0, 0, 8].tolist() == [True] * 4 + [False] * 3 + [True] * 2 + [False]


def test_rows_of_different_prompts_are_left_as_they_are() -> None:
    rows = {name: value[[0, 1, 2]] for name, value in batch().items()}
    assert shared_rows(**rows) is None


def test_a_model_with_sliding_windows_is_left_as_it_is() -> None:
    made = model()
    made.config.layer_types = ["sliding_attention", "full_attention"]
    before = made.forward
    assert not PromptSharing(made).possible and made.forward == before
