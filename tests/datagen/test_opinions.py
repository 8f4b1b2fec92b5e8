"""Opinions out of reviews: whose they are, which are the best, and how they are told."""

import json
from collections.abc import Iterable
from pathlib import Path
from random import Random
from typing import Any

import pytest

from rectune.core.catalogue import load_catalogue
from rectune.core.figures import DataFigures
from rectune.core.recipe import load_recipe
from rectune.core.rows import read_rows
from rectune.core.types import Case, Item
from rectune.datagen.build import run

DAY = 86_400
START = 1_600_000_000
LAST = 60  # day: what is later belongs to the tests
ITEMS = 12
PLAIN = ["data.min_history=3", "data.train=20", "data.preference=5", "data.test=5", "data.num_candidates=3"]
COLUMNS = {"user_id": "user", "item_id": "item", "value": "stars", "timestamp": "time", "text": "words",
           "helpful": "votes"}  # fmt: skip


def event(user: str, item: int, day: int, text: str = "", helpful: int | None = 0) -> dict[str, Any]:
    return {"user": user, "item": f"i{item}", "stars": 5, "time": START + day * DAY, "words": text,
            "votes": helpful}  # fmt: skip


def everybody(users: Iterable[int] = range(40)) -> list[dict[str, Any]]:
    """Users who like eight items each, and say of each who they are, in words of their own."""
    steps = [(user, step) for user in users for step in range(8)]
    return [
        event(f"u{user}", (user + step) % ITEMS, 10 * step, f"User number {user} writes {words(user)}.")
        for user, step in steps
    ]


def words(user: int) -> str:
    letters = Random(user)
    return " ".join("".join(letters.choices("abcdefghijklmnopqrstuvwxyz", k=6)) for _ in range(8))


def quoted(items: Iterable[Item]) -> set[str]:
    """The users of `everybody` whose words are opinions."""
    return {f"u{opinion.split()[2]}" for item in items for opinion in item.opinions}


