"""A frozen language model that bears an adapter: what the stage `sft` tuned."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from rectune.core.settings import LoraSection, ModelsConfig
from rectune.models.loading import add_lora, load_for_training
from rectune.rankers.allmrec.forms import SoftForms
from rectune.rankers.allmrec.language_model import open_language_model
from rectune.rankers.fit_cache import FitCache
from tests.models.tiny import tiny_checkpoint
from tests.rankers.allmrec.soft_world import tiny_model
from tests.rankers.allmrec.stage_world import recipe


@pytest.fixture(scope="module")
def adapter(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """On the tiny model, with weights that change what it says."""
    folder = tmp_path_factory.mktemp("sft") / "adapter"
    models = ModelsConfig(base="tiny", load_in_4bit=False, compute_dtype="float32")
    model = add_lora(load_for_training(tiny_checkpoint(), models), LoraSection(r=4, lora_alpha=8), 0)
    for name, value in model.named_parameters():
        if "lora_B" in name:
            value.data.normal_(0.0, 0.5)
    model.save_pretrained(str(folder))
    return folder


def test_an_adapter_changes_what_the_model_reads_and_its_digest_and_stays_frozen(adapter: Path):
    plain = tiny_model()
    tuned = open_language_model(str(tiny_checkpoint()), False, "float32", str(adapter))
    ids = torch.tensor([plain.plain("Moon 4, Bread 2")])
    inputs, mask = plain.embed(ids), torch.ones_like(ids)
    states = [model.last_states(inputs, mask, torch.arange(ids.shape[1])[None]) for model in (plain, tuned)]
    assert float((states[0] - states[1]).abs().max()) > 1e-2
    assert tuned.digest() != plain.digest() and tuned.width == plain.width
    assert not any(value.requires_grad for value in tuned.model.parameters())


def test_a_recipe_that_names_sft_means_the_base_with_its_adapter(tmp_path: Path):
    inputs = {name: tmp_path / name for name in ("base", "sft")}
    for model, wanted in {
        "base": {"model": f"{inputs['base']}/checkpoint"},
        "sft": {"model": f"{inputs['base']}/checkpoint", "adapter": f"{inputs['sft']}/adapter"},
    }.items():
        there = {name: folder for name, folder in inputs.items() if name == "base" or model == "sft"}
        settings = recipe(f"allmrec.model={model}").allmrec
        given = SoftForms(settings, there, tmp_path / "note", FitCache()).parameters("llmsrec")
        assert {name: given[name] for name in wanted} == wanted
        assert ("adapter" in given) == (model == "sft")
