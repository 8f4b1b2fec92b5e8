"""The stage `queries`: prompts keep within the token budget; shortened and dropped ones are counted."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from rectune.core.recipe import Recipe, load_recipe
from rectune.core.rows import read_rows, write_rows
from rectune.core.tables import item_schema
from rectune.core.types import Case, Prompt, Provenance, with_id
from rectune.datagen import queries
from rectune.inference.requests import GenerationRequest, GenerationResult
from rectune.models.chat_tokenization import prompt_ids
from tests.models.tiny import tiny_checkpoint, tiny_tokenizer

ROOT = Path(__file__).parents[2]
BUDGET = 200
ITEMS = [f"A film with a rather long title about the number {n}" for n in range(40)] + ["word " * 300]


def case(number: int, history: int, target: int, split: Any = "train") -> Case:
    liked = tuple(str(n) for n in range(history))
    candidates = tuple(str(n) for n in {38, 39, target})
    return with_id(Case("", "movies", f"u{number}", split, liked, str(target), candidates, True, "movies"))


@pytest.fixture()
def inputs(tmp_path: Path) -> dict[str, Path]:
    """Cases with short and long histories, and some whose only candidates are too long to show."""
    rows = [("movies", n, str(n), title, ["Drama"], "", None, "{}", "", []) for n, title in enumerate(ITEMS)]
    pl.DataFrame(rows, item_schema(), orient="row").write_parquet(tmp_path / "items.parquet")
    cases = [case(n, 2 if n % 2 else 30, 35) for n in range(20)] + [case(n, 3, 40) for n in range(20, 40)]
    cases += [case(n, 30, 35, "test") for n in range(40, 44)]
    write_rows(tmp_path / "cases.parquet", cases, Case)
    (tmp_path / "checkpoint").symlink_to(tiny_checkpoint())
    return {"data": tmp_path, "base": tmp_path}


def answer(
    requests: Sequence[GenerationRequest], *_: object
) -> dict[str, tuple[GenerationResult, Provenance]]:
    """A teacher that always writes the same query."""
    source = Provenance("m", "q", "{}", 0, "e")
    return {r.id: (GenerationResult(r.id, "slow western", "stop", 1, 1), source) for r in requests}


@pytest.fixture()
def config() -> Recipe:
    return load_recipe(ROOT / "recipes/tiny.yaml", [f"prompts.max_tokens={BUDGET}", "prompts.listwise=3"])


def made(config: Recipe, inputs: dict[str, Path], out: Path) -> tuple[dict[str, Any], list[Prompt]]:
    out.mkdir(parents=True)
    stats = queries.run(config, inputs, out, answer)
    return stats, read_rows(out / "prompts.parquet", Prompt)


def test_no_prompt_is_over_the_budget_and_the_newest_items_stay(
    config: Recipe, inputs: dict[str, Path], tmp_path: Path
) -> None:
    stats, prompts = made(config, inputs, tmp_path / "runs/queries/a")
    cases = {(c.domain, c.user): c for c in read_rows(inputs["data"] / "cases.parquet", Case)}
    assert max(len(prompt_ids(tiny_tokenizer(), prompt)) for prompt in prompts) <= BUDGET
    for prompt in prompts:
        if prompt.scenario == "passive":
            history = cases[prompt.domain, prompt.user].history
            assert prompt.history == history[prompt.left_out :] and prompt.history
            assert (prompt.left_out > 0) == (len(history) == 30)
    cut = [prompt.left_out for prompt in prompts if prompt.left_out]
    assert (stats.shortened, stats.left_out) == (len(cut), sum(cut)) and cut
    listwise = sum(prompt.form == "listwise" for prompt in prompts)
    assert stats.dropped["too long"] > 0
    assert stats.rows_in - stats.rows_out == sum(stats.dropped.values())
    assert listwise and not any("word word" in prompt.instruction for prompt in prompts)


def test_where_no_prompt_is_active_nobody_is_asked_for_a_query(
    config: Recipe, inputs: dict[str, Path], tmp_path: Path
) -> None:
    passive = config.model_copy(
        update={"prompts": config.prompts.model_copy(update={"scenarios": {"passive": 1}})}
    )
    stats, prompts = made(passive, inputs, tmp_path / "runs/queries/a")
    assert {prompt.scenario for prompt in prompts} == {"passive"}
    assert {prompt.split for prompt in prompts} == {"train", "test"}
    assert stats.queries == 0 and stats.dropped["every query refused"] == 0


def test_the_same_cases_in_another_order_give_the_same_prompts(
    config: Recipe, inputs: dict[str, Path], tmp_path: Path
) -> None:
    _, before = made(config, inputs, tmp_path / "runs/queries/a")
    path = inputs["data"] / "cases.parquet"
    write_rows(path, read_rows(path, Case)[::-1], Case)
    _, after = made(config, inputs, tmp_path / "runs/queries/b")
    assert {prompt.id for prompt in before} == {prompt.id for prompt in after}


def test_held_out_templates_word_the_tests_only(
    config: Recipe, inputs: dict[str, Path], tmp_path: Path
) -> None:
    prompts_section = config.prompts.model_copy(update={"test_templates": "held_out"})
    held = config.model_copy(update={"prompts": prompts_section})
    _, prompts = made(held, inputs, tmp_path / "runs/queries/a")
    used = {
        split: {p.template for p in prompts if (p.split == "test") == (split == "test")}
        for split in ("test", "other")
    }
    assert used["test"] and used["other"] and not used["test"] & used["other"]
