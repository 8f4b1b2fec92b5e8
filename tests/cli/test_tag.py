"""`rectune tag …` as a person types it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from rectune.align.comparison import ANSWERS_FILE
from rectune.align.tags import TagStore
from rectune.align.tasks import make_task
from rectune.cli.main import app
from rectune.core.artifacts import ArtifactStore
from rectune.core.errors import UserError
from rectune.core.rows import write_rows
from rectune.core.types import Candidate, with_id
from tests.align.examples import PROVENANCE, make_prompt, make_tasks, session, write_folders, write_items
from tests.pipeline.recipes import finish

RECIPE = Path(__file__).parents[2] / "recipes" / "tiny.yaml"
TASKS = make_tasks(6)


@pytest.fixture(autouse=True)
def folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Path]:
    """An artifact store whose recipe has come as far as candidates, and eval with both models' answers."""
    monkeypatch.chdir(tmp_path)
    found = write_folders(tmp_path / "runs", TASKS) | {"data": write_items(tmp_path / "runs" / "data")}
    found["eval"] = tmp_path / "runs" / "eval"
    found["eval"].mkdir()
    for number, name in enumerate(("sft", "dpo")):
        rows = [with_id(Candidate("", t.prompt.id, 0, t.answers[number], PROVENANCE)) for t in TASKS]
        write_rows(found["eval"] / ANSWERS_FILE.format(system=name), rows, Candidate)
    keyed = finish(RECIPE, ArtifactStore(tmp_path / "runs"), "eval")
    for stage, folder in found.items():
        for file in folder.glob("*.parquet"):
            file.rename(keyed[stage] / file.name)
    monkeypatch.setattr("rectune.pipeline.run.run_pipeline", lambda order, store: keyed)
    return keyed


def rectune(*words: str, typed: str = "") -> Result:
    result = CliRunner().invoke(app, ["tag", *words], input=typed)
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


@pytest.mark.parametrize("words", [[str(RECIPE), "--annotator", "kim"], ["--annotator", "kim", str(RECIPE)]])
def test_the_recipe_alone_is_enough_and_options_may_come_first(words: list[str]) -> None:
    done = rectune(*words, typed="1 2\ne\n")
    assert done.exit_code == 0
    assert "2 of 6 prompts done (1 tagged, 1 a tie)" in done.output
    with TagStore(Path("tags/tiny.sqlite")) as store:
        assert [d.kind for d in store.decisions("kim")] == ["tag", "tie"]


def test_several_annotators_share_and_status_says_how_they_do() -> None:
    every = ["--annotators", "kim,lee", "--overlap", "1"]
    for name in ("kim", "lee"):
        rectune(str(RECIPE), "--annotator", name, *every, typed="1 2\n" * 6)
    found = rectune("status", str(RECIPE), *every).output
    assert "6 of 6 prompts" in found and "the 6 prompts that several judged" in found
    with pytest.raises(UserError, match="none of"):
        rectune(str(RECIPE), "--annotator", "park", *every)


def test_status_before_anything_was_tagged_says_what_to_do() -> None:
    with pytest.raises(UserError, match="rectune tag RECIPE"):
        rectune("status", str(RECIPE))
    assert not Path("tags").exists()


def test_what_cannot_be_taken_in_leaves_no_tag_file_behind() -> None:
    Path("broken.jsonl").write_text("{\n")
    with pytest.raises(UserError, match=r"broken\.jsonl:1"):
        rectune("import", "broken.jsonl", "--tags", "new")
    assert not list(Path("tags").glob("new*"))


def test_export_import_and_merge_by_name() -> None:
    with TagStore(Path("tags/tiny.sqlite")) as store:
        at = session(store, TASKS)
        at.write_note("메모")
        at.decide(0, 1)
        history = store.history()
    assert "2 lines" in rectune("export", "out.jsonl", "--tags", "tiny").output
    assert "2 rows new" in rectune("import", "out.jsonl", "--tags", "copy").output
    merged = rectune("merge", "tiny", "tags/copy.sqlite", "--into", "both").output
    assert "2 rows new" in merged and "2 were there already, or twice" in merged
    with TagStore(Path("tags/both.sqlite")) as store:
        assert store.history() == history
    with pytest.raises(UserError, match="there are: both, copy, tiny"):
        rectune("export", "out.jsonl", "--tags", "typo")
    with pytest.raises(UserError, match="no such tag file"):
        rectune("merge", "tiny", "typo", "--into", "none")
    assert not Path("tags/none.sqlite").exists()


@pytest.mark.parametrize("form", ["argilla", "label-studio"])
def test_what_counts_is_exported_with_its_texts_for_other_tools(form: str) -> None:
    with TagStore(Path("tags/tiny.sqlite")) as store:
        at = session(store, [*TASKS, make_task(make_prompt(99), ("elsewhere", "not here"))])
        for _ in range(3):
            at.decide(0, 1)
        at.go(6)
        at.decide(0, 1)
    found = rectune("export", "out.json", "--tags", "tiny", "--format", form, "--recipe", str(RECIPE)).output
    assert "3 decisions on 3 prompts" in found and "1 are left out" in found
    assert len(json.loads(Path("out.json").read_text())) == 3
    with pytest.raises(UserError, match="--recipe"):
        rectune("export", "out.json", "--tags", "tiny", "--format", form)


def test_two_models_are_compared_and_the_win_rate_told() -> None:
    done = rectune(str(RECIPE), "--annotator", "kim", "--compare", "sft", "dpo", typed="e\n" * 6)
    assert "win rate 50.0%" in done.output
    before = done.output.split("dpo against sft")[0]
    assert "sft" not in before and "dpo" not in before
    found = rectune("status", str(RECIPE), "--compare", "sft", "dpo").output
    assert "kim judged 6 of 6" in found and "win rate 50.0%" in found
    assert "0 of 6 prompts are decided" in rectune("status", str(RECIPE)).output


def test_help_names_every_command() -> None:
    found = rectune("--help").output
    assert all(word in found for word in ("answers", "status", "export", "import", "merge"))
    assert "--overlap" in rectune("answers", "--help").output
