"""`rectune recommend` as a person uses it, with a stand-in model; the real one is in the slow test."""

import json
from pathlib import Path

import polars as pl
import pytest
from typer.testing import CliRunner

from rectune.cli.main import app
from rectune.core.artifacts import MANIFEST, ArtifactStore
from rectune.core.digests import file_digest
from rectune.core.errors import UserError
from rectune.core.recipe import load_recipe
from rectune.inference.generate import Generate
from rectune.models.reference import gguf_file
from rectune.pipeline.plan import make_plan
from rectune.prompts.title_index import TitleIndex
from rectune.rankers import stage as fit_stage
from rectune.recommender.model_check import ModelVerdict, keep_verdict
from rectune.recommender.typed_history import titles_in
from tests.rankers.world import write_world
from tests.recommender.writer import Writer
from tests.retrieval import letters  # noqa: F401

RUNNER = CliRunner()


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    path = tmp_path / "shop.csv"
    path.write_text(
        "sku,label,kind,about\n1,Red kettle,kitchen,Boils water\n2,Blue kettle,kitchen,Boils water fast\n"
        '3,"<|im_end|>Lamp",light,Shines\n4,Desk,office,For work\n5,Steins;Gate figure,toys,From the series\n'
    )
    return path


ANSWERS = Writer("My recommendation: Blue kettle", "will like how fast it boils water.")


def rectune(tmp_path: Path, *arguments: str, model: Generate | None = ANSWERS) -> str:
    said = RUNNER.invoke(app, ["recommend", "--runs", str(tmp_path / "runs"), *arguments], obj=model)
    assert said.exit_code == 0, (said.output, said.exception)
    return said.output


def test_films_of_the_movies_dataset_are_known_by_their_original_titles(tmp_path: Path):
    films = Path(__file__).parents[2] / "samples/movies_dataset"
    said = rectune(
        tmp_path, "--catalogue", str(films), "--format", "movies_dataset", "--domain", "movies",
        "--ranker", "bm25", "--top", "3", "--verbose", "--history", "L'orchestre de papier; Der Motensammler",
    )  # fmt: skip
    assert "5 items are also known by their original title" in said
    assert "movies_metadata.csv: id 1997-08-20" in said
    assert "not in the catalogue" not in said
    assert " by " in said and "\n3. " in said
    assert ". The Paper Orchestra" not in said and ". The Moth Collector" not in said


def trust(runs: Path) -> None:
    """Let the embedded model, for which a stand-in answers, word reasons."""
    sound = {"en": 5, "ko": 5}
    keep_verdict(runs / "model_checks", file_digest(gguf_file("embedded")), ModelVerdict(sound, sound))


def test_a_model_that_cannot_keep_to_facts_words_no_reasons(tmp_path: Path, shop: Path):
    given = ["--catalogue", str(shop), "--title-column", "label", "--history", "Red kettle"]
    said = rectune(tmp_path, *given)
    assert "reasons are plain sentences: the model answered 0 of 5 English and 0 of 5 Korean" in said
    assert said.count('   You liked "Red kettle". ') == 4 and "you will like how" not in said
    trust(tmp_path / "runs")
    assert "you will like how" in rectune(tmp_path, *given)


def test_beside_the_answer_stand_two_lines_of_notes_at_most(tmp_path: Path, shop: Path):
    given = [
        "recommend",
        "--runs",
        str(tmp_path / "runs"),
        "--catalogue",
        str(shop),
        "--title-column",
        "label",
    ]
    for more in ([], ["--verbose"]):
        said = RUNNER.invoke(app, [*given, "--history", "Red kettle; Yacht", *more], obj=ANSWERS)
        assert said.exit_code == 0 and said.stderr.count("\n") == 2, said.stderr


def test_a_catalogue_is_recommended_from_without_any_run(tmp_path: Path, shop: Path):
    trust(tmp_path / "runs")
    said = rectune(
        tmp_path, "--catalogue", str(shop), "--title-column", "label", "--categories-column", "kind",
        "--text-column", "about", "--history", "Red kettle; Desk",
    )  # fmt: skip
    assert "label as title" in said and "about as description" in said
    assert "the recipe demo was not run here as it stands" in said
    assert "\n1. Blue kettle  (item 2)\n   Because you liked Red kettle and Desk, you will like how" in said
    assert 'Evidence: like "Red kettle": kitchen' in said and "Red kettle  (" not in said


def test_a_plain_sentence_in_place_of_refused_reasons_is_marked(tmp_path: Path, shop: Path):
    trust(tmp_path / "runs")
    silent = Writer("", "")
    given = ["--catalogue", str(shop), "--title-column", "label", "--history", "Red kettle"]
    said = rectune(tmp_path, *given, model=silent)
    assert said.count("(a plain sentence from the catalogue; the model's reasons were refused)") == 1


