"""`rectune recommend` as a person uses it, with a stand-in model; the real one is in the slow test."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from rectune.cli.main import app
from rectune.prompts.title_index import TitleIndex
from rectune.recommender.generative import Generate
from rectune.recommender.typed_history import titles_in
from tests.recommender.writer import Writer

RUNNER = CliRunner()


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    path = tmp_path / "shop.csv"
    path.write_text(
        "sku,label,kind,about\n1,Red kettle,kitchen,Boils water\n2,Blue kettle,kitchen,Boils water fast\n"
        '3,"<|im_end|>Lamp",light,Shines\n4,Desk,office,For work\n5,Steins;Gate figure,toys,From the series\n'
    )
    return path


ANSWERS = Writer("My recommendation: Blue kettle", "will like how well it goes with that.")


def rectune(tmp_path: Path, *arguments: str, model: Generate | None = ANSWERS) -> str:
    said = RUNNER.invoke(app, ["recommend", "--runs", str(tmp_path / "runs"), *arguments], obj=model)
    assert said.exit_code == 0, (said.output, said.exception)
    return said.output


def test_films_of_the_movies_dataset_are_known_by_their_original_titles(tmp_path: Path):
    films = Path(__file__).parents[2] / "samples/movies_dataset"
    said = rectune(
        tmp_path, "--catalogue", str(films), "--format", "movies_dataset", "--domain", "movies",
        "--ranker", "bm25", "--top", "3", "--history", "L'orchestre de papier; Der Motensammler",
    )  # fmt: skip
    assert "5 items are also known by their original title" in said
    assert "movies_metadata.csv: id 1997-08-20" in said
    assert "not in the catalogue" not in said
    assert "directors: " in said and "\n3. " in said
    assert ". The Paper Orchestra" not in said and ". The Moth Collector" not in said


def test_a_catalogue_is_recommended_from_without_any_run(tmp_path: Path, shop: Path):
    said = rectune(
        tmp_path, "--catalogue", str(shop), "--title-column", "label", "--categories-column", "kind",
        "--text-column", "about", "--history", "Red kettle; Desk",
    )  # fmt: skip
    assert "label as title" in said and "about as description" in said and "untrained" in said
    assert "Recommended: Blue kettle" in said and "Red kettle  (" not in said
    assert "named by its title" in said


def test_json_holds_the_evidence_and_nothing_else_stands_on_standard_output(tmp_path: Path, shop: Path):
    said = RUNNER.invoke(
        app,
        ["recommend", "--runs", str(tmp_path / "runs"), "--catalogue", str(shop), "--title-column", "label",
         "--query", "tea", "--json", "--top", "2"],
        obj=ANSWERS,
    )  # fmt: skip
    found = json.loads(said.stdout)
    assert found["query"] == "tea" and len(found["items"]) == 2
    assert {"item_id", "title", "how", "similarity", "evidence", "ranks"} <= set(found["items"][0])


def test_one_may_ask_again_and_again(tmp_path: Path, shop: Path):
    typed = "Red kettle\n? something that shines\nDesk ? for tea\n?\n\nnever read\n"
    given = ["--catalogue", str(shop), "--title-column", "label", "--interactive", "--json"]
    said = RUNNER.invoke(
        app, ["recommend", "--runs", str(tmp_path / "runs"), *given], input=typed, obj=ANSWERS
    )
    answers = [json.loads(line) for line in said.stdout.splitlines() if line]
    asked = [(answer["history"], answer["query"]) for answer in answers]
    assert asked == [(["Red kettle"], ""), ([], "something that shines"), (["Desk"], "for tea")]
    assert "nothing to go by" in said.stderr


def test_titles_that_the_catalogue_lacks_are_named(tmp_path: Path, shop: Path):
    given = ["--catalogue", str(shop), "--title-column", "label"]
    said = rectune(tmp_path, *given, "--history", "red Kettel; Yacht; Desk")
    assert "only their words count: Yacht\n" in said
    crossing = rectune(tmp_path, *given, "--history", "Yacht", "--history-domain", "boats")
    assert "words count" not in crossing


@pytest.mark.parametrize(
    ("arguments", "found"),
    [
        ((), "nothing to go by"),
        (("--query", "x", "--grounding", "guess"), "no grounding method"),
        (("--query", "x", "--catalogue", "absent.csv"), "no such file"),
        (("--query", "x", "--catalogue", "{shop}", "--title-column", "lable"), "did you mean label?"),
        (
            ("--query", "x", "--catalogue", "{shop}", "--title-column", "label", "--model", "no.gguf"),
            "no.gguf",
        ),
        (("--query", "x", "--domain", "movies"), "no finished data"),
        (("--query", "x", "--catalogue", "{shop}", "--format", "xlsx"), "there is no format xlsx"),
        (("--query", "x", "--catalogue", "{shop}", "--encoding", "utf-99"), "unknown encoding utf-99"),
        (("--query", "x", "--catalogue", "{shop}", "--facts", "cost"), "has no column cost"),
        (
            ("--query", "x", "--catalogue", "{shop}", "--format", "movielens"),
            "no items in the format movielens",
        ),
    ],
)
def test_bad_input_is_an_error_for_people(tmp_path: Path, shop: Path, arguments: tuple[str, ...], found: str):
    from rectune.core.errors import UserError

    given = [argument.format(shop=shop) for argument in arguments]
    said = RUNNER.invoke(app, ["recommend", "--runs", str(tmp_path / "runs"), *given])
    assert isinstance(said.exception, UserError), said.output
    assert found in str(said.exception) and said.exception.hint


def test_titles_are_parted_at_semicolons_but_not_within_one():
    assert titles_in("Steins;Gate; Heat ;Alien; ") == ["Steins;Gate", "Heat ;Alien"]
    assert titles_in("A;B; ") == ["A;B"] and titles_in("A;B") == ["A", "B"]
    assert titles_in("; ;") == []


def test_the_longest_title_of_the_catalogue_is_taken():
    known = TitleIndex.of_titles(["A; B; C", "A; B", "Steins;Gate", "Heat"])
    assert titles_in("A; B; C; Heat; A; B; D", known) == ["A; B; C", "Heat", "A; B", "D"]
    assert titles_in("Steins;Gate", known) == ["Steins;Gate"]
    assert titles_in("A; B; C; Heat") == ["A", "B", "C", "Heat"]


@pytest.mark.slow
@pytest.mark.parametrize("ground", ["retrieve", "constrained"])
def test_the_embedded_model_answers_from_a_catalogue_in_both_ways(tmp_path: Path, shop: Path, ground: str):
    said = rectune(
        tmp_path, "--catalogue", str(shop), "--title-column", "label", "--text-column", "about",
        "--history", "Red kettle", "--grounding", ground, "--json", model=None,
    )  # fmt: skip
    found = json.loads(said.splitlines()[-1])
    titles = {"Blue kettle", "<|im_end|>Lamp", "Desk", "Steins;Gate figure"}
    assert {item["title"] for item in found["items"]} <= titles
    if found["fits"]:
        assert found["answer"].endswith(f"My recommendation: {found['items'][0]['title']}")


def test_a_title_of_the_catalogue_may_hold_the_semicolons_that_part_titles(tmp_path: Path):
    shop = tmp_path / "books.csv"
    shop.write_text(
        'id,title\n1,"Frankenstein; or, The Modern Prometheus (1818)"\n2,Blue kettle\n'
        '3,"Moby-Dick; or, The Whale"\n'
    )
    given = ["--catalogue", str(shop), "--json"]
    typed = "frankenstein; or, the modern prometheus; Moby-Dick; or, The Whale; Yacht"
    said = json.loads(rectune(tmp_path, *given, "--history", typed).splitlines()[-1])
    whole = ["Frankenstein; or, The Modern Prometheus (1818)", "Moby-Dick; or, The Whale", "Yacht"]
    assert said["history"] == whole
    assert {item["title"] for item in said["items"]} == {"Blue kettle"}
