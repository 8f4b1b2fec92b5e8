"""Cards: metadata the Hub's library accepts, figures from manifests alone, untrusted text in its cell."""

from __future__ import annotations

import ast
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from huggingface_hub import DatasetCard, ModelCard
from markdown_it import MarkdownIt

from rectune.core.errors import UserError
from rectune.core.figures import FilterFigures, RationalesFigures, TagFigures
from rectune.core.figures.evaluation import EvalMetrics
from rectune.core.settings import AlignConfig, TrainConfig
from rectune.release.card_facts import CardFacts, card_facts, generators, licence_in
from rectune.release.card_tables import SETTINGS
from rectune.release.cards import dataset_card, model_card
from tests.core.filled import record, write_stage
from tests.core.text.test_markdown import HOSTILE, shown
from tests.core.text.test_tables import Cells
from tests.release.conftest import KEYS

SIMULATED = "Preferences come from a simulated annotator, not from people"


def facts_of(finished: dict[str, Path], licence: str = "apache-2.0") -> CardFacts:
    return card_facts("user/name", licence, finished)


def rendered(finished: dict[str, Path], licence: str = "apache-2.0") -> str:
    return model_card(facts_of(finished, licence))


def of_data(finished: dict[str, Path]) -> str:
    facts = replace(
        facts_of(finished),
        rows={"default": 3, "preferences": 2},
        domains={"default": {"films": 3}},
        left_out={"shop": 4},
    )
    return dataset_card(facts)


def test_model_metadata_is_read_back(finished: dict[str, Path]) -> None:
    data: Any = ModelCard(rendered(finished)).data
    assert (data.license, data.base_model, data.language) == ("apache-2.0", "some-org/Base-7B", ["en", "ko"])
    assert data.pipeline_tag == "text-generation" and data.library_name == "transformers"
    assert {one.metric_type: one.metric_value for one in data.eval_results} == {
        "hit@1": 0.375,
        "mrr": 0.5,
        "ndcg@10": 0.25,
    }
    assert "simulated-preferences" in data.tags


@pytest.mark.parametrize(
    ("licence", "known", "name"),
    [
        ("My Own Licence 1.0", "other", "my-own-licence-1.0"),
        ("CC0 on the publisher's page", "cc0-1.0", None),
        ("MIT", "mit", None),
    ],
)
def test_a_licence_that_the_hub_does_not_know_is_named_as_other(
    finished: dict[str, Path], licence: str, known: str, name: str | None
) -> None:
    data: Any = ModelCard(rendered(finished, licence)).data
    assert (data.license, data.get("license_name")) == (known, name)


def test_no_licence_breaks_the_metadata(finished: dict[str, Path]) -> None:
    data: Any = ModelCard(rendered(finished, 'x"\n---\nfoo: [')).data
    assert data.license == "other" and "foo" not in data.to_dict()


def test_figures_come_from_the_manifests(finished: dict[str, Path]) -> None:
    text = rendered(finished)
    assert "| filter | 9 | 5 |" in text and "| rationales | 12 | 9 | no answer: 3 |" in text
    assert "| dpo | 24 | 0.375 [0.200, 0.600] | 0.500 [0.300, 0.700] |" in text
    assert "0.500 [0.400, 0.600] | 0.250 [0.100, 0.300] |" in text and "| random | 24 | 0.042 [0.010" in text
    assert "| system | films |" in text and "| dpo | 0.375 [0.200, 0.600], n = 24 |" in text
    assert "One target among the case's candidates; up to 20 candidates, chance 0.050." in text
    assert "95 %: Wilson for hit@1." in text and "rectune run recipes/trial.yaml --until eval" in text
    assert "| Q8_0 | model.gguf | 0.0 | Q8_0 211, F32 61 | 0.0123 | 0.2 | 0.001 | 0.250 of 24 |" in text
    assert "-0.125" in text and "dequantised: 2e-07" in text and "| beta | – | 0.1 |" in text
    assert "no claim is made" in text and "| tag | pairs | 2 |" in text
    assert "| score | 3 | 2 |" in text and "| Teacher-9B | 9 | not stated in its file |" in text
    assert "| closed | shop |" in text and "| research only | no | 2 | 25.0 % |" in text


def test_every_setting_that_the_card_shows_is_a_key_of_the_recipe() -> None:
    assert set(SETTINGS) <= {*TrainConfig.model_fields, *AlignConfig.model_fields}


def test_settings_of_another_version_are_refused(finished: dict[str, Path]) -> None:
    (finished["sft"] / "config.yaml").write_text("train:\n  learning_rat: 0.1\n")
    with pytest.raises(UserError, match=r"settings of the stage sft: learning_rat: unknown key") as refused:
        rendered(finished)
    assert "--from sft" in refused.value.hint


