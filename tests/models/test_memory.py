"""The arithmetic of memory: small shapes counted by hand, and what PyTorch really keeps."""

from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from rectune.core.errors import UserError
from rectune.core.settings import Lora, Models, Optimisation
from rectune.models.memory import (
    Place,
    Step,
    Training,
    adapter_parameters,
    block_bytes,
    estimate,
    step_flops,
    trained_bytes,
    weight_bytes,
)
from rectune.models.shape import Shape, read_shape

CPU, GPU = Place(gpu=False, precision=4, overhead=0), Place(gpu=True, precision=2, overhead=0)
SMALL = Shape(hidden=4, inner=8, layers=2, heads=2, key_heads=1, head_size=2, vocabulary=10, tied=True)
LLAMA_7B = {
    "hidden_size": 4096,
    "intermediate_size": 11008,
    "num_hidden_layers": 32,
    "num_attention_heads": 32,
    "num_key_value_heads": 32,
    "vocab_size": 32000,
    "tie_word_embeddings": False,
}


def training(
    world: int = 1, *, lora: Lora | None = None, reference: bool = False, **settings: Any
) -> Training:
    plain = {"zero": 0, "gradient_checkpointing": False}
    optimisation = Optimisation.model_validate(plain | settings)
    return Training(optimisation, lora or Lora(r=2, dropout=0.0), world, reference)


def test_weights_of_a_small_model_counted_by_hand() -> None:
    # One block: q 4x4, k and v 4x2, o 4x4, gate, up and down 4x8: 16 + 8 + 8 + 16 + 3 * 32 = 144.
    assert SMALL.linear_parameters == 2 * 144
    assert SMALL.other_parameters == 10 * 4 + 5 * 4  # one table, five norms
    full = weight_bytes(SMALL, Models(load_in_4bit=False), CPU)
    assert full == 4 * (288 + 60)
    quantised = weight_bytes(SMALL, Models(load_in_4bit=True), GPU)
    assert quantised == round(288 * (0.5 + 1 / 64 + 1 / 4096)) + 2 * 60


def test_adapters_counted_by_hand() -> None:
    # r times inputs and outputs: 8 + 6 + 6 + 8 + 12 + 12 + 12 = 64 a block.
    assert adapter_parameters(SMALL, Lora(r=2)) == 2 * 2 * 64
    assert adapter_parameters(SMALL, Lora(r=2, targets=["q_proj", "v_proj"])) == 2 * 2 * (8 + 6)


def test_a_7b_llama_has_the_published_sizes() -> None:
    shape = read_shape(LLAMA_7B, "config")
    assert shape.parameters == 6_738_415_616  # as its paper and checkpoint have it
    assert adapter_parameters(shape, Lora(r=16)) == 39_976_960  # what peft prints for all-linear
    nf4 = weight_bytes(shape, Models(), GPU)
    assert 3.5 * 2**30 < nf4 < 3.7 * 2**30


@pytest.mark.parametrize(
    ("zero", "here", "optimiser"),
    [(0, 4 + 4, 8), (1, 2 + 2, 12 / 4), (2, 2 + 2 / 4, 12 / 4), (3, (2 + 2) / 4, 12 / 4)],
)
def test_zero_divides_what_is_trained(zero: int, here: float, optimiser: float) -> None:
    """Bytes an element on four processes: 16-bit adapters and gradients, Adam and, under DeepSpeed, a float32 copy."""
    assert trained_bytes(1000, training(4, zero=zero), GPU) == {
        "here": here * 1000,
        "optimiser": optimiser * 1000,
    }


def test_dpo_holds_a_second_adapter() -> None:
    alone, both = (trained_bytes(1000, training(reference=r), CPU)["here"] for r in (False, True))
    assert both - alone == 4000


def test_offload_moves_bytes_to_the_host_and_loses_none() -> None:
    shape, step = read_shape(LLAMA_7B, "config"), Step(1, 512, 100)
    plain = estimate(shape, Models(), training(4, zero=3), step, GPU)
    optimiser = estimate(shape, Models(), training(4, zero=3, offload="optimizer"), step, GPU)
    both = estimate(shape, Models(), training(4, zero=3, offload="parameters"), step, GPU)
    for moved in (optimiser, both):
        assert moved.total + sum(moved.host.values()) == plain.total
    assert set(optimiser.host) == {"optimiser"} and set(both.host) == {"optimiser", "weights"}
    assert both.host["weights"] == pytest.approx(weight_bytes(shape, Models(), GPU) / 4, abs=1)