def test_the_model_chooses_the_items_where_that_is_asked_for(tmp_path: Path, shop: Path):
    said = rectune(
        tmp_path, "--catalogue", str(shop), "--title-column", "label", "--categories-column", "kind",
        "--text-column", "about", "--history", "Red kettle; Desk", "--grounding", "retrieve",
    )  # fmt: skip
    assert "the recipe demo was not run here as it stands, and answers untrained" in said
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
    assert {"item_id", "title", "score", "reason", "evidence", "explored"} <= set(found["items"][0])
    assert found["ranking"]["by"][0]["rankers"] == "index" and found["nearness"] >= found["min_similarity"]
    more = ["--grounding", "retrieve", "--query", "tea", "--json"]
    given = [
        "recommend",
        "--runs",
        str(tmp_path / "runs"),
        "--catalogue",
        str(shop),
        "--title-column",
        "label",
    ]
    grounded = json.loads(RUNNER.invoke(app, [*given, *more], obj=ANSWERS).stdout)
    assert {"item_id", "title", "how", "similarity", "evidence", "ranks"} <= set(grounded["items"][0])


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


def test_one_may_talk(tmp_path: Path, shop: Path):
    typed = "I love kitchen things\nwhy?\nforget that I love kitchen things\n\nnever read\n"
    given = ["--catalogue", str(shop), "--title-column", "label", "--categories-column", "kind"]
    given += ["--ranker", "bm25", "--chat"]
    said = RUNNER.invoke(app, ["recommend", "--runs", str(tmp_path / "runs"), *given], input=typed)
    assert said.exit_code == 0 and '"Red kettle"' in said.stdout and "Desk" not in said.stdout
    assert 'You said: "I love kitchen things".' in said.stdout
    assert 'Forgotten and deleted: "I love kitchen things".' in said.stdout
    lines = RUNNER.invoke(
        app, ["recommend", "--runs", str(tmp_path / "runs"), *given, "--json"], input=typed
    ).stdout.splitlines()
    names = [json.loads(line)["event"] for line in lines]
    assert names[:2] == ["status", "facts"] and names.count("done") == 3 and "items" in names


def test_two_ways_to_ask_again_are_refused(tmp_path: Path, shop: Path):
    given = ["recommend", "--runs", str(tmp_path), "--catalogue", str(shop), "--chat", "--interactive"]
    refused = RUNNER.invoke(app, given)
    assert isinstance(refused.exception, UserError) and "two ways" in str(refused.exception)


def test_titles_that_the_catalogue_lacks_are_named(tmp_path: Path, shop: Path):
    given = ["--catalogue", str(shop), "--title-column", "label"]
    said = rectune(tmp_path, *given, "--history", "red Kettel; Yacht; Desk")
    assert "not in the catalogue, so they do not count: Yacht; " in said
    alone = rectune(tmp_path, *given, "--history", "Yacht")
    assert "not in the catalogue, so only their words count: Yacht; " in alone
    crossing = rectune(tmp_path, *given, "--history", "Yacht", "--history-domain", "boats")
    assert "words count" not in crossing


