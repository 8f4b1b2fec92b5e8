"""A merged model computes what the adapter model did."""

from pathlib import Path

import pytest
import torch
from transformers import AutoModelForCausalLM

from models.loading import add_lora, load_for_training, load_tokenizer, note_base, open_adapter
from models.merge import merge_adapter
from rectune.settings import Lora, Models
from tests.models.tiny import tiny_checkpoint

IDS = torch.tensor([[1, 520, 30, 700, 99, 2]])


def make_adapter(folder: Path, models: Models) -> Path:
    """An adapter whose B is far from zero, so that it matters."""
    model = add_lora(load_for_training(tiny_checkpoint(), models), Lora(r=4, dropout=0.0), seed=1)
    torch.manual_seed(2)
    for name, parameter in model.named_parameters():
        if "lora_B" in name:
            torch.nn.init.normal_(parameter, std=0.2)
    model.save_pretrained(str(folder), save_embedding_layers=False)
    note_base(folder, models)
    return folder


@pytest.mark.parametrize("four_bit", [True, False])
def test_merged_logits_are_those_of_the_adapter_model(tmp_path: Path, four_bit: bool) -> None:
    models = Models(base="tiny", load_in_4bit=four_bit, compute="float32")
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
    adapter = make_adapter(tmp_path / "adapter", Models(base="tiny", compute="float32"))
    merge_adapter(tiny_checkpoint(), adapter, tmp_path / "merged")
    merged = AutoModelForCausalLM.from_pretrained(tmp_path / "merged")
    assert merged.dtype == torch.float32
    assert merged.config.use_cache and not hasattr(merged.config, "quantization_config")
    assert {file.name for file in (tmp_path / "merged").iterdir()} == {
        f.name for f in tiny_checkpoint().iterdir()
    }
    tokenizers = load_tokenizer(tmp_path / "merged"), load_tokenizer(tiny_checkpoint())
    assert tokenizers[0].chat_template == tokenizers[1].chat_template