def test_checkpointing_keeps_the_inputs_of_the_blocks_and_one_block() -> None:
    shape, step = read_shape(LLAMA_7B, "config"), Step(2, 1024, 100)
    kept = {
        on: estimate(shape, Models(), training(gradient_checkpointing=on), step, GPU).device["activations"]
        for on in (False, True)
    }
    block = block_bytes(shape, training(), GPU, 1024) * 2048
    assert kept[False] - kept[True] == 31 * block - 32 * 4096 * 2 * 2048


@given(st.integers(1, 8), st.integers(16, 512), st.sampled_from([0, 1, 2, 3]), st.integers(1, 8))
def test_more_rows_and_longer_rows_never_take_less(rows: int, length: int, zero: int, world: int) -> None:
    job = training(world, zero=zero)
    sizes = [
        estimate(SMALL, Models(), job, Step(r, n, r * n // 2), GPU).total
        for r, n in ((rows, length), (rows + 1, length), (rows + 1, length + 16))
    ]
    assert sizes == sorted(sizes)


def test_operations_of_a_step_counted_by_hand() -> None:
    # 288 + 40 weights and 2 * 4 * 3 of attention, four times; 256 adapter elements six times.
    assert step_flops(SMALL, training(), tokens=1, length=3) == 4 * (288 + 40 + 24) + 6 * 256
    checkpointed = step_flops(SMALL, training(gradient_checkpointing=True), tokens=1, length=3)
    assert checkpointed == 6 * (288 + 40 + 24) + 8 * 256


@pytest.mark.parametrize("config", [{"hidden_size": 4}, LLAMA_7B | {"num_local_experts": 8}])
def test_other_kinds_of_models_are_refused(config: dict[str, Any]) -> None:
    with pytest.raises(UserError, match="cannot be estimated"):
        read_shape(config, "config.json")


@pytest.mark.parametrize("dropout", [0.0, 0.1])
@pytest.mark.parametrize("key_heads", [2, 4])
def test_a_block_keeps_what_pytorch_saves(dropout: float, key_heads: int) -> None:
    """Between one layer and three, so that embeddings and head fall out of the difference."""
    shape = Shape(64, 160, 1, 4, key_heads, 16, 97, tied=True)
    lora = Lora(r=8, dropout=dropout)
    saved = [saved_bytes(shape, lora, layers) for layers in (1, 3)]
    counted = block_bytes(shape, training(lora=lora), CPU, 50)
    assert (saved[1] - saved[0]) / 2 / 100 == pytest.approx(counted, rel=0.02)


def saved_bytes(shape: Shape, lora: Lora, layers: int) -> int:
    """Bytes that autograd keeps of a forward pass over two rows of 50 tokens, one of them padded."""
    from peft import LoraConfig, get_peft_model
    from transformers import LlamaConfig, LlamaForCausalLM

    config = LlamaConfig(
        hidden_size=shape.hidden,
        intermediate_size=shape.inner,
        num_hidden_layers=layers,
        num_attention_heads=shape.heads,
        num_key_value_heads=shape.key_heads,
        vocab_size=shape.vocabulary,
        use_cache=False,
    )
    settings = LoraConfig(
        r=lora.r, lora_dropout=lora.dropout, target_modules="all-linear", task_type="CAUSAL_LM"
    )
    model = get_peft_model(LlamaForCausalLM(config), settings).train()
    frozen = {parameter.untyped_storage().data_ptr() for parameter in model.parameters()}
    kept: dict[int, torch.UntypedStorage] = {}

    def keep(tensor: torch.Tensor) -> torch.Tensor:
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in frozen:
            kept[storage.data_ptr()] = storage
        return tensor

    mask = torch.ones(2, 50, dtype=torch.long)
    mask[1, -3:] = 0
    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        logits = model(input_ids=torch.zeros(2, 50, dtype=torch.long), attention_mask=mask).logits
        size = sum(storage.nbytes() for storage in kept.values())
    assert logits.requires_grad
    return size
