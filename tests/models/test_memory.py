"""The arithmetic of memory: small models counted by hand, and what PyTorch and bitsandbytes really keep."""

import functools
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from transformers import AutoConfig, AutoModelForCausalLM, PretrainedConfig

from rectune.core.errors import UserError
from rectune.core.settings import LoraSection, ModelsConfig, TrainingConfig
from rectune.models.loading import add_lora, load_for_training
from rectune.models.memory import (
    TrainingSetup,
    TrainingStep,
    estimate,
    step_flops,
    trained_bytes,
    weight_bytes,
)
from rectune.models.meta_model import MetaModel

SMALL = {
    "hidden_size": 4,
    "intermediate_size": 8,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "num_key_value_heads": 1,
    "vocab_size": 10,
    "tie_word_embeddings": True,
}
LLAMA_7B = {
    "hidden_size": 4096,
    "intermediate_size": 11008,
    "num_hidden_layers": 32,
    "num_attention_heads": 32,
    "num_key_value_heads": 32,
    "vocab_size": 32000,
    "tie_word_embeddings": False,
}
WIDTHS = {
    "hidden_size": 64,
    "intermediate_size": 160,
    "num_hidden_layers": 3,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "head_dim": 16,
    "vocab_size": 97,
}
EXPERTS = {"moe_intermediate_size": 64, "num_experts": 4, "num_experts_per_tok": 2}
CPU, GPU = (4, False), (2, True)  # bytes an element of activations, and whether it is a GPU


def config(kind: str, **widths: Any) -> PretrainedConfig:
    return AutoConfig.for_model(kind, **widths)


@functools.cache
def small(precision: int, gpu: bool, targets: str = "all-linear") -> MetaModel:
    chosen: str | list[str] = targets if targets == "all-linear" else targets.split()
    return MetaModel(
        config("llama", **SMALL), LoraSection(r=2, lora_dropout=0.0, target_modules=chosen), precision, gpu
    )


@functools.cache
def llama_7b() -> MetaModel:
    return MetaModel(config("llama", **LLAMA_7B), LoraSection(r=16), *GPU)


def training(world: int = 1, *, reference: bool = False, **settings: Any) -> TrainingSetup:
    plain = {"zero_stage": 0, "gradient_checkpointing": False}
    return TrainingSetup(TrainingConfig.model_validate(plain | settings), world, reference)


def test_weights_of_a_small_model_counted_by_hand() -> None:
    # One block: q 4x4, k and v 4x2, o 4x4, gate, up and down 4x8: 16 + 8 + 8 + 16 + 3 * 32 = 144.
    assert sum(small(*CPU).in_4bit) == 2 * 144
    assert small(*CPU).parameters == 2 * 144 + 10 * 4 + 5 * 4  # one table, five norms
    assert weight_bytes(small(*CPU), ModelsConfig(load_in_4bit=False)) == 4 * (288 + 60)
    quantised = weight_bytes(small(*GPU), ModelsConfig(load_in_4bit=True))
    assert quantised == round(288 * (0.5 + 1 / 64 + 1 / 4096)) + 2 * 60


def test_adapters_counted_by_hand() -> None:
    # r times inputs and outputs: 8 + 6 + 6 + 8 + 12 + 12 + 12 = 64 a block.
    assert small(*CPU).adapters == 2 * 2 * 64
    assert small(*CPU, "q_proj v_proj").adapters == 2 * 2 * (8 + 6)


def test_a_7b_llama_has_the_published_sizes() -> None:
    assert llama_7b().parameters == 6_738_415_616  # as its paper and checkpoint have it
    assert llama_7b().adapters == 39_976_960  # what peft prints for all-linear
    assert 3.5 * 2**30 < weight_bytes(llama_7b(), ModelsConfig()) < 3.7 * 2**30


