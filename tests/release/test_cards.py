"""Cards: metadata the Hub's library accepts, figures from manifests alone, untrusted text in its cell."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from huggingface_hub import DatasetCard, ModelCard

from release.cards import card_facts, dataset_card, model_card


def rendered(finished: dict[str, Path], licence: str = "apache-2.0") -> str:
    return model_card(replace(card_facts("user/name", licence, finished), languages=("en", "ko")))


def test_model_metadata_is_read_back(finished: dict[str, Path]) -> None:
    data: Any = ModelCard(rendered(finished)).data
    assert (data.license, data.base_model, data.language) == ("apache-2.0", "some-org/Base-7B", ["en", "ko"])
    assert data.pipeline_tag == "text-generation" and data.library_name == "transformers"


def test_a_licence_the_hub_does_not_know_is_named_as_other(finished: dict[str, Path]) -> None:
    data: Any = ModelCard(rendered(finished, "My Own Licence 1.0")).data
    assert (data.license, data.license_name) == ("other", "my-own-licence-1.0")


def test_figures_come_from_the_manifests(finished: dict[str, Path]) -> None:
    text = rendered(finished)
    assert "| filter | 9 | 5 |" in text and "| dpo | 24 | 0.375 [0.200, 0.600] | 0.500 | 0.600 |" in text
    assert "| Q8\\_0 | model.gguf | 0.0 | Q8\\_0 211, F32 61 | 0.0123 | 0.2 | 0.001 | 0.250 of 24 |" in text
    assert (
        "-0.125" in text
        and "dequantised: 2e-07" in text
        and "| beta | - | 0.1 |" in text
        and "no claim is made" in text
    )
    assert "| closed | shop | research only | no |" in text and "figures/loss.png" in text


def test_untrusted_text_cannot_leave_its_cell(finished: dict[str, Path]) -> None:
    text = rendered(finished)
    assert r"empty \| &lt;b&gt;: 1" in text and "<b>" not in text


def test_simulated_preferences_are_named(finished: dict[str, Path]) -> None:
    sentence = "Preferences come from a simulated annotator, not from people"
    assert sentence in rendered(finished)
    assert sentence in dataset_card(replace(card_facts("", "mit", finished), rows={"preferences": 2}))
    path = finished["tag"] / "manifest.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"figures": {"annotators": ["mina"]}}))
    assert sentence not in rendered(finished) and "tagged by: mina" in rendered(finished)


def test_dataset_metadata_names_configurations(finished: dict[str, Path]) -> None:
    facts = replace(
        card_facts("user/name", "mit", finished), rows={"default": 3, "preferences": 2}, left_out={"shop": 4}
    )
    text = dataset_card(facts)
    data: Any = DatasetCard(text).data.to_dict()
    assert [entry["config_name"] for entry in data["configs"]] == ["default", "preferences"]
    assert (
        data["license"] == "cc-by-4.0" and data["size_categories"] == "n<1K"
    )  # of the one source that may go out
    assert "shop (4 rows)" in text


@pytest.mark.parametrize("stages", [(), ("base",), ("data", "filter")])
def test_cards_of_an_unfinished_run(finished: dict[str, Path], stages: tuple[str, ...]) -> None:
    facts = card_facts("", "mit", {stage: finished[stage] for stage in stages})
    assert "No evaluation was recorded" in model_card(facts)
    assert ModelCard(model_card(facts)).data.license == "mit"
