"""A merged model computes what the adapter model did, and is what peft's own merge of a whole model makes."""

import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from peft import LoraConfig, PeftModel, get_peft_model
from safetensors.torch import load_file, save_file
from transformers import AutoModelForCausalLM

from rectune.core.errors import RectuneError, UserError
from rectune.core.settings import LoraSection, ModelsConfig
from rectune.models.loading import add_lora, load_for_training, load_tokenizer, note_base, open_adapter
from rectune.models.merge import merge_adapter
from tests.models.tiny import tiny_checkpoint

IDS = torch.tensor([[1, 520, 30, 700, 99, 2]])


def make_adapter(folder: Path, models: ModelsConfig) -> Path:
    """An adapter whose B is far from zero, so that it matters."""
    model = add_lora(load_for_training(tiny_checkpoint(), models), LoraSection(r=4, lora_dropout=0.0), seed=1)
    torch.manual_seed(2)
    for name, parameter in model.named_parameters():
        if "lora_B" in name:
            torch.nn.init.normal_(parameter, std=0.2)
    model.save_pretrained(str(folder), save_embedding_layers=False)
    note_base(folder, models)
    return folder


@pytest.mark.parametrize("four_bit", [True, False])
def test_merged_logits_are_those_of_the_adapter_model(tmp_path: Path, four_bit: bool) -> None:
    models = ModelsConfig(base="tiny", load_in_4bit=four_bit, compute_dtype="float32")
    adapter = make_adapter(tmp_path / "adapter", models)
    merge_adapter(tiny_checkpoint(), adapter, tmp_path / "merged")
    merged = AutoModelForCausalLM.from_pretrained(tmp_path / "merged")
    tuned = open_adapter(load_for_training(tiny_checkpoint(), models), adapter, trainable=False).eval()
    plain = AutoModelForCausalLM.from_pretrained(tiny_checkpoint())
    with torch.no_grad():
        wanted, found, untuned = (model(IDS).logits for model in (tuned, merged, plain))
    assert (found - wanted).abs().max() < 1e-4
    assert (untuned - wanted).abs().max() > 1e-2  # the adapter matters, so the agreement means something


def test_a_merged_folder_is_an_ordinary_checkpoint(tmp_path: Path) -> None:
    adapter = make_adapter(tmp_path / "adapter", ModelsConfig(base="tiny", compute_dtype="float32"))
    merge_adapter(tiny_checkpoint(), adapter, tmp_path / "merged")
    merged = AutoModelForCausalLM.from_pretrained(tmp_path / "merged")
    assert merged.dtype == torch.float32
    assert merged.config.use_cache and not hasattr(merged.config, "quantization_config")
    assert {file.name for file in (tmp_path / "merged").iterdir()} == {
        f.name for f in tiny_checkpoint().iterdir()
    }
    tokenizers = load_tokenizer(tmp_path / "merged"), load_tokenizer(tiny_checkpoint())
    assert tokenizers[0].chat_template == tokenizers[1].chat_template


def plain_base() -> Any:
    return AutoModelForCausalLM.from_pretrained(tiny_checkpoint(), dtype=torch.float32)


@pytest.mark.parametrize(
    "extra",
    [
        {},
        {"use_rslora": True},
        {"use_dora": True},
        {"target_modules": ["q_proj", "down_proj"], "modules_to_save": ["norm"]},
        {"alpha_pattern": {"q_proj": 3}, "rank_pattern": {"v_proj": 2}},
    ],
)
def test_whatever_peft_can_train_is_merged_as_peft_merges_it(tmp_path: Path, extra: dict[str, Any]) -> None:
    settings = {"r": 4, "lora_alpha": 8, "target_modules": "all-linear", **extra}
    model = get_peft_model(plain_base(), LoraConfig(**settings, task_type="CAUSAL_LM"))
    torch.manual_seed(3)
    for parameter in model.parameters():
        if parameter.requires_grad:
            torch.nn.init.normal_(parameter, 0.5, 0.2)
    model.save_pretrained(str(tmp_path / "adapter"), save_embedding_layers=False)
    merge_adapter(tiny_checkpoint(), tmp_path / "adapter", tmp_path / "merged")
    wanted = (
        PeftModel.from_pretrained(plain_base(), str(tmp_path / "adapter")).merge_and_unload().state_dict()
    )
    found = load_file(tmp_path / "merged" / "model.safetensors")
    assert all(torch.equal(found[name], wanted[name]) for name in found)
    untouched = plain_base().state_dict()
    assert sum(not torch.equal(found[name], untouched[name]) for name in found) >= 5


def test_the_original_base_keeps_what_4_bits_round_away(tmp_path: Path) -> None:
    adapter = make_adapter(tmp_path / "adapter", ModelsConfig(base="tiny", compute_dtype="float32"))
    merge_adapter(tiny_checkpoint(), adapter, tmp_path / "original", "original")
    merge_adapter(tiny_checkpoint(), adapter, tmp_path / "rounded", "dequantised")
    original, rounded = (load_file(tmp_path / name / "model.safetensors") for name in ("original", "rounded"))
    name = "model.layers.0.mlp.up_proj.weight"
    wanted = PeftModel.from_pretrained(plain_base(), str(adapter)).merge_and_unload().state_dict()
    assert torch.equal(original[name], wanted[name])
    rounding = (original[name] - rounded[name]).abs()
    assert 0 < rounding.max() < 0.02
    assert torch.equal(original["model.embed_tokens.weight"], rounded["model.embed_tokens.weight"])


def test_a_large_model_is_written_in_several_files_that_load_as_one(tmp_path: Path) -> None:
    adapter = make_adapter(tmp_path / "adapter", ModelsConfig(base="tiny", compute_dtype="float32"))
    merge_adapter(tiny_checkpoint(), adapter, tmp_path / "one")
    merge_adapter(tiny_checkpoint(), adapter, tmp_path / "many", shard=60_000)
    files = sorted((tmp_path / "many").glob("*.safetensors"))
    assert len(files) > 3 and files[0].name == f"model-00001-of-{len(files):05d}.safetensors"
    one, many = (AutoModelForCausalLM.from_pretrained(tmp_path / name) for name in ("one", "many"))
    assert all(torch.equal(a, b) for a, b in zip(one.parameters(), many.parameters(), strict=True))
    merge_adapter(tmp_path / "many", adapter, tmp_path / "again")  # and such a checkpoint can be a base


def test_a_part_of_the_adapter_without_a_weight_is_an_error(tmp_path: Path) -> None:
    adapter = make_adapter(tmp_path / "adapter", ModelsConfig(base="tiny", compute_dtype="float32"))
    base = Path(shutil.copytree(tiny_checkpoint(), tmp_path / "base"))
    weights = load_file(base / "model.safetensors")
    weights["other_name"] = weights.pop("model.layers.1.self_attn.q_proj.weight")
    save_file(weights, base / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(RectuneError, match=r"1 parts .*layers\.1\.self_attn\.q_proj"):
        merge_adapter(base, adapter, tmp_path / "merged")
    assert not (tmp_path / "merged").exists()


def test_a_folder_without_an_adapter_is_told_and_never_looked_for_elsewhere(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="holds no adapter"):
        merge_adapter(tiny_checkpoint(), tmp_path, tmp_path / "merged")