@pytest.mark.parametrize(
    ("zero", "here", "optimiser"),
    [(0, 4 + 4, 8), (1, 2 + 2, 12 / 4), (2, 2 + 2 / 4, 12 / 4), (3, (2 + 2) / 4, 12 / 4)],
)
def test_zero_divides_what_is_trained(zero: int, here: float, optimiser: float) -> None:
    """Bytes per element on four processes: 16-bit adapters and gradients, Adam, DeepSpeed's float32 copy."""
    assert trained_bytes(small(*GPU), training(4, zero_stage=zero)) == {
        "here": here * small(*GPU).adapters,
        "optimiser": optimiser * small(*GPU).adapters,
    }


def test_dpo_holds_a_second_adapter() -> None:
    alone, both = (trained_bytes(small(*CPU), training(reference=r))["here"] for r in (False, True))
    assert both - alone == 4 * small(*CPU).adapters


def test_offload_moves_bytes_to_the_host_and_loses_none() -> None:
    model, step = llama_7b(), TrainingStep(1, 512, 100)
    plain = estimate(model, ModelsConfig(), training(4, zero_stage=3), step, 0)
    optimiser = estimate(model, ModelsConfig(), training(4, zero_stage=3, offload="optimizer"), step, 0)
    both = estimate(model, ModelsConfig(), training(4, zero_stage=3, offload="parameters"), step, 0)
    for moved in (optimiser, both):
        assert moved.total + sum(moved.host.values()) == plain.total
    assert set(optimiser.host) == {"optimiser"} and set(both.host) == {"optimiser", "weights"}
    assert both.host["weights"] == pytest.approx(weight_bytes(model, ModelsConfig()) / 4, abs=1)


def test_checkpointing_keeps_the_inputs_of_the_blocks_and_one_block() -> None:
    kept = {
        on: estimate(
            llama_7b(), ModelsConfig(), training(gradient_checkpointing=on), TrainingStep(2, 1024, 100), 0
        )
        for on in (False, True)
    }
    blocks = llama_7b().forward(2, 1024).blocks
    assert len(blocks) == 32 and len(set(blocks[1:])) == 1
    saved = kept[False].device["activations"] - kept[True].device["activations"]
    assert saved == sum(blocks[:-1]) - 32 * 4096 * 2 * 2048