def test_no_figure_is_in_a_template() -> None:
    """What a template says itself holds no decimal number and no percentage but the interval's."""
    for path in (Path(__file__).parents[2] / "rectune/release/templates").glob("*.j2"):
        said = re.sub(
            r"\{\{.*?\}\}|\{%.*?%\}|arXiv:[\d.]+|95 % intervals", "", path.read_text(), flags=re.DOTALL
        )
        assert not re.search(r"\d+\.\d+|\d %", said), path.name


def test_pictures_are_linked_where_they_belong(finished: dict[str, Path]) -> None:
    assert "(figures/loss.png)" in rendered(finished) and "filter_overlap" not in rendered(finished)
    assert "(figures/filter_overlap.png)" in of_data(finished) and "loss.png" not in of_data(finished)


def test_untrusted_text_cannot_leave_its_cell(finished: dict[str, Path]) -> None:
    text = rendered(finished)
    assert r"empty \| &lt;b&gt;: 2" in text and "<b>" not in text and r"A lab \| of sorts" in text
    assert "Where they are published: open <https://films.example>." in text


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_names_are_shown_as_they_are(finished: dict[str, Path], text: str) -> None:
    write_stage(finished["filter"], record(FilterFigures, dropped={text: 3}))
    metrics = record(EvalMetrics, systems={text: {"n": 1}})
    (finished["eval"] / EvalMetrics.file).write_text(metrics.to_json())
    read = Cells(MarkdownIt("commonmark").enable("table").render(ModelCard(rendered(finished)).text))
    assert [cell.strip() for cell in read.cells].count(shown(text)) == 2
    assert not {"script", "em", "s"} & set(read.tags)
    assert read.tags.count("img") == read.tags.count("a") == 1  # our own


def test_simulated_preferences_are_named(finished: dict[str, Path]) -> None:
    assert SIMULATED in rendered(finished) and "The rule: the longer answer." in rendered(finished)
    assert SIMULATED in of_data(finished)
    write_stage(finished["tag"], record(TagFigures, annotators=["mina"]))
    assert SIMULATED not in rendered(finished) and "tagged by: mina" in rendered(finished)
    assert "simulated-preferences" not in rendered(finished)


def test_dataset_metadata_names_configurations_and_splits(finished: dict[str, Path]) -> None:
    data: Any = DatasetCard(of_data(finished)).data.to_dict()
    assert [entry["config_name"] for entry in data["configs"]] == ["default", "preferences"]
    assert data["configs"][0]["data_files"] == [{"split": "train", "path": "default/train.parquet"}]
    assert data["license"] == "cc-by-4.0"  # of the one source that may go out
    assert data["size_categories"] == "n<1K" and "shop (4 rows)" in of_data(finished)
    assert "| default | train | 3 | films 3 |" in of_data(finished)


def test_code_in_the_cards_is_python_and_pins_the_run(finished: dict[str, Path]) -> None:
    blocks = re.findall(r"```python\n(.*?)```", rendered(finished) + of_data(finished), flags=re.DOTALL)
    assert len(blocks) == 4
    for block in blocks:
        ast.parse(block)
        assert f'revision="{KEYS["export"]}"' in block


def test_the_citation_names_the_run_and_its_year(finished: dict[str, Path]) -> None:
    text = rendered(finished)
    assert "year   = {2026}" in text and f"run {KEYS['export']}" in text


def test_only_what_is_pushed_is_explained(finished: dict[str, Path]) -> None:
    text = model_card(replace(facts_of(finished), kinds=("gguf",)))
    assert "llama_cpp" in text and "PeftModel" not in text and "AutoTokenizer" not in text


@pytest.mark.parametrize("stages", [(), ("base",), ("data", "filter")])
def test_cards_of_an_unfinished_run(finished: dict[str, Path], stages: tuple[str, ...]) -> None:
    facts = card_facts("", "mit", {stage: finished[stage] for stage in stages})
    assert "No evaluation was recorded" in model_card(facts)
    assert ModelCard(model_card(facts)).data.license == "mit"


def test_a_card_with_a_figure_missing_is_none(finished: dict[str, Path]) -> None:
    (finished["eval"] / "metrics.json").write_text("[1, 2]")
    with pytest.raises(UserError, match="figures of the stage eval"):
        rendered(finished)
    (finished["eval"] / "metrics.json").unlink()
    with pytest.raises(UserError, match="the stage eval left no such file"):
        rendered(finished)
    path = finished["tag"] / "manifest.json"
    path.write_text(path.read_text().replace('"annotators"', '"taggers"'))
    with pytest.raises(UserError, match="annotators is missing; taggers is not known"):
        of_data(finished)


def test_the_embedded_teachers_licence_is_read_from_its_file(finished: dict[str, Path]) -> None:
    (finished["rationales"] / "config.yaml").write_text("generate:\n  teachers:\n  - {model: embedded}\n")
    figures = record(RationalesFigures, teachers={"SmolLM2-135M-Instruct.Q4_1@00ff": 4})
    write_stage(finished["rationales"], figures)
    assert generators(facts_of(finished)) == [("SmolLM2-135M-Instruct.Q4_1", 4, "apache-2.0")]
    assert licence_in(finished["export"] / "model.gguf") == ""