def made(
    root: Path, events: Iterable[dict[str, Any]], reviews: int = 2, twin: bool = False, **custom: Any
) -> tuple[dict[str, Item], DataFigures, list[Case]]:
    """The shop's items by id, figures and cases of a shop with these interactions; `twin` adds another shop,
    in which half of the users have interactions too.
    """
    tables = {"items": [{"id": f"i{n}", "title": f"Thing {n}"} for n in range(ITEMS)],
              "events": events, "twins": everybody(range(20, 40))}  # fmt: skip
    for name, rows in tables.items():
        (root / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    shop = {"domain": "shop", "items": "items.jsonl", "interactions": "events.jsonl",
            "interaction_columns": COLUMNS} | custom  # fmt: skip
    shops = {"shop": shop}
    if twin:
        shops["twin"] = shop | {"domain": "twin", "people": "shop", "interactions": "twins.jsonl"}
    given = {"root": str(root), "datasets": list(shops), "mixture_weights": dict.fromkeys(shops, 1),
             "reviews": reviews, "custom": shops}  # fmt: skip
    overrides = [f"data.{key}={json.dumps(value)}" for key, value in given.items()]
    figures = run(load_recipe(Path("demo"), [*overrides, *PLAIN]).only(("data",)), {}, root / "out")
    found = load_catalogue(root / "out/items.parquet").of("shop")
    cases = read_rows(root / "out/cases.parquet", Case)
    return {item.item_id: item for item in found}, figures, cases


def test_nobody_who_is_in_a_case_is_quoted(tmp_path: Path) -> None:
    items, figures, cases = made(tmp_path, everybody(), reviews=20)
    in_cases, counts = {case.user for case in cases}, figures.datasets["shop"].opinions
    said = [opinion for item in items.values() for opinion in item.opinions]
    assert {case.split for case in cases} == {"train", "preference", "test"}
    assert quoted(items.values()) == {f"u{user}" for user in range(40)} - in_cases
    assert counts is not None and (counts.reviews, counts.in_cases) == (320, 8 * len(in_cases))
    with_some = sum(bool(item.opinions) for item in items.values())
    assert (counts.opinions, counts.items) == (len(said), with_some)


def test_people_of_cases_in_another_dataset_that_shares_users_are_not_quoted(tmp_path: Path) -> None:
    items, _, cases = made(tmp_path, everybody(), reviews=20, twin=True)
    users = {domain: {case.user for case in cases if case.domain == domain} for domain in ("shop", "twin")}
    assert users["twin"] - users["shop"]
    assert quoted(items.values()) == {f"u{user}" for user in range(40)} - users["twin"] - users["shop"]


def test_without_the_key_nothing_is_told(tmp_path: Path) -> None:
    items, figures, _ = made(tmp_path, everybody(), reviews=0)
    assert not any(item.facts for item in items.values()) and figures.datasets["shop"].opinions is None


def test_the_most_helpful_come_first_then_the_longer_and_one_a_person(tmp_path: Path) -> None:
    told = [
        event("w1", 0, 1, f"Nobody found that helpful, yet it is the longest one: {words(99)}.", 0),
        event("w2", 0, 1, "It keeps warm for an hour.", 5),
        event("w3", 0, 1, "Boils a litre in two minutes.", 7),
        event("w4", 0, 1, "The lid is easy to clean with a sponge.", 5),
        event("w3", 0, 2, "The same person says something else entirely.", 6),
        event("w5", 0, 2, "No number of votes stands in this row.", None),
    ]
    items, _, _ = made(tmp_path, [*everybody(), *told], reviews=3)
    assert items["i0"].opinions == (
        "Boils a litre in two minutes.",
        "The lid is easy to clean with a sponge.",
        "It keeps warm for an hour.",
    )


def test_opinions_stand_behind_the_other_facts(tmp_path: Path) -> None:
    (tmp_path / "price.csv").write_text("id,price\ni0,12\n")
    told = [event("w1", 0, 1, "It does all that I ask of it.", 3)]
    joins = [{"file": "price.csv", "on": "id", "add": "price"}]
    items, _, _ = made(tmp_path, [*everybody(), *told], reviews=1, joins=joins)
    assert items["i0"].facts == ("price: 12", 'opinion: "It does all that I ask of it."')
    assert items["i0"].stated == ("price: 12",)


def test_what_is_written_after_the_training_is_not_told(tmp_path: Path) -> None:
    told = [
        event("w1", 0, LAST + 10, "This was written after all of the training.", 9),
        event("w2", 0, LAST, "This was written on the very last day of it.", 1),
    ]
    items, figures, _ = made(tmp_path, [*everybody(), *told], reviews=1)
    counts = figures.datasets["shop"].opinions
    assert items["i0"].opinions == ("This was written on the very last day of it.",)
    assert counts is not None and counts.out_of_time >= 1


def test_sentences_with_personal_data_are_counted(tmp_path: Path) -> None:
    told = [event("w1", 0, 1, "Ask me anything at ann@example.com about this.", 9)]
    items, figures, _ = made(tmp_path, [*everybody(), *told], reviews=1)
    counts = figures.datasets["shop"].opinions
    assert counts is not None and counts.personal == 1
    assert "example.com" not in str(items)


def test_the_order_of_the_file_makes_no_difference(tmp_path: Path) -> None:
    first, _, _ = made(tmp_path, everybody())
    mixed = everybody()
    Random(3).shuffle(mixed)
    (tmp_path / "again").mkdir()
    again, _, _ = made(tmp_path / "again", mixed)
    assert {name: item.opinions for name, item in first.items()} == {
        name: item.opinions for name, item in again.items()
    }


def test_a_column_of_texts_is_never_guessed_and_its_lack_is_said(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    events = [row | {"text": row["words"], "review": row["words"]} for row in everybody()]
    columns = {name: column for name, column in COLUMNS.items() if name not in ("text", "helpful")}
    items, figures, _ = made(tmp_path, events, interaction_columns=columns)
    counts = figures.datasets["shop"].opinions
    assert counts is not None and counts.reviews == 0 and not any(item.facts for item in items.values())
    assert "name the column of reviews as text in interaction_columns" in "".join(capsys.readouterr())
