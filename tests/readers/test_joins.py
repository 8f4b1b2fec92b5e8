"""Names, descriptions, categories and facts of items from further tables; facts on their way to whoever reads
them.
"""

import json
from pathlib import Path
from typing import Any

import pytest

from rectune.core.catalogue import load_catalogue
from rectune.core.errors import UserError
from rectune.core.recipe import load_recipe
from rectune.core.types import Item
from rectune.datagen.build import run
from rectune.datagen.dataset_cache import datasets_of, read_dataset
from rectune.datagen.datasets import registry
from rectune.prompts.teacher_prompts import facts
from rectune.readers.catalogue import CatalogueOptions, read_catalogue
from rectune.recommender.explanations import ExplanationRequest, plain_sentence
from rectune.retrieval.chunks import head_of


def read(root: Path, **spec: Any) -> tuple[list[Item], dict[str, Any]]:
    own = {"domain": "films", "items": "items.csv"} | spec
    named = "data.custom=" + json.dumps({"mine": own})
    data = load_recipe(
        Path("recipes/tiny.yaml"),
        [f"data.root={root}", "data.datasets=[mine]", named, "data.mixture_weights={}"],
    ).data
    (one,) = datasets_of(data)
    part = read_dataset(one, data, root / "out")
    files = [path.name for path in registry.files(one, data.folder)]
    return load_catalogue(part.file("items")).of("films"), part.counts.model_dump() | {"files": files}


@pytest.fixture
def films(tmp_path: Path) -> Path:
    (tmp_path / "items.csv").write_text("movie,released,price\n1,1999,12.50\n2,2001,\n3,2003,9\n")
    (tmp_path / "genres.csv").write_text("movie,genre\n1,Drama\n1,Crime\n2,SF\n9,War\n1,Drama\n")
    (tmp_path / "names.jsonl").write_text('{"id": 1.0, "label": "Heat"}\n{"id": 2, "label": "Alien"}\n')
    (tmp_path / "texts.csv").write_text('movie,plot,maker\n1,"One, <b>two</b>.",Mann\n1,Three.,Mann\n')
    return tmp_path


ID = {"item_id": "movie"}
JOINS = [
    {"file": "genres.csv", "on": "movie", "add": "genre"},
    {"file": "names.jsonl", "on": "id", "add": "label", "field": "title"},
    {"file": "texts.csv", "on": "movie", "add": "plot"},
    {"file": "texts.csv", "on": "movie", "add": "maker"},
]


def test_further_tables_fill_the_fields_of_items(films: Path) -> None:
    items, counted = read(
        films, joins=JOINS, facts=["price"], item_columns={"item_id": "movie", "year": "released"}
    )
    assert items == [
        Item(
            "films",
            "1",
            "Heat",
            ("Drama", "Crime"),
            "One, two. Three.",
            1999,
            ("price: 12.50", "maker: Mann"),
        ),
        Item("films", "2", "Alien", ("SF",), "", 2001, ()),
    ]
    assert counted["dropped"] == {"joined id of an unknown item": 1, "item without a title": 1}
    assert counted["first"]["joined id of an unknown item"] == ("genres.csv: movie 9",)
    assert sorted(set(counted["files"])) == ["genres.csv", "items.csv", "names.jsonl", "texts.csv"]


def test_a_wrong_join_is_an_error_with_the_nearest(films: Path) -> None:
    with pytest.raises(UserError, match=r"genres\.csv: has no column gener, did you mean genre\?"):
        read(films, joins=[{"file": "genres.csv", "on": "movie", "add": "gener"}, JOINS[1]], item_columns=ID)
    with pytest.raises(UserError, match=r"missing: absent\.csv"):
        read(films, joins=[{"file": "absent.csv", "on": "movie", "add": "genre"}, JOINS[1]])
    with pytest.raises(UserError, match="has no column cost"):
        read(films, joins=JOINS, facts=["cost"], item_columns=ID)


def test_facts_of_a_catalogue_reach_prompts_reasons_and_index(tmp_path: Path) -> None:
    path = tmp_path / "shop.csv"
    path.write_text("id,title,price,city\n1,Kettle,12.50,Busan\n2,Lamp,,Seoul\n")
    kettle, lamp = read_catalogue(path, CatalogueOptions(facts=("price", "city"))).items
    assert (kettle.facts, lamp.facts) == (("price: 12.50", "city: Busan"), ("city: Seoul",))
    assert facts(kettle, "en") == "Kettle (price: 12.50, city: Busan)"
    assert head_of(lamp) == "Lamp. city: Seoul"
    said = plain_sentence(ExplanationRequest(kettle, (lamp,), "", "en"))
    assert "Its price: 12.50. Its city: Busan." in said


def test_custom_datasets_that_share_people_may_be_crossed(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / f"{name}.csv").write_text("id,title\n" + "".join(f"{n},{name} {n}\n" for n in range(40)))
        start = 0 if name == "a" else 100_000
        events = [f"u{u},{(u + n) % 40},{1_700_000_000 + start + n}\n" for u in range(60) for n in range(8)]
        (tmp_path / f"{name}.events.csv").write_text("user,item,time\n" + "".join(events))
    fixed = {"kind": "purchase", "people": "us"}
    own = {
        name: {"domain": name, "items": f"{name}.csv", "interactions": f"{name}.events.csv"} | fixed
        for name in "ab"
    }
    overrides = [f"data.root={tmp_path}", "data.datasets=[a, b]", "data.mixture_weights={a: 1, b: 1}",
                 "data.train=60",
                 "data.cross_domain=[{history: a, target: b, weight: 1}]", "data.train_time_quantile=1.0",
                 "data.custom=" + json.dumps(own)]  # fmt: skip
    recipe = load_recipe(Path("recipes/tiny.yaml"), overrides).only(("data",))
    stats = run(recipe, {}, tmp_path / "out")
    assert stats.cross_domain["a > b"]["train"].got == 20
    own["b"]["people"] = ""
    overrides[-1] = "data.custom=" + json.dumps(own)
    with pytest.raises(UserError, match="do not share user ids"):
        run(load_recipe(Path("recipes/tiny.yaml"), overrides).only(("data",)), {}, tmp_path / "other")
