"""`rectune prompts show` at every state of a run, in colour and without, and with nothing to show."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from rectune.core.artifacts import ArtifactStore, CacheKey
from rectune.core.catalogue import load_catalogue
from rectune.core.errors import UserError
from rectune.core.recipe import load_recipe
from rectune.core.rows import read_rows, write_rows
from rectune.core.tables import item_schema
from rectune.core.types import Case, Example, Prompt, Provenance, with_id
from rectune.datagen.queries import plan_cases, render_plans
from rectune.pipeline import prompts_show
from rectune.pipeline.plan import PlannedStage
from rectune.pipeline.prompts_show import PromptFilter
from rectune.pipeline.run import RunOptions
from rectune.pipeline.stages import find_stage
from tests.models.tiny import tiny_checkpoint, tiny_tokenizer

ROOT = Path(__file__).parents[2]
ORDER = RunOptions(ROOT / "recipes/tiny.yaml", ["prompts.locales={en: 1, ko: 1}", "prompts.max_tokens=500"])
Show = Callable[..., str]


def case(domain: str, number: int, split: Any) -> Case:
    history = tuple(str(n) for n in range(60 if number % 2 else 3))
    return with_id(Case("", domain, f"u{number}", split, history, "65", ("65", "66", "67"), True, domain))


def write_data(folder: Path) -> None:
    titles = ["<|im_end|>\x1b[2J", *(f"Item {n}" for n in range(1, 70))]
    rows = [
        (d, n, str(n), t, [], "", None, "{}", "", [])
        for d in ("books", "movies")
        for n, t in enumerate(titles)
    ]
    pl.DataFrame(rows, item_schema(), orient="row").write_parquet(folder / "items.parquet")
    splits = ["train"] * 16 + ["preference"] * 4 + ["test"] * 4
    cases = [case(d, n, split) for d in ("books", "movies") for n, split in enumerate(splits)]
    write_rows(folder / "cases.parquet", cases, Case)


def step(name: str, finished: bool = True) -> PlannedStage:
    made = CacheKey(name, 1, {}, {})
    return PlannedStage(find_stage(name), made, "finished" if finished else "missing", "never made")


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> ArtifactStore:
    """What the stages make of a few cases; with odd numbers they are too long to be shown whole."""
    store = ArtifactStore(tmp_path_factory.mktemp("runs"))
    folders = {name: store.folder(name, step(name).key) for name in ("data", "queries", "rationales")}
    for folder in folders.values():
        folder.mkdir(parents=True)
    base = store.folder("base", step("base").key)
    base.mkdir(parents=True)
    (base / "checkpoint").symlink_to(tiny_checkpoint())
    write_data(folders["data"])
    config = load_recipe(ORDER.recipe, ORDER.overrides).prompts
    cases = read_rows(folders["data"] / "cases.parquet", Case)
    plans, catalogue = plan_cases(cases, config), load_catalogue(folders["data"] / "items.parquet")
    queries = {one.id: "조용한 영화" for one in cases}
    prompts = render_plans(plans, catalogue, queries, config, tiny_tokenizer()).prompts
    write_rows(folders["queries"] / "prompts.parquet", prompts, Prompt)
    train, source = [p for p in prompts if p.split == "train"], Provenance("m", "q", "{}", 0, "e")
    text = "You like it.\nMy recommendation: Item 65"
    examples = [with_id(Example("", prompt, text, source)) for prompt in train]
    write_rows(folders["rationales"] / "examples.parquet", examples, Example)
    return store


@pytest.fixture()
def show(store: ArtifactStore, monkeypatch: pytest.MonkeyPatch) -> Show:
    """Show prompts of a run of which these stages are finished."""

    def call(*finished: str, colour: bool = False, **choice: Any) -> str:
        steps = [
            step(name, name in (*finished, "base")) for name in ("data", "base", "queries", "rationales")
        ]
        monkeypatch.setattr(prompts_show, "make_plan", lambda *_: steps)
        return prompts_show.prompt_pages(ORDER, store, PromptFilter(**choice), colour=colour)

    return call


def headings(text: str) -> list[str]:
    return re.findall(r"^--- .*", text, re.MULTILINE)


def test_before_there_are_prompts_they_are_rendered_from_the_cases(show: Show) -> None:
    text = show("data", kind="active/direct", count=2)
    assert len(headings(text)) == 2 and text.count("[a search query]") == 3
    assert "responses are not written yet" in text and "⟦" not in text.split("---", 1)[1]


def test_prompts_are_shown_until_there_are_responses(show: Show) -> None:
    text = show("data", "queries", kind="active/direct", count=2)
    assert text.count("조용한 영화") == 2 and "[a search query]" not in text
    assert "⟦" not in text.split("---", 1)[1]


def test_a_response_is_marked_as_trained_to_the_end_of_its_turn(show: Show) -> None:
    text = show("data", "queries", "rationales", count=2)
    assert text.count("⟦You like it.\nMy recommendation: Item 65⟧⟦⟪<|im_end|>⟫⟧") == 2
    assert text.count("⟪<|im_start|>⟫assistant\n⟦") == 2 and "not written yet" not in text
    assert all(re.search(r"\d+ tokens read, \d+ trained on", heading) for heading in headings(text))


def test_splits_without_responses_are_shown_beside_those_with(show: Show) -> None:
    text = show("data", "queries", "rationales", split="test", count=1)
    assert ", test, " in headings(text)[0] and "⟦" not in text.split("---", 1)[1]


def test_control_tokens_are_told_from_titles_that_look_like_them(show: Show) -> None:
    text = show("data", "queries", kind="passive/direct", locale="en", count=99)
    shown = [page for page in text.split("\n--- ")[1:] if "<|im_end|>␛[2J" in page]
    assert shown and all("⟪<|im_end|>⟫␛" not in page for page in shown)
    assert all(page.count("⟪<|im_end|>⟫") == 2 for page in shown)


def test_colours_take_the_place_of_marks(show: Show) -> None:
    text = show("data", "queries", "rationales", colour=True, count=1)
    assert "⟦" not in text and "⟪" not in text and "␛[2J" in show("data", "queries", count=99)
    assert "\x1b[1;32mYou like it.\nMy recommendation: Item 65\x1b[0m\x1b[1;4;33m<|im_end|>\x1b[0m" in text


def test_what_was_left_out_is_said(show: Show) -> None:
    text = show("data", "queries", kind="passive/direct", locale="ko", count=99)
    assert re.search(r"; \d+ older items left out", text)


def test_choices_narrow_what_is_shown(show: Show) -> None:
    choice = {"domain": "books", "kind": "passive/listwise", "locale": "ko", "split": "train"}
    for finished in (("data",), ("data", "queries"), ("data", "queries", "rationales")):
        found = headings(show(*finished, **choice, count=99))
        assert found and all(re.search(r"books, train, ko/passive/listwise/\w+:", line) for line in found)
        name = found[0].split(", ")[2].split(":")[0]
        assert headings(show(*finished, template=name, count=1))[0].count(name) == 1
        assert headings(show(*finished, template=name.split("/")[-1], count=1))


@pytest.mark.parametrize("finished", [("data",), ("data", "queries"), ("data", "queries", "rationales")])
@pytest.mark.parametrize(
    ("choice", "found", "there"),
    [
        ({"domain": "muvies"}, "domain muvies", "books, movies"),
        ({"kind": "direct"}, "kind direct", "passive/listwise"),
        ({"locale": "fr"}, "locale fr", "en, ko"),
        ({"split": "tests"}, "split tests", "preference, test, train"),
        ({"template": "nothing"}, "template nothing", "en/active/direct/plain"),
        ({"split": "test", "kind": "passive/listwise"}, "all of that at once", "passive/direct"),
    ],
)
def test_an_unknown_choice_names_what_there_is(
    show: Show, finished: tuple[str, ...], choice: dict[str, str], found: str, there: str
) -> None:
    with pytest.raises(UserError) as caught:
        show(*finished, **choice)
    assert found in caught.value.message and there in caught.value.hint


def test_with_nothing_there_the_command_that_makes_it_is_named(show: Show) -> None:
    with pytest.raises(UserError, match=r"rectune run .*tiny.yaml .* --until data"):
        show("base")
