"""Pages that are made from the code are those that the code makes now."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from rectune.core.recipe import Recipe, load_recipe
from scripts import licence_table, recipe_keys

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"


def test_the_page_of_recipe_keys_is_up_to_date() -> None:
    wanted = recipe_keys.page()
    assert (DOCS / "recipe-keys.md").read_text() == wanted, (
        "python -m scripts.recipe_keys > docs/recipe-keys.md"
    )


def test_every_key_of_a_recipe_is_on_the_page() -> None:
    text = (DOCS / "recipe-keys.md").read_text()
    recipe = load_recipe(ROOT / "recipes/demo.yaml")
    for section in Recipe.model_fields:
        part = text.partition(f"\n## {section}\n")[2].partition("\n## ")[0]
        for key in type(getattr(recipe, section)).model_fields:
            assert re.search(rf"^\| `{key}[`.\[]", part, re.MULTILINE), f"{section}.{key}"


@pytest.mark.parametrize("section", Recipe.model_fields)
def test_every_row_of_the_page_says_what_the_key_means(section: str) -> None:
    rows = recipe_keys.rows(section)
    assert rows and [row.key for row in rows if not row.meaning] == []


def test_runtime_only_keys_are_marked() -> None:
    rows = {row.key: row.result for row in recipe_keys.rows("train")}
    assert rows["logging_steps"] == "runtime only"
    assert rows["learning_rate"] == rows["lora.r"] == "yes"


def test_a_nested_key_has_the_default_that_its_section_gives_it() -> None:
    rows = {row.key: row.default for row in recipe_keys.rows("generate")}
    assert rows["query.max_tokens"] != rows["rationale.max_tokens"] == "`256`"


def test_the_table_of_licences_is_up_to_date() -> None:
    text = (DOCS / "licences.md").read_text()
    assert text == licence_table.put(text), "make docs"
    old = text.replace("| yes |", "| no |")
    assert old != text and licence_table.put(old) == text
    with pytest.raises(ValueError, match="made by"):
        licence_table.put("a page without marks")


@pytest.mark.parametrize("page", sorted(DOCS.glob("*.md")), ids=lambda path: path.name)
def test_links_between_pages_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#:\s]+)(?:#[^)]*)?\)", page.read_text()):
        assert (page.parent / target).exists(), f"{page.name}: {target}"


@pytest.mark.parametrize("page", sorted(DOCS.glob("*.md")), ids=lambda path: path.name)
def test_overrides_in_the_pages_are_keys_of_recipes(page: Path) -> None:
    """`section.key` in backticks is a key that there is, or a file or module of that name."""
    names = re.findall(rf"`({'|'.join(Recipe.model_fields)})\.([a-z_0-9]+)(?:[.=:` \[])", page.read_text())
    for section, key in names:
        kind = Recipe.model_fields[section].annotation
        assert kind is not None
        known = {*kind.model_fields, "md", "json", "parquet"}
        assert key in known or (ROOT / section / f"{key}.py").exists(), f"{page.name}: {section}.{key}"