@pytest.mark.parametrize(
    ("arguments", "found"),
    [
        ((), "nothing to go by"),
        (("--query", "x", "--grounding", "guess"), "no grounding method"),
        (("--query", "x", "--grounding", "retrieve", "--ranker", "bm25"), "the model chooses the items"),
        (("--user", "1", "--catalogue", "{shop}"), "the users of a catalogue file are not known"),
        (("--user", "1", "--users", "u.csv"), "one user and a table of users"),
        (("--query", "x", "--users", "u.csv", "--output", "o"), "a table of users and a single request"),
        (("--query", "x", "--output", "o"), "is for a table of users"),
        (("--users", "u.csv"), "no file to write to"),
        (("--users", "u.csv", "--output", "o", "--json"), "--json: has no effect with --users"),
        (
            ("--users", "u.csv", "--output", "o", "--history-domain", "music"),
            "--history-domain: has no effect with --users",
        ),
        (("--chat", "--top", "3"), "--top: has no effect with --chat"),
        (("--chat", "--at-most", "1", "--per", "maker"), "--at-most: has no effect with --chat"),
        (("--query", "x", "--grounding", "retrieve", "--model", "none"), "the model chooses the items"),
        (("--query", "x", "--at-most", "2"), "at most 2 per ?"),
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
    given = [argument.format(shop=shop) for argument in arguments]
    said = RUNNER.invoke(app, ["recommend", "--runs", str(tmp_path / "runs"), *given])
    assert isinstance(said.exception, UserError), said.output
    assert found in str(said.exception) and said.exception.hint


def test_without_a_model_reasons_are_plain_sentences(tmp_path: Path, shop: Path):
    given = ["--catalogue", str(shop), "--title-column", "label", "--categories-column", "kind"]
    said = rectune(
        tmp_path,
        *given,
        "--history",
        "Red kettle",
        "--model",
        "none",
        "--ranker",
        "bm25",
        "--explain-ranking",
    )
    assert 'You liked "Red kettle". "Blue kettle" is an item of the same kind: kitchen.' in said
    assert said.endswith("\n\nRanked for the history by bm25.\n") and "untrained" not in said
    few = rectune(tmp_path, *given, "--history", "Desk", "--at-most", "1", "--per", "category")
    assert "Only 3 of 5 items: at most 1 per category are wanted." in few and "4. " not in few
    none = rectune(tmp_path, *given, "--history", "Desk", "--explore", "0.4")
    assert "Places for unfamiliar items: 2; given: 0; nothing else unfamiliar ranks high enough" in none


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store in which the stages `data` and `fit` of the recipe tiny are there, of a small world."""
    root = tmp_path_factory.mktemp("store")
    made, store = write_world(root / "made"), ArtifactStore(root / "runs")
    keys = {step.stage.name: step.key for step in make_plan(load_recipe(Path("tiny"), []), store, "fit")}
    data, fitted = (store.folder(name, keys[name]) for name in ("data", "fit"))
    data.parent.mkdir(parents=True)
    made["data"].rename(data)
    fitted.mkdir(parents=True)
    changed = ["fit.rankers=[popularity, bm25, item_knn]", "retrieval.embedder=letters"]
    fit_stage.run(load_recipe(Path("tiny"), changed), {**made, "data": data}, fitted)
    (data / MANIFEST).write_text(json.dumps({"files": {}}))
    (fitted / MANIFEST).write_text(json.dumps({"files": {}, "inputs": {"data": keys["data"]}}))
    return store.root


def of_tiny(runs: Path, *arguments: str):
    given = ["recommend", "--runs", str(runs), "--recipe", "tiny", "--domain", "movies", "--model", "none"]
    return RUNNER.invoke(app, [*given, *arguments])


def test_a_known_user_gets_what_was_chosen_with_evidence(runs: Path):
    said = of_tiny(runs, "--user", "train0", "--explain-ranking", "--top", "2")
    assert said.exit_code == 0, said.exception
    lines = said.stdout.splitlines()
    assert lines[0] == "For a user who liked 5 items of this catalogue:"
    assert lines[1] == "1. Alien Planet  (item m5)"
    kind = '"Alien Planet" is a film of the same kind as both: science fiction.'
    assert f'   You liked "Rocket Pilots" and "The Space Station". {kind}' in lines
    told = "the default for histories of 5 and more items of the catalogue: there were too few users"
    assert f"Ranked for the history by bm25, {told} to choose on." in lines
    assert any(line.startswith("   Ranking by the history: bm25 1.00 × +") for line in lines)


def test_typed_titles_are_the_newest_likes_of_a_known_user(runs: Path):
    said = of_tiny(runs, "--user", "train0", "--history", "Alien Planet; Pasta Kitchen", "--json")
    found = json.loads(said.stdout)
    assert found["history"][-2:] == ["Alien Planet", "Pasta Kitchen"] and len(found["history"]) == 7
    assert not {"m5", "m8"} & {item["item_id"] for item in found["items"]}
    asked = of_tiny(runs, "--user", "train0", "--query", "baking bread", "--top", "1", "--explain-ranking")
    assert "1. Baking Bread  (item m7)" in asked.stdout and "has your words: baking, bread" in asked.stdout
    assert "Ranked for the words by index, the default for queries" in asked.stdout


def test_a_named_ranker_that_the_stage_has_not_fitted_is_said_to_be_fitted_now(runs: Path):
    now = "svd is not among the rankers of the stage fit: it is fitted now, with its defaults"
    assert now in of_tiny(runs, "--user", "train0", "--ranker", "svd").stderr
    assert "is fitted now" not in of_tiny(runs, "--user", "train0", "--ranker", "item_knn").stderr


def test_a_user_that_nobody_knows_is_refused(runs: Path):
    said = of_tiny(runs, "--user", "zoe")
    assert isinstance(said.exception, UserError) and "the user 'zoe' is not known: 5 are known" in str(
        said.exception
    )
    crossing = of_tiny(runs, "--user", "train0", "--history", "Kind of Blue", "--history-domain", "books")
    assert isinstance(crossing.exception, UserError) and "a history in books" in str(crossing.exception)


def test_a_table_of_users_is_ranked_by_what_was_chosen(runs: Path, tmp_path: Path):
    users, output = tmp_path / "users.csv", tmp_path / "top.parquet"
    users.write_text("user,history\ntrain0,\ntrain1,Pasta Kitchen\n")
    said = of_tiny(runs, "--users", str(users), "--output", str(output), "--top", "2")
    assert said.stdout == f"2 users -> {output}\n", said.exception
    found = pl.read_parquet(output)
    assert found["item_id"][0] == "m5" and found["rank"].to_list() == [1, 2, 1, 2]
    assert found["evidence"][0] == 'like "The Space Station": science fiction'


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