@settings(max_examples=25, deadline=None)
@given(st.integers(1, 8), st.integers(16, 512), st.sampled_from([0, 1, 2, 3]), st.integers(1, 8))
def test_more_rows_and_longer_rows_never_take_less(rows: int, length: int, zero: int, world: int) -> None:
    sizes = [
        estimate(
            small(*GPU), ModelsConfig(), training(world, zero_stage=zero), TrainingStep(r, n, r * n // 2), 0
        ).total
        for r, n in ((rows, length), (rows + 1, length), (rows + 1, length + 16))
    ]
    assert sizes == sorted(sizes)


def test_operations_of_a_step_counted_by_hand() -> None:
    # 288 + 40 weights and 2 * 4 * 3 of attention, four times; 256 adapter elements six times.
    assert step_flops(small(*CPU), training(), tokens=1, length=3) == 4 * (288 + 40 + 24) + 6 * 256
    checkpointed = step_flops(small(*CPU), training(gradient_checkpointing=True), tokens=1, length=3)
    assert checkpointed == 6 * (288 + 40 + 24) + 8 * 256


def test_only_the_chosen_experts_are_computed() -> None:
    """Of four experts a token sees two: three matrices of 64 x 64 each, beside attention and the router."""
    model = MetaModel(config("qwen3_moe", **WIDTHS | EXPERTS), LoraSection(target_modules=["q_proj"]), *CPU)
    attention = 64 * 64 + 64 * 32 + 64 * 32 + 64 * 64
    assert model.forward(1, 8).products == 3 * 8 * (attention + 64 * 4 + 2 * 3 * 64 * 64)


def test_what_is_no_language_model_is_refused() -> None:
    with pytest.raises(UserError, match=r"(?s)cannot be estimated.*T5Config"):
        MetaModel(config("t5"), LoraSection(), *CPU)


def test_a_model_that_cannot_be_followed_without_values_is_refused() -> None:
    bloom = config("bloom", hidden_size=8, n_layer=1, n_head=2, vocab_size=10)
    with pytest.raises(UserError, match="bloom: memory cannot be estimated"):
        MetaModel(bloom, LoraSection(), *CPU).forward(1, 8)


def test_dropout_on_experts_is_refused_as_the_stage_would() -> None:
    with pytest.raises(UserError, match="dropout"):
        MetaModel(config("qwen3_moe", **WIDTHS | EXPERTS), LoraSection(lora_dropout=0.1), *CPU)


ATTENTION = ["q_proj", "v_proj"]


@pytest.mark.parametrize(
    ("kind", "widths", "lora"),
    [
        ("llama", {}, LoraSection(r=8, lora_dropout=0.0)),
        ("llama", {}, LoraSection(r=8, lora_dropout=0.1)),
        ("llama", {"num_key_value_heads": 4}, LoraSection(r=8, lora_dropout=0.1)),
        ("phi3", {"pad_token_id": 0}, LoraSection(r=8, lora_dropout=0.1)),
        ("gemma2", {}, LoraSection(r=8, lora_dropout=0.1)),
        ("qwen3_moe", EXPERTS, LoraSection(r=8, lora_dropout=0.0)),
        ("qwen3_moe", EXPERTS, LoraSection(r=8, lora_dropout=0.1, target_modules=ATTENTION)),
        ("mixtral", {"num_local_experts": 4}, LoraSection(r=8, lora_dropout=0.1, target_modules=ATTENTION)),
    ],
)
def test_a_forward_pass_keeps_what_pytorch_saves(
    kind: str, widths: dict[str, Any], lora: LoraSection
) -> None:
    built = config(kind, **WIDTHS | widths)
    counted = MetaModel(built, lora, *CPU).forward(2, 50)
    assert sum(counted.blocks) + counted.outside == pytest.approx(saved_bytes(built, lora), rel=0.002)


def saved_bytes(built: PretrainedConfig, lora: LoraSection) -> int:
    """Bytes that autograd keeps of a decoder's forward pass over two rows of 50 tokens, one padded."""
    model = add_lora(AutoModelForCausalLM.from_config(built), lora, 0).train()
    held = {one.untyped_storage().data_ptr() for one in [*model.parameters(), *model.buffers()]}
    kept: dict[int, torch.UntypedStorage] = {}

    def keep(tensor: torch.Tensor) -> torch.Tensor:
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in held:
            kept[storage.data_ptr()] = storage
        return tensor

    mask = torch.ones(2, 50, dtype=torch.long)
    mask[1, -3:] = 0
    ids = torch.zeros(2, 50, dtype=torch.long)
    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        states = model.get_base_model().get_decoder()(input_ids=ids, attention_mask=mask, use_cache=False)
        size = sum(storage.nbytes() for storage in kept.values())
    assert states.last_hidden_state.requires_grad
    return size


@pytest.mark.parametrize(
    ("kind", "widths"), [("qwen3_moe", EXPERTS), ("mixtral", {"num_local_experts": 4}), ("llama", {})]
)
@pytest.mark.parametrize("load_in_4bit", [True, False])
def test_weights_are_those_of_the_loaded_model(
    kind: str, widths: dict[str, Any], load_in_4bit: bool, tmp_path: Path
) -> None:
    """Experts that are one tensor per block are not quantised; NF4's lookup tables are left out."""
    built, models = config(kind, **WIDTHS | widths), ModelsConfig(load_in_4bit=load_in_4bit)
    AutoModelForCausalLM.from_config(built).save_pretrained(tmp_path)
    loaded = load_for_training(tmp_path, models)
    counted = MetaModel(built, LoraSection(target_modules=ATTENTION), *CPU)
    in_4bit = [one for one in loaded.parameters() if getattr(one, "quant_state", None) is not None]
    assert bool(in_4bit) == load_in_4bit
    elements = {id(one): one.quant_state.shape.numel() for one in in_4bit}
    assert counted.parameters == sum(elements.get(id(one), one.numel()) for one in loaded.parameters())
    held = sum(one.nbytes for one in loaded.parameters())
    states = [one.quant_state for one in in_4bit]
    scales = sum(state.absmax.nbytes + state.state2.absmax.nbytes for state in states)
    assert weight_bytes(counted, models) == pytest.approx(held + scales, rel=0.002)
