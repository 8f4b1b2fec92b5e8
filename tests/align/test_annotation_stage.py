"""The stage `tag`: what people or the simulated annotator decided becomes pairs, and nothing else does."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from rectune.align import annotation_stage
from rectune.align.decisions import Decision, Kind
from rectune.align.simulated import RULE
from rectune.align.tags import TagStore
from rectune.align.tasks import AnnotationTask, make_task
from rectune.core.errors import UserError, WaitingForPeople
from rectune.core.figures import TagFigures
from rectune.core.figures.preferences import Conflicts, RankingPairFigures
from rectune.core.recipe import Recipe
from rectune.core.rows import read_rows, write_rows
from rectune.core.settings import AlignConfig
from rectune.core.types import Case, Preference, Prompt, with_id
from tests.align.examples import FILMS, make_prompt, make_tasks, write_folders, write_items

TITLED = ("I suggest it. My recommendation: Heat", "I suggest Ronin.", "nothing")


@pytest.fixture(autouse=True)
def _at_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "out").mkdir()


def config(annotator: str) -> Recipe:
    return Recipe.model_construct(align=AlignConfig(annotator=annotator, tags="us", embedder="alphabet"))  # type: ignore[arg-type]


def tag_of(task: AnnotationTask, best: int, worst: int, annotator: str = "kim") -> Decision:
    return Decision("tag", task.key, task.hashes, task.hashes[best], task.hashes[worst], annotator, 1.0, 1.0)


def without_pick(task: AnnotationTask, kind: Kind, annotator: str = "kim") -> Decision:
    return Decision(kind, task.key, task.hashes, "", "", annotator, 1.0, 1.0)


def run(tasks: list[AnnotationTask], annotator: str) -> tuple[TagFigures, list[Decision], list[Preference]]:
    folders = (
        write_folders(Path("in"), tasks)
        if not Path("in").exists()
        else {name: Path("in") / name for name in ("queries", "candidates")}
    )
    stats = annotation_stage.run(
        config(annotator), folders | {"data": write_items(Path("data"))}, Path("out")
    )
    tags = read_rows(Path("out/tags.parquet"), Decision)
    return stats, tags, read_rows(Path("out/preferences.parquet"), Preference)


def test_the_simulated_annotator_pairs_best_with_worst_and_is_named() -> None:
    tied = make_task(make_prompt(9), ("say no.", "say so."))
    stats, tags, pairs = run([make_task(make_prompt(0), TITLED), tied], "simulated")
    assert [(pair.chosen, pair.rejected) for pair in pairs] == [(TITLED[0], TITLED[2])]
    assert {tag.annotator for tag in tags} == {pair.annotator for pair in pairs} == {"simulated"}
    assert stats.annotators == ("simulated annotator",)
    assert stats.rule == RULE
    assert (stats.rows_in, stats.rows_out, stats.dropped) == (2, 1, {"all answers tie": 1})
    assert (stats.chosen_words_mean, stats.rejected_words_mean) == (6.0, 1.0)


def test_words_are_counted_once_for_the_line_of_the_stage_and_for_the_table_of_pairs() -> None:
    # Spaces part it into other words than letters do.
    dashed = "A well-made, slow-burning one - yes. " + TITLED[0]
    stats, _, (pair,) = run([make_task(make_prompt(0), (dashed, *TITLED[1:]))], "simulated")
    assert pair.chosen == dashed and len(dashed.split()) == 12
    words = stats.health.sides.words
    assert stats.chosen_words_mean == words.chosen == 13.0
    assert stats.rejected_words_mean == words.rejected


def test_the_simulated_annotator_leaves_peoples_files_alone() -> None:
    run([make_task(make_prompt(0), TITLED)], "simulated")
    assert not Path("tags").exists()


def test_it_waits_until_a_person_has_done_every_prompt() -> None:
    tasks = make_tasks(3)
    with pytest.raises(WaitingForPeople, match=r"0 of 3 prompts") as waiting:
        run(tasks, "person")
    assert "rectune tag RECIPE" in str(waiting.value)
    assert "skip" in str(waiting.value)
    assert not list(Path("out").iterdir())
    with TagStore(Path("tags/us.sqlite")) as store:
        store.keep(tag_of(tasks[0], 1, 2))
        store.keep(without_pick(tasks[1], "skip"))
        with pytest.raises(WaitingForPeople, match=r"2 of 3 prompts"):
            run(tasks, "person")
        store.keep(tag_of(tasks[2], 4, 0, "lee"))
    stats, tags, pairs = run(tasks, "person")
    assert [(pair.chosen, pair.rejected) for pair in pairs] == [
        ("answer 1 to 0", "answer 2 to 0"),
        ("answer 4 to 2", "answer 0 to 2"),
    ]
    assert tuple(tag.annotator for tag in tags) == ("kim", "lee") == stats.annotators
    assert stats.dropped == {"skipped": 1}
    assert stats.rule is None


def test_tags_of_other_prompts_and_answers_do_not_count() -> None:
    mine, other = make_tasks(1)[0], make_task(make_prompt(0), ("else", "other"))
    with TagStore(Path("tags/us.sqlite")) as store:
        store.keep(tag_of(other, 0, 1))
        store.keep(tag_of(make_tasks(2)[1], 0, 1))
    with pytest.raises(WaitingForPeople, match="0 of 1"):
        run([mine], "person")


def test_only_skips_make_no_pairs_and_that_is_said() -> None:
    task = make_tasks(1)[0]
    with TagStore(Path("tags/us.sqlite")) as store:
        store.keep(without_pick(task, "skip"))
    with pytest.raises(UserError, match="no preference"):
        run([task], "person")


def test_a_stage_without_health_ends_and_says_why() -> None:
    task = make_tasks(1)[0]
    folders = write_folders(Path("in"), [task])
    seen = make_prompt(7, split="train", user=task.prompt.user)
    write_rows(folders["queries"] / "prompts.parquet", [task.prompt, seen], Prompt)
    with TagStore(Path("tags/us.sqlite")) as store:
        store.keep(tag_of(task, 0, 1))
    with pytest.raises(UserError, match="users whom the supervised training has too"):
        run([task], "person")
    assert {path.name for path in Path("out").iterdir()} == {"health.json", "health.md", "health.png"}


def test_annotators_who_contradict_each_other_are_counted() -> None:
    clash, agree = make_tasks(2)
    with TagStore(Path("tags/us.sqlite")) as store:
        for tag in (tag_of(clash, 0, 1), tag_of(clash, 1, 0, "lee"), tag_of(agree, 2, 3)):
            store.keep(tag)
        store.keep(tag_of(agree, 2, 3, "lee"))
    stats, _, pairs = run([clash, agree], "person")
    assert [(pair.chosen, pair.annotator) for pair in pairs] == [("answer 2 to 1", "kim")]
    assert stats.conflicts == Conflicts(rule="majority", contradicted=1, settled=0, left_out=1)
    assert (stats.said_by_several, stats.pairs_of_a_tag) == (1, "best_worst")


def test_the_digest_follows_what_was_decided_about_these_candidates() -> None:
    tasks = make_tasks(2)
    folders = write_folders(Path("in"), tasks[:1])
    path = Path("tags/us.sqlite")

    def digest() -> str:
        return annotation_stage.tags_digest(path, folders["queries"], folders["candidates"])

    assert digest() == ""
    assert not path.exists()
    with TagStore(path) as store:
        empty = digest()
        store.keep(tag_of(tasks[1], 0, 1))
        assert digest() == empty
        store.keep(tag_of(tasks[0], 0, 1))
        assert digest() not in ("", empty)
    assert annotation_stage.tags_digest(path, Path("none"), Path("none")) == ""


def test_candidates_of_unknown_prompts_are_refused() -> None:
    tasks = make_tasks(2)
    folders = write_folders(Path("in"), tasks)
    other = write_folders(Path("other"), tasks[:1])
    with pytest.raises(UserError, match="1 prompts of the candidates"):
        annotation_stage.run(config("person"), folders | {"queries": other["queries"]}, Path("out"))


def test_ties_and_all_bad_make_no_pairs_and_are_accounted_for() -> None:
    tasks = make_tasks(4)
    with TagStore(Path("tags/us.sqlite")) as store:
        store.keep(tag_of(tasks[0], 1, 2))
        for task, kind in zip(tasks[1:], ("tie", "bad", "skip"), strict=True):
            store.keep(without_pick(task, kind))
        store.keep(without_pick(tasks[1], "skip", "lee"))
        # Neither a repeat nor a comparison is a vote.
        again = tag_of(tasks[1], 0, 1)
        for more in ({"repeat": True}, {"systems": ("a", "b", "c", "d", "e")}):
            store.keep(replace(again, time=9.0, **more))  # type: ignore[arg-type]
    stats, _, pairs = run(tasks, "person")
    assert [pair.chosen for pair in pairs] == ["answer 1 to 0"]
    assert stats.dropped == {"tied": 1, "all answers bad": 1, "skipped": 1}


def test_pairs_made_for_ranking_stand_beside_the_tagged_ones_and_are_counted() -> None:
    tasks = [make_task(make_prompt(n), TITLED) for n in range(3)]
    data = write_items(Path("data"), FILMS | {"alien": "Alien", "ran": "Ran", "fargo": "Fargo"})
    candidates = ("heat", "ronin", "fargo")
    cases = [
        with_id(Case("", "movies", user, "preference", ("alien", "ran"), "heat", candidates, True, "movies"))
        for user in ("u0", "u1", "u2", "untagged")
    ]
    write_rows(data / "cases.parquet", cases, Case)
    changed = config("simulated").align.model_copy(update={"ranking_pairs": 2})
    inputs = write_folders(Path("in"), tasks) | {"data": data}
    stats = annotation_stage.run(Recipe.model_construct(align=changed), inputs, Path("out"))
    pairs = read_rows(Path("out/preferences.parquet"), Preference)
    assert [pair.source for pair in pairs] == ["tags"] * 3 + ["ranking"] * 4
    assert (stats.pairs, stats.rows_out) == (3, 7)
    assert stats.ranking == RankingPairFigures(
        wanted=2, cases=2, pairs=4, dropped={}, splits={"preference": 2}
    )
    assert "4 pairs made for ranking" in Path("out/health.md").read_text()
